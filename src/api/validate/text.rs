//! Rules that hold for any text on its way to Asterisk.

use crate::ami::HeaderValue;
use crate::api::{At, Violations};

/// Longest label of a client: ActionID, project, names.
pub const LABEL: usize = 255;

/// Notes what Asterisk would read more into than a text: line ends, and what its dialplan would evaluate.
pub fn plain(text: &str, at: &At<'_>, violations: &mut Violations) {
    if let Err(error) = HeaderValue::try_from(text) {
        violations.invalid(at, error);
    } else if text.contains("${") || text.contains("$[") {
        violations.invalid(at, "must not hold `${` or `$[`");
    }
}

/// The same for an optional text, which must not be empty where it is given.
pub fn plain_if_given(text: Option<&str>, at: &At<'_>, violations: &mut Violations) {
    match text {
        Some("") => violations.invalid(at, "must not be empty"),
        Some(text) => plain(text, at, violations),
        None => {}
    }
}

/// A label of at most [`LABEL`] characters.
pub fn label(text: Option<&str>, at: &At<'_>, violations: &mut Violations) {
    plain_if_given(text, at, violations);
    if text.is_some_and(|text| text.chars().count() > LABEL) {
        violations.invalid(at, format_args!("has more than {LABEL} characters"));
    }
}
