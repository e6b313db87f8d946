//! What every message of a request can do: check its fields.

use crate::api::{At, Violations};

/// A message that is, or is part of, a request.
pub trait Check {
    /// The full name of the message, as `trunkline.v1.QueueItem`.
    const NAME: &'static str;

    /// Notes every rule that a field of the message breaks, and every rule that is broken in a message within it.
    fn check(&self, at: &At<'_>, violations: &mut Violations);
}
