//! What follows from a signal.

use std::time::Duration;

use crate::domain::cause::Cause;
use crate::domain::event_kind::EventKind;
use crate::domain::originate::Recording;
use crate::domain::status::{CallStatus, Outcome};

/// Something that has to be done after a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Commit that the call went to another live status.
    Moved { from: CallStatus, to: CallStatus },
    /// Commit an event of a call that has this status and keeps it.
    Told { kind: EventKind, status: CallStatus, detail: Option<String> },
    /// Signal [`Signal::GraceOver`](super::Signal::GraceOver) after this time.
    ExpectMore { within: Duration },
    /// Request a channel snapshot: nothing else tells whether another call has the channel id.
    RequestSnapshot,
    /// Hang up the channel of this name or Uniqueid.
    HangUp { channel: String },
    /// Start this recording on the channel of this name.
    StartRecording { channel: String, recording: Recording },
    /// Take back the attempt's claim for this reason, and try the call again after this time. The attempt is over.
    Withdraw { why: &'static str, retry_after: Duration },
    /// Commit the end of the attempt. The attempt is over.
    Ended(End),
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The live status that the call had until now.
    pub from: CallStatus,
    /// What the evidence proves. The congestion control of the trunk counts this outcome.
    pub proved: Outcome,
    /// The outcome of the attempt: what is proved, or canceled if the client ended the call before the answer.
    pub outcome: Outcome,
    /// The Q.850 cause that says most about the end.
    pub cause: Option<Cause>,
    /// Seconds since the answer; None if the call was not answered.
    pub billable_seconds: Option<i32>,
    /// The client ended the call, so that no other attempt follows.
    pub requested: bool,
}
