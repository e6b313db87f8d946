//! Changes of calls that have a live attempt.

use std::sync::Arc;

use super::call_details::CallDetails;
use super::call_ref::CallRef;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::AttemptId;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// Something that happened to a call whose live attempt belongs to this lane.
#[derive(Clone, Debug)]
pub struct Change {
    /// The call that changed.
    pub call: CallRef,
    /// The call's live attempt.
    pub attempt: AttemptId,
    /// The attempt's number, from 1.
    pub number: i32,
    /// When the change happened.
    pub at: Millis,
    /// What happened to the call.
    pub what: What,
}

/// What happened to a call with a live attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The call went to another live status.
    Moved { from: CallStatus, to: CallStatus },
    /// An event is added to the call's timeline, and its status stays as it is.
    Told { kind: EventKind, status: CallStatus, detail: Option<String> },
    /// The call's attempt ended.
    Ended {
        /// The live status that the call had until now.
        from: CallStatus,
        /// How the attempt ended.
        outcome: Outcome,
        /// The Q.850 cause of the hangup.
        cause: Option<u8>,
        /// Seconds since the answer; None if the call was not answered.
        billable_seconds: Option<i32>,
        /// When the next attempt is due; None if this was the last one.
        next_try: Option<Millis>,
        /// When the attempt began.
        began: Millis,
        /// What the event of the end says about the call; None if it is to be read from the store.
        details: Option<Arc<CallDetails>>,
    },
    /// A CDR that arrived after the end of an answered call counts other billed seconds than the lane did: `more` of
    /// them, which may be below 0.
    Billed { seconds: i32, more: i32 },
}

impl Change {
    /// Returns when the call is tried again, if this change ended an attempt that another one follows.
    #[must_use]
    pub fn next_try(&self) -> Option<Millis> {
        match &self.what {
            What::Ended { next_try, .. } => *next_try,
            What::Moved { .. } | What::Told { .. } | What::Billed { .. } => None,
        }
    }
}
