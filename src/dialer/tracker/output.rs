//! What a tracker asks its lane to do.

use std::sync::Arc;

use crate::domain::commit::{Change, Withdrawal};
use crate::domain::ids::{AttemptId, CallId};
use crate::domain::note::Note;
use crate::domain::originate::Recording;
use crate::domain::status::Outcome;

/// What follows from what was received.
#[derive(Debug, Default)]
pub struct Output {
    /// The changes of calls to commit, in order.
    pub changes: Vec<Change>,
    /// Recordings to start: the attempt, the channel's name, and what to record to.
    pub recordings: Vec<(AttemptId, String, Recording)>,
    /// What the evidence proves of attempts that ended, with the trunk that they went through.
    pub ended: Vec<(Option<Arc<str>>, Outcome)>,
    /// Channels to hang up, by their name or Uniqueid.
    pub hangups: Vec<String>,
    /// Notes to commit about calls that are not live here.
    pub notes: Vec<Note>,
    /// Claims to take back.
    pub withdrawn: Vec<Withdrawal>,
    /// Calls that ended at their clients' request, to commit after the changes.
    pub settled: Vec<CallId>,
    /// Only a channel snapshot can tell what follows.
    pub request_snapshot: bool,
}
