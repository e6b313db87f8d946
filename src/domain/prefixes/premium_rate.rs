//! The premium-rate and satellite numbers that no client may dial by default.

use std::sync::LazyLock;

use super::trie::Trie;

/// One prefix in each line, with what its numbers are and the document that says so.
const LIST: &str = include_str!("premium_rate.csv");

/// The digits that premium-rate or satellite numbers begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PremiumRate {
    /// The beginning of the numbers in their canonical form.
    pub prefix: &'static str,
    /// What the numbers are.
    pub what: &'static str,
    /// The document that assigns the numbers.
    pub source: &'static str,
}

static PREFIXES: LazyLock<Trie> = LazyLock::new(|| premium_rate().map(|line| line.prefix).collect());

/// Returns the shipped list.
pub fn premium_rate() -> impl Iterator<Item = PremiumRate> {
    let lines = LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut parts = line.splitn(3, ',').map(str::trim);
        Some(PremiumRate { prefix: parts.next()?, what: parts.next()?, source: parts.next()? })
    })
}

/// Returns the length of the longest prefix on the list that `number` begins with.
pub(super) fn longest(number: &str) -> Option<usize> {
    PREFIXES.longest(number)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_line_has_a_canonical_prefix_a_description_and_a_source() {
        let lines = LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
        let mut seen = HashSet::new();
        for line in premium_rate() {
            let PremiumRate { prefix, what, source } = line;
            assert!((2..=8).contains(&prefix.len()) && prefix.bytes().all(|byte| byte.is_ascii_digit()), "{prefix}");
            assert!(!prefix.starts_with('0'), "{prefix} has no country code");
            assert!(!what.is_empty() && !source.is_empty(), "{prefix}");
            assert!(seen.insert(prefix), "{prefix} is listed twice");
        }
        assert_eq!(seen.len(), lines, "a line is incomplete");
    }

    #[test]
    fn ordinary_numbers_do_not_begin_with_a_prefix_of_the_list() {
        let is_listed = |number: &str| longest(number).is_some();
        // Numbers of documents, for drama and as examples, from their regulators; and the beginnings of area codes that
        // look like a premium-rate range.
        for number in [
            "12025550143",
            "18705550123",
            "19795550123",
            "441184960000",
            "442079460000",
            "4930231250",
            "493023125018",
            "4990612345",
            "33199001234",
            "34910001234",
            "34881123456",
            "3906123456",
            "31201234567",
            "4316501234",
            "41441234567",
            "4690123456",
            "35312345678",
            "61491570156",
            "919876543210",
            "81312345678",
            "8210123456",
            "48221234567",
            "905301234567",
            "74951234567",
            "380441234567",
            "4587654321",
            "4722123456",
            "35891234567",
            "351211234567",
        ] {
            assert!(!is_listed(number), "{number}");
        }
        for number in
            ["8816212345", "88213123456", "870773123456", "9790123456", "19005551234", "4490912345", "4990012345"]
        {
            assert!(is_listed(number), "{number}");
        }
    }
}
