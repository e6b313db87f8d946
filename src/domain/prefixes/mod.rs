//! Decides which numbers may be dialed, by the digits that they begin with.

use self::trie::Trie;
use super::number::{self, Form, Numbering, Written};

mod premium_rate;
mod trie;

pub use premium_rate::{PremiumRate, premium_rate};

/// A set of prefixes in their canonical form. A number is looked up once, however many prefixes there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes {
    own: Trie,
    with_premium_rate: bool,
}

impl Prefixes {
    /// Returns these prefixes together with those of premium-rate and satellite numbers ([`premium_rate`]).
    #[must_use]
    pub fn with_premium_rate(self) -> Self {
        Self { with_premium_rate: true, ..self }
    }

    /// Returns the length of the longest prefix that `number` begins with. The number has no separators.
    fn longest(&self, number: &str) -> Option<usize> {
        let premium_rate = if self.with_premium_rate { premium_rate::longest(number) } else { None };
        self.own.longest(number).max(premium_rate)
    }
}

impl<S: AsRef<str>> FromIterator<S> for Prefixes {
    fn from_iter<I: IntoIterator<Item = S>>(prefixes: I) -> Self {
        let own = prefixes.into_iter().map(|prefix| canonical(prefix.as_ref())).collect();
        Self { own, with_premium_rate: false }
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

/// Returns the canonical form of a prefix, such as `44` for `+44`, `0044` and `01144`. A text that is not the beginning
/// of a number, which earlier versions may have stored, is reduced to its digits.
#[must_use]
pub fn canonical(prefix: &str) -> String {
    let digits = || prefix.chars().filter(char::is_ascii_digit).collect();
    number::read_field(prefix).map_or_else(|_| digits(), |number| Numbering::listed(&number))
}

/// Returns the canonical form of each prefix of a list.
#[must_use]
pub fn all_canonical(prefixes: &[String]) -> Vec<String> {
    prefixes.iter().map(|prefix| canonical(prefix)).collect()
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

    fn allowed(number: &str, allow: &[String], deny: &[String], platform: &Prefixes) -> bool {
        let number = number::read(number).unwrap();
        may_dial(&number, &Numbering::default(), &all_canonical(allow), &all_canonical(deny), platform)
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

    #[test]
    fn a_number_is_matched_in_every_form_that_it_has_on_its_server() {
        let german =
            Numbering { country_code: Some("49".into()), national_prefix: Some("0".into()), ..Numbering::default() };
        let may = |number: &str, allow: &[&str], deny: &[&str]| {
            let (allow, deny) = (all_canonical(&list(allow)), all_canonical(&list(deny)));
            may_dial(&number::read(number).unwrap(), &german, &allow, &deny, &Prefixes::default())
        };
        for number in ["+49 900 123456", "0049900123456", "0900123456", "+49 (0)900 123456"] {
            for prefix in ["+49900", "0049900", "49 900", "0900"] {
                assert!(!may(number, &[], &[prefix]), "{number} is denied by {prefix}");
                assert!(may(number, &[prefix], &["49"]), "{number} is allowed by {prefix}, which is longer");
                assert!(!may(number, &[prefix], &[&format!("{prefix}1")]), "{number} is denied by a longer prefix");
            }
        }
        assert!(
            !may("0044 20 7946 0000", &[], &["00"]),
            "an international prefix alone denies what is written with it"
        );
        assert!(may("030 23125018", &["030"], &[]) && may("+49 30 23125018", &["030"], &[]));
        assert!(!may("+44 20 7946 0000", &["030"], &[]));
        assert!(!may("11833", &[], &["49118"]), "a short number is also that of its country");
    }

    #[test]
    fn the_shipped_list_is_opened_by_a_rule_as_long() {
        let shipped = Prefixes::default().with_premium_rate();
        let may = |number: &str, allow: &[&str]| {
            may_dial(&number::read(number).unwrap(), &Numbering::default(), &list(allow), &[], &shipped)
        };
        for number in ["0088213123456", "+88213123456", "011 882 13123456", "88213123456", "+1 900 555 1234"] {
            assert!(!may(number, &[]) && !may(number, &["8", "1"]), "{number}");
            assert!(may(number, &["882", "1900"]), "{number}");
        }
        let spanish = Numbering { country_code: Some("34".into()), ..Numbering::default() };
        let written = number::read("881 123 456").unwrap();
        assert!(may_dial(&written, &spanish, &[], &[], &shipped), "it is in Galicia, not a satellite phone");
    }
}
