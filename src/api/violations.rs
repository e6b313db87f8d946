//! Collects the broken rules of a request, each with the path of its field.

use std::fmt;

use crate::api::error::Error;
use crate::api::field_order;
use crate::api::field_violation::FieldViolation;

/// The most broken rules that one answer lists; checking stops when there are so many.
pub const MAX_VIOLATIONS: usize = 50;

/// The place in a request that is being checked, as a chain of borrowed steps on the stack.
///
/// Checking a thousand valid items allocates nothing: only a violation writes its path out.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

/// The broken rules that were found so far.
///
/// ```
/// use trunkline::api::{At, Violations};
///
/// let mut violations = Violations::default();
/// let item = At::field("data");
/// let item = item.index(0);
/// violations.required(&item.then("action").then("Channel"));
/// assert_eq!(violations.finish().unwrap_err().to_string(), "data[0].action.Channel: required");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Violations {
    /// The full name of the message whose fields give the order; None keeps the order in which rules were checked.
    message: Option<&'static str>,
    invalid: Vec<FieldViolation>,
    denied: Vec<FieldViolation>,
}

impl<'a> At<'a> {
    /// Stands for the request as a whole.
    #[must_use]
    pub const fn root() -> Self {
        At { parent: None, step: Step::Root }
    }

    /// Stands for a field of the request itself.
    #[must_use]
    pub const fn field(name: &'a str) -> Self {
        At { parent: None, step: Step::Field(name) }
    }

    /// Stands for a field of the message here.
    #[must_use]
    pub const fn then(&'a self, name: &'a str) -> Self {
        At { parent: Some(self), step: Step::Field(name) }
    }

    /// Stands for an element of the list here, counted from 0.
    #[must_use]
    pub const fn index(&'a self, index: usize) -> Self {
        At { parent: Some(self), step: Step::Index(index) }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(formatter)?;
        }
        let parent = self.parent.filter(|parent| !matches!(parent.step, Step::Root));
        match (self.step, parent) {
            (Step::Root, _) => Ok(()),
            (Step::Field(name), None) => formatter.write_str(name),
            (Step::Field(name), Some(_)) => write!(formatter, ".{name}"),
            (Step::Index(index), _) => write!(formatter, "[{index}]"),
        }
    }
}

impl Violations {
    /// Makes an empty list that will be in the order of the fields of a message, given by its full name.
    #[must_use]
    pub fn in_order_of(message: &'static str) -> Self {
        Self { message: Some(message), ..Self::default() }
    }

    /// Notes a rule that a value breaks; the request fails with INVALID_ARGUMENT.
    pub fn invalid(&mut self, at: &At<'_>, message: impl fmt::Display) {
        note(&mut self.invalid, at, &message);
    }

    /// Notes the same unless the value is known to be wrong already, and so is no surprise to a further check.
    pub fn invalid_if_new(&mut self, at: &At<'_>, message: impl fmt::Display) {
        if !self.has(at) {
            self.invalid(at, message);
        }
    }

    /// Notes a field that must be given and is not.
    pub fn required(&mut self, at: &At<'_>) {
        self.invalid(at, "required");
    }

    /// Notes a value that the caller may not use; the request fails with PERMISSION_DENIED if nothing in it is invalid.
    pub fn denied(&mut self, at: &At<'_>, message: impl fmt::Display) {
        note(&mut self.denied, at, &message);
    }

    /// Returns true if nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.invalid.is_empty() && self.denied.is_empty()
    }

    /// Returns true if a value is known to be invalid.
    #[must_use]
    pub fn has(&self, at: &At<'_>) -> bool {
        if self.invalid.is_empty() {
            return false;
        }
        let field = at.to_string();
        self.invalid.iter().any(|violation| violation.field == field)
    }

    /// Returns true if further violations would not be listed, so that there is no need to look for them.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.invalid.len() >= MAX_VIOLATIONS
    }

    /// Fails if anything was noted.
    ///
    /// # Errors
    /// Returns [`Error::InvalidArgument`] with all that is invalid, else [`Error::PermissionDenied`] with all that is
    /// denied.
    pub fn finish(self) -> Result<(), Error> {
        let Self { message, mut invalid, mut denied } = self;
        for list in [&mut invalid, &mut denied] {
            if let Some(message) = message {
                list.sort_by_cached_key(|violation| field_order::place(message, &violation.field));
            }
        }
        match (invalid.is_empty(), denied.is_empty()) {
            (true, true) => Ok(()),
            (false, _) => Err(Error::InvalidArgument(invalid)),
            (true, false) => Err(Error::PermissionDenied(denied)),
        }
    }
}

/// Adds a violation, unless the list is full or has it already: two checks may find the same fault.
fn note(list: &mut Vec<FieldViolation>, at: &At<'_>, message: &dyn fmt::Display) {
    if list.len() < MAX_VIOLATIONS {
        let violation = FieldViolation { field: at.to_string(), message: message.to_string() };
        if !list.contains(&violation) {
            list.push(violation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_the_client_wrote_it() {
        let data = At::field("data");
        let item = data.index(3);
        let action = item.then("action");
        assert_eq!(action.then("ChannelId").to_string(), "data[3].action.ChannelId");
    }

    #[test]
    fn only_the_first_fifty_violations_are_kept() {
        let mut violations = Violations::default();
        let data = At::field("data");
        for index in 0..60 {
            violations.required(&data.index(index));
        }
        assert!(violations.is_full());
        let Err(Error::InvalidArgument(list)) = violations.finish() else {
            panic!("violations were noted");
        };
        assert_eq!((list.len(), list[49].field.as_str()), (50, "data[49]"));
    }

    #[test]
    fn what_is_invalid_goes_before_what_is_denied() {
        let mut violations = Violations::default();
        violations.denied(&At::field("a"), "not granted");
        violations.required(&At::field("b"));
        assert!(matches!(violations.finish(), Err(Error::InvalidArgument(list)) if list.len() == 1));
    }

    #[test]
    fn violations_of_a_message_are_in_the_order_of_its_fields() {
        let mut violations = Violations::in_order_of("trunkline.v1.UpdateQueueRequest");
        for name in ["retry_gap", "queue_id", "retry_count"] {
            violations.invalid_if_new(&At::field(name), "first");
            violations.invalid_if_new(&At::field(name), "second");
        }
        let Err(Error::InvalidArgument(list)) = violations.finish() else { panic!("violations were noted") };
        let told: Vec<_> = list.iter().map(|one| (one.field.as_str(), one.message.as_str())).collect();
        assert_eq!(told, [("queue_id", "first"), ("retry_count", "first"), ("retry_gap", "first")]);
    }

    #[test]
    fn nothing_noted_is_no_error() {
        assert!(Violations::default().finish().is_ok());
    }
}
