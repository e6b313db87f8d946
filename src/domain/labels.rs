//! A client's own labels of its calls and queues.

use std::collections::BTreeMap;

/// A call's or a queue's labels: values by key.
pub type Labels = BTreeMap<String, String>;

/// The most characters of a key.
const MAX_KEY: usize = 63;

/// What the name of every channel variable that holds a label begins with.
const PREFIX: &str = "LABEL_";

/// Returns why a text cannot be the key of a label; None if it can.
#[must_use]
pub fn key_error(key: &str) -> Option<String> {
    let may_be = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let begins = key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
    let is_key = begins && key.len() <= MAX_KEY && key.bytes().all(may_be);
    (!is_key).then(|| {
        format!(
            "`{key}` is not the key of a label: it must have 1 to {MAX_KEY} lower-case letters, digits, `.`, `_` and `-`, \
             and begin with a letter or a digit"
        )
    })
}

/// Returns the name of the channel variable that holds the label with this key.
#[must_use]
pub fn variable(key: &str) -> String {
    let in_name =
        |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(key.chars().map(in_name)).collect()
}

/// Returns the first two keys whose labels would be the same channel variable; None if each has its own.
#[must_use]
pub fn ambiguous(labels: &Labels) -> Option<(&str, &str)> {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    labels.keys().find_map(|key| names.insert(variable(key), key).map(|earlier| (earlier, key.as_str())))
}

/// Returns a label as the one text by which calls and queues are found. A key has no `:`.
#[must_use]
pub fn text(key: &str, value: &str) -> String {
    format!("{key}:{value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_and_lower_case_and_begins_with_a_letter_or_a_digit() {
        for key in ["a", "9", "campaign", "team.eu-1_b", &"k".repeat(63)] {
            assert_eq!(key_error(key), None, "{key}");
        }
        for key in ["", "A", "-a", ".a", "a:b", "a b", "ä", &"k".repeat(64)] {
            assert!(key_error(key).is_some(), "{key}");
        }
    }

    #[test]
    fn two_keys_that_would_be_one_variable_are_found() {
        assert_eq!(variable("team.eu-1_b"), "LABEL_TEAM_EU_1_B");
        let labels = |keys: &[&str]| keys.iter().map(|key| ((*key).to_owned(), String::new())).collect::<Labels>();
        assert_eq!(ambiguous(&labels(&["a-b", "c", "a.b"])), Some(("a-b", "a.b")));
        assert_eq!(ambiguous(&labels(&["a-b", "c"])), None);
    }
}
