//! A waiting call with all that dialing it needs. The feeder makes it, so that the lane parses nothing.

use std::sync::Arc;

use crate::domain::commit::{CallDetails, CallRef, Checks};
use crate::domain::dial::legs::Legs;
use crate::domain::originate::OriginateSpec;
use crate::domain::status::CallStatus;
use crate::store::calls::Call;

/// A waiting call that no rule forbids, as far as was read.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The call as stored, without its spec, which is parsed below.
    pub call: Call,
    /// What Asterisk is asked to originate.
    pub spec: OriginateSpec,
    /// What the call's events say about it, as the client gave it.
    pub details: Arc<CallDetails>,
    /// The status that the call was read with.
    pub from: CallStatus,
    /// The trunk that the A leg goes through.
    pub trunk: Option<Arc<str>>,
    /// The legs of the call that count against limits.
    pub legs: Legs,
    /// The canonical form of each number that will ring.
    pub rings: Vec<String>,
    /// What the claim's commit checks again.
    pub checks: Checks,
    /// The generation of the client's policy that the call was checked against.
    pub generation: u64,
}

impl Ready {
    /// Returns the ids that name the call in a commit.
    #[must_use]
    pub fn call_ref(&self) -> CallRef {
        call_ref(&self.call)
    }
}

/// Returns what the events of a call say about it.
#[must_use]
pub fn details(call: &Call, spec: &OriginateSpec) -> Arc<CallDetails> {
    let (channel, labels) = (spec.channel.clone(), spec.labels.clone());
    Arc::new(CallDetails { contact_number: call.contact_number, channel, labels })
}

/// Returns the ids that name a call in a commit.
#[must_use]
pub fn call_ref(call: &Call) -> CallRef {
    CallRef { id: call.id.into(), client_id: call.client_id, queue_id: call.queue_id }
}
