//! Collects the broken rules of a request, each with the path of its field.

use std::fmt;

use crate::api::error::Error;
use crate::api::field_violation::FieldViolation;

/// How many broken rules one answer lists at most; the rest of them is not even looked at.
pub const MAX_VIOLATIONS: usize = 50;

/// Where validation stands in a request, as a chain of borrowed steps on the stack.
///
/// Walking a thousand valid items allocates nothing: only a violation writes its path out.
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

/// The broken rules found so far.
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
#[derive(Debug, Default)]
pub struct Violations {
    invalid: Vec<FieldViolation>,
    denied: Vec<FieldViolation>,
}

impl<'a> At<'a> {
    /// The request as a whole.
    #[must_use]
    pub const fn root() -> Self {
        At { parent: None, step: Step::Root }
    }

    /// A field of the request itself.
    #[must_use]
    pub const fn field(name: &'a str) -> Self {
        At { parent: None, step: Step::Field(name) }
    }

    /// A field of the message here.
    #[must_use]
    pub const fn then(&'a self, name: &'a str) -> Self {
        At { parent: Some(self), step: Step::Field(name) }
    }

    /// An element of the list here, from 0.
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
    /// Notes a rule that a value breaks: INVALID_ARGUMENT.
    pub fn invalid(&mut self, at: &At<'_>, message: impl fmt::Display) {
        note(&mut self.invalid, at, &message);
    }

    /// Notes a field that has to be there and is not.
    pub fn required(&mut self, at: &At<'_>) {
        self.invalid(at, "required");
    }

    /// Notes a value that the caller may not use: PERMISSION_DENIED, unless something is invalid too.
    pub fn denied(&mut self, at: &At<'_>, message: impl fmt::Display) {
        note(&mut self.denied, at, &message);
    }

    /// Whether further violations would not be listed, so that looking for them is in vain.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.invalid.len() >= MAX_VIOLATIONS
    }

    /// The answer to the request, if anything was noted.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with all that is invalid, else [`Error::PermissionDenied`] with all that is denied.
    pub fn finish(self) -> Result<(), Error> {
        match (self.invalid.is_empty(), self.denied.is_empty()) {
            (true, true) => Ok(()),
            (false, _) => Err(Error::InvalidArgument(self.invalid)),
            (true, false) => Err(Error::PermissionDenied(self.denied)),
        }
    }
}

fn note(list: &mut Vec<FieldViolation>, at: &At<'_>, message: &dyn fmt::Display) {
    if list.len() < MAX_VIOLATIONS {
        list.push(FieldViolation { field: at.to_string(), message: message.to_string() });
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
    fn nothing_noted_is_no_error() {
        assert!(Violations::default().finish().is_ok());
    }
}
