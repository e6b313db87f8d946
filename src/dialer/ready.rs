//! A waiting call with all that dialing it needs, made by the feeder so that the lane parses nothing.

use std::sync::Arc;

use crate::domain::commit::{CallRef, Checks};
use crate::domain::originate::OriginateSpec;
use crate::domain::status::CallStatus;
use crate::store::calls::Call;

/// A call that no rule forbids, as far as was read.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The call; its plan stands beside it, parsed.
    pub call: Call,
    /// What is asked of Asterisk.
    pub spec: OriginateSpec,
    /// Where it stands.
    pub from: CallStatus,
    /// The trunk that its A leg goes through.
    pub trunk: Option<Arc<str>>,
    /// What the claim's commit holds it against.
    pub checks: Checks,
    /// Of the client's policy that it was held against.
    pub generation: u64,
}

impl Ready {
    /// Names the call where it is written about.
    #[must_use]
    pub fn call_ref(&self) -> CallRef {
        call_ref(&self.call)
    }
}

/// Names a call where it is written about.
#[must_use]
pub fn call_ref(call: &Call) -> CallRef {
    CallRef { id: call.id.into(), client_id: call.client_id, queue_id: call.queue_id }
}

/// What the claim of a call is held against, without what depends on the day.
#[must_use]
pub fn checks(call: &Call, spec: &OriginateSpec) -> Checks {
    Checks { numbers: spec.reaches(call.contact_number), destination: None }
}
