//! Checks the labels of calls and queues, whose number and values have been checked as fields.

use super::text::fits_variable;
use crate::api::{At, Violations};
use crate::domain::labels::{self, Labels};

/// Checks the keys of labels, and that each label can be a channel variable of its own.
pub fn check(labels: &Labels, at: &At<'_>, violations: &mut Violations) {
    if violations.has(at) {
        return;
    }
    for (key, value) in labels {
        match labels::key_error(key) {
            Some(error) => violations.invalid(&at.then(key), error),
            None => fits_variable(&format!("__{}", labels::variable(key)), Some(value), &at.then(key), violations),
        }
    }
    if let Some((one, other)) = labels::ambiguous(labels) {
        let name = labels::variable(one);
        violations.invalid(at, format_args!("{one} and {other} would both be the channel variable {name}"));
    }
}

/// Checks the labels of a queue, which must be a new one.
pub fn of_queue(labels: &Labels, queue_id: Option<i64>, at: &At<'_>, violations: &mut Violations) {
    check(labels, at, violations);
    if !labels.is_empty() && queue_id.is_some() {
        violations.invalid_if_new(at, "are those of a new queue, and cannot be given together with queue_id");
    }
}

/// Reads a filter such as `campaign:spring`. What is wrong with it is noted.
pub fn filter(text: Option<&str>, at: &At<'_>, violations: &mut Violations) -> Option<(String, String)> {
    let text = text?;
    let Some((key, value)) = text.split_once(':') else {
        violations.invalid_if_new(at, format_args!("must be key:value, and is {text:?}"));
        return None;
    };
    if let Some(error) = labels::key_error(key) {
        violations.invalid_if_new(at, error);
        return None;
    }
    Some((key.to_owned(), value.to_owned()))
}
