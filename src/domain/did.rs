//! Decides how the did that a call gets from its batch affects its caller id.

use serde::{Deserialize, Serialize};

/// How the dids of a client's batches affect the caller ids of its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DidPolicy {
    /// The did is the caller id of a call that has none of its own.
    #[default]
    Fill,
    /// The did replaces the number in the caller id of every call. A name in the caller id is kept.
    Force,
    /// The did does not affect the caller id.
    Off,
}

impl DidPolicy {
    /// Returns the caller id of a call. `own` is the caller id that its item names, and `did` is the did that it got.
    #[must_use]
    pub fn caller_id(self, own: Option<&str>, did: Option<&str>) -> Option<String> {
        match (self, own, did) {
            (Self::Off, own, _) | (Self::Fill, own @ Some(_), _) | (_, own, None) => own.map(str::to_owned),
            (Self::Fill, None, did) => did.map(str::to_owned),
            (Self::Force, own, Some(did)) => match own.and_then(name) {
                Some(name) => Some(format!("{name} <{did}>")),
                None => Some(did.to_owned()),
            },
        }
    }
}

/// Returns the name in a caller id, with its quotes, as Asterisk parses it (`ast_callerid_parse`): the text before `<`,
/// or a text without `<` that is not a number.
fn name(caller_id: &str) -> Option<&str> {
    let name = match caller_id.split_once('<') {
        Some((name, _)) => name.trim(),
        None if is_number(caller_id) => "",
        None => caller_id.trim(),
    };
    Some(name).filter(|name| !name.is_empty())
}

/// Returns true if a text consists of digits and of what a caller id's number may be written with.
fn is_number(text: &str) -> bool {
    let fits = |character: char| character.is_ascii_digit() || "+ -.()".contains(character);
    text.contains(|character: char| character.is_ascii_digit()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_gives_a_did_only_to_a_call_without_a_caller_id() {
        assert_eq!(DidPolicy::Fill.caller_id(None, Some("+49301")).as_deref(), Some("+49301"));
        assert_eq!(DidPolicy::Fill.caller_id(Some("1001"), Some("+49301")).as_deref(), Some("1001"));
        assert_eq!(DidPolicy::Fill.caller_id(None, None), None);
    }

    #[test]
    fn force_replaces_the_number_by_the_did_and_keeps_the_name() {
        for (own, forced) in [
            (None, "+49301"),
            (Some("1001"), "+49301"),
            (Some("<1001>"), "+49301"),
            (Some("\"Your Company\" <1001>"), "\"Your Company\" <+49301>"),
            (Some("Your Company"), "Your Company <+49301>"),
        ] {
            assert_eq!(DidPolicy::Force.caller_id(own, Some("+49301")).as_deref(), Some(forced), "{own:?}");
        }
        assert_eq!(DidPolicy::Force.caller_id(Some("1001"), None).as_deref(), Some("1001"));
    }

    #[test]
    fn only_a_number_has_only_digits() {
        assert_eq!(
            (is_number("+49 151;x"), is_number("+49 151"), is_number("+"), is_number("")),
            (false, true, false, false)
        );
    }

    #[test]
    fn off_leaves_the_caller_id_alone() {
        assert_eq!(DidPolicy::Off.caller_id(None, Some("+49301")), None);
        assert_eq!(DidPolicy::Off.caller_id(Some("1001"), Some("+49301")).as_deref(), Some("1001"));
    }
}
