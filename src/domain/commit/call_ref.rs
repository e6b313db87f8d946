//! The ids that name a call in a commit.

use crate::domain::ids::CallId;

/// Names a call, with its client and its queue, so that counters and events need no further query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRef {
    /// The id of the call.
    pub id: CallId,
    /// The client that the call belongs to.
    pub client_id: i64,
    /// The queue that the call belongs to.
    pub queue_id: i64,
}
