//! Decides which numbers may be dialed, by the digits that they begin with.

use std::collections::HashSet;

use super::number::{self, Form, Numbering, Written};

/// A set of prefixes, which are compared by their digits. A number is looked up once for each of its digits, however
/// many prefixes there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes(HashSet<String>);

impl Prefixes {
    /// Returns the length of the longest prefix that `number` begins with. The number has no separators.
    fn longest(&self, number: &str) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        (1..=number.len()).rev().find(|&length| number.get(..length).is_some_and(|start| self.0.contains(start)))
    }
}

impl<S: AsRef<str>> FromIterator<S> for Prefixes {
    fn from_iter<I: IntoIterator<Item = S>>(prefixes: I) -> Self {
        Self(prefixes.into_iter().map(|prefix| compared(prefix.as_ref())).collect())
    }
}

/// Returns true if `number` may be dialed. The longest match of all three lists decides. If a match of the client's own
/// lists is as long as the platform's, the client's decides. If nothing matches, the number is allowed only if `allow`
/// is empty.
#[must_use]
pub fn allowed(number: &str, allow: &[String], deny: &[String], platform: &Prefixes) -> bool {
    let number = compared(number);
    let longest = |list: &[String]| list.iter().filter_map(|prefix| matched(prefix, &number)).max();
    let (own_allow, own_deny, platform_deny) = (longest(allow), longest(deny), platform.longest(&number));
    match own_allow {
        // If its own two lists match equally, the denial wins; if its own and the platform's do, its own.
        Some(_) => own_allow > own_deny && own_allow >= platform_deny,
        None => allow.is_empty() && own_deny.is_none() && platform_deny.is_none(),
    }
}

/// Returns true if a server may dial a number. The longest match of all three lists decides, in any form of the number.
/// If a match of the client's own lists is as long as the platform's, the client's decides. If nothing matches, the
/// number is allowed only if `allow` is empty. A number that a carrier may read differently must not be denied in any
/// reading. The prefixes of all lists are [`canonical`].
#[must_use]
pub fn may_dial(
    number: &Written,
    numbering: &Numbering,
    allow: &[String],
    deny: &[String],
    platform: &Prefixes,
) -> bool {
    let longest = |list: &[String], forms: &[Form]| {
        let matches = |form: &Form| {
            let matched = list.iter().filter(|prefix| form.digits.starts_with(prefix.as_str())).map(String::len).max();
            matched.map(|length| length.cast_signed() + form.shorter)
        };
        forms.iter().filter_map(matches).max()
    };
    numbering.prefix_forms(number).iter().enumerate().all(|(index, forms)| {
        let (own_allow, own_deny) = (longest(allow, forms), longest(deny, forms));
        let denied = |form: &Form| Some(platform.longest(&form.digits)?.cast_signed() + form.shorter);
        let platform_deny = forms.iter().filter_map(denied).max();
        match own_allow {
            // If its own two lists match equally, the denial wins; if its own and the platform's do, its own.
            Some(_) => own_allow > own_deny && own_allow >= platform_deny,
            None => (index > 0 || allow.is_empty()) && own_deny.is_none() && platform_deny.is_none(),
        }
    })
}

/// Returns the canonical form of a prefix, such as `44` for `+44`, `0044` and `01144`. None if it is not the beginning
/// of a number.
#[must_use]
pub fn canonical(prefix: &str) -> Option<String> {
    Some(Numbering::listed(&number::read_field(prefix).ok()?))
}

/// Returns the part of a number that is compared, which is all but the separators. Other characters are kept, so that
/// they hide no digit before them.
fn compared(number: &str) -> String {
    number.chars().filter(|character| !number::SEPARATORS.contains(character)).collect()
}

/// Returns the length of `prefix` without separators if `number`, which has none, begins with it; otherwise None.
fn matched(prefix: &str, number: &str) -> Option<usize> {
    let mut characters = number.chars();
    let mut matched = 0;
    for wanted in prefix.chars().filter(|character| !number::SEPARATORS.contains(character)) {
        if characters.next() != Some(wanted) {
            return None;
        }
        matched += 1;
    }
    Some(matched)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(prefixes: &[&str]) -> Vec<String> {
        prefixes.iter().map(|&prefix| prefix.to_owned()).collect()
    }

    fn platform(prefixes: &[&str]) -> Prefixes {
        prefixes.iter().collect()
    }

    #[test]
    fn the_longest_match_of_all_three_lists_decides() {
        let (allow, deny) = (list(&["44", "+44 90012"]), list(&["44207"]));
        let platform = platform(&["44900", "1"]);
        for (number, may) in [
            ("4420", true),
            ("442071", false),
            ("449001", false),
            ("449001234", true),
            ("+44 900 12 34", true),
            ("331", false),
            ("1800", false),
            ("+44900x1", false),
            ("+1;ext=2", false),
            ("alice", false),
        ] {
            assert_eq!(allowed(number, &allow, &deny, &platform), may, "{number}");
        }
    }

    #[test]
    fn a_clients_own_rule_overrides_a_platform_rule_of_the_same_length() {
        let own = list(&["+44900"]);
        assert!(allowed("44900", &own, &[], &platform(&["44900"])));
        assert!(!allowed("44900", &own, &own, &Prefixes::default()));
    }

    #[test]
    fn without_rules_any_number_may_be_dialed() {
        assert!(allowed("44900", &[], &[], &Prefixes::default()));
        assert!(!allowed("44900", &[], &[], &platform(&["44"])));
        assert!(allowed("33", &[], &[], &platform(&["44"])));
    }
}
