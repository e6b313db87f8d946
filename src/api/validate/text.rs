//! Rules that hold for any text on its way to Asterisk.

use crate::ami::{HeaderValue, InvalidValue, Variable};
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

/// Notes a text that was made of several fields, each of which fits into a line to Asterisk, where it does not fit itself.
pub fn fits(made: &str, at: &At<'_>, violations: &mut Violations) {
    if let Err(error @ InvalidValue::TooLong(_)) = HeaderValue::try_from(made) {
        violations.invalid(at, format_args!("together with what it goes out with, it {error}"));
    }
}

/// A label, where it is given, that reaches the dialplan as channel variable `name`: escaped, it is longer.
pub fn label_and_variable(name: &str, text: Option<&str>, at: &At<'_>, violations: &mut Violations) {
    label(text, at, violations);
    let fits_alone = |text: &&str| HeaderValue::try_from(*text).is_ok() && text.chars().count() <= LABEL;
    let Some(text) = text.filter(fits_alone) else { return };
    if let Err(error) = Variable::new(name, text) {
        violations.invalid(at, format_args!("as a channel variable it {error}"));
    }
}

/// A label of at most [`LABEL`] characters.
pub fn label(text: Option<&str>, at: &At<'_>, violations: &mut Violations) {
    plain_if_given(text, at, violations);
    not_longer(text, at, violations);
}

/// Notes what is longer than a label.
pub fn not_longer(text: Option<&str>, at: &At<'_>, violations: &mut Violations) {
    if text.is_some_and(|text| text.chars().count() > LABEL) {
        violations.invalid(at, format_args!("has more than {LABEL} characters"));
    }
}
