//! Waiting calls that may not be dialed any more.

use super::call_ref::CallRef;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// A waiting call that ends without an attempt, because a rule that was made after its insert forbids it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The call that is refused.
    pub call: CallRef,
    /// The call's status when it was read.
    pub from: CallStatus,
    /// When the lane found that it is forbidden.
    pub at: Millis,
    /// How the call ends: canceled or rejected.
    pub outcome: Outcome,
    /// Which rule forbids it, as a text for people.
    pub why: String,
}
