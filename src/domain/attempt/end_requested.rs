//! Requests to end a live call: the call is hung up once it has a channel, and again until it is gone.

use std::time::{Duration, Instant};

use crate::domain::status::Outcome;

/// How long a hangup may take before it is sent again: it may have met a channel that did not exist yet, or was lost
/// with a connection.
const HANGUP_RETRY: Duration = Duration::from_secs(2);

/// A request to end the call that is being carried out. Cancel and hang up come to the same for a live call.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndRequested {
    by: By,
    retry_at: Instant,
}

/// Why the call is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// The client asked for it.
    Client,
    /// The call has taken as long as it may.
    LongestTime,
}

impl EndRequested {
    /// The request after a hangup was sent `now`.
    pub(super) fn hung_up(by: By, now: Instant) -> Self {
        Self { by, retry_at: now + HANGUP_RETRY }
    }

    /// Returns why the call is to end.
    pub(super) fn by(self) -> By {
        self.by
    }

    /// Returns true if the hangup has to be sent again.
    pub(super) fn is_due(self, now: Instant) -> bool {
        self.retry_at <= now
    }
}

/// Returns the outcome of an attempt that its client ended, from what the evidence proves. An answered call stays
/// answered, and an unknown outcome stays unknown, because the phone may have been answered.
pub(super) fn outcome(proved: Outcome) -> Outcome {
    match proved {
        Outcome::Answered | Outcome::Unknown => proved,
        Outcome::Busy
        | Outcome::NoAnswer
        | Outcome::Congestion
        | Outcome::Unallocated
        | Outcome::Rejected
        | Outcome::Failed
        | Outcome::Expired
        | Outcome::Canceled => Outcome::Canceled,
    }
}
