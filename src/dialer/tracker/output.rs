//! What a tracker asks its lane to do.

use std::sync::Arc;

use crate::domain::commit::Group;
use crate::domain::ids::AttemptId;
use crate::domain::originate::Recording;
use crate::domain::status::Outcome;

/// What follows from what was received.
#[derive(Debug, Default)]
pub struct Output {
    /// What the lane is to commit.
    pub group: Group,
    /// Recordings to start: the attempt, the channel's name, and where to record to.
    pub recordings: Vec<(AttemptId, String, Recording)>,
    /// What the evidence proves about each attempt that ended, with the trunk that it went through.
    pub ended: Vec<(Option<Arc<str>>, Outcome)>,
    /// Channels to hang up, by their name or Uniqueid.
    pub hangups: Vec<String>,
    /// True if only a channel snapshot can tell what follows.
    pub request_snapshot: bool,
}
