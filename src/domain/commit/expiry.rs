//! Waiting calls whose deadline has passed.

use super::call_ref::CallRef;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;

/// A waiting call that expires because its deadline has passed.
#[derive(Clone, Copy, Debug)]
pub struct Expiry {
    /// The call that expires.
    pub call: CallRef,
    /// The call's status when it was read.
    pub from: CallStatus,
    /// When the lane found it overdue.
    pub at: Millis,
}
