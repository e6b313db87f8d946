//! A broken rule of a request, and where it is broken.

/// A rule that a field of a request breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldViolation {
    /// The field's path in REST's names, for example `data[0].action.Channel`; empty for the request as a whole.
    pub field: String,
    /// What is wrong, for example `required`.
    pub message: String,
}
