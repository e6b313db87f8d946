//! Calls that their clients want to end: hung up as soon as there is a channel, and again until it is gone.

use std::time::{Duration, Instant};

use super::{Now, Output, Tracked, Tracker};
use crate::domain::ids::{AttemptId, CallId};
use crate::domain::status::Outcome;

/// How long a hangup may take before it is asked for again.
const HANGUP_RETRY: Duration = Duration::from_secs(2);

/// The client wants the call to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct EndRequested {
    again_at: Instant,
}

/// What an attempt comes to that its client ended. An answer stays one, and doubt stays doubt: nobody can tell whether
/// the phone had been answered.
pub(super) fn outcome(of_attempt: Outcome) -> Outcome {
    match of_attempt {
        Outcome::Answered | Outcome::Unknown => of_attempt,
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

impl Tracker {
    /// The client wants a call to end. Both of its wishes come to the same here: what was answered ends answered, what
    /// was not ends canceled. False where the call does not live here.
    pub fn request_end(&mut self, call: CallId, now: Now, out: &mut Output) -> bool {
        let Some(id) = self.by_call.get(&call).copied() else { return false };
        // A wish is read again and again until it is carried out.
        if self.live.get(&id).is_some_and(|tracked| tracked.end_requested.is_none()) {
            self.hang_up(id, now, out);
        }
        true
    }

    /// A channel of a call has shown up that is to end.
    pub(super) fn hang_up_if_requested(&mut self, id: AttemptId, now: Now, out: &mut Output) {
        if self.live.get(&id).is_some_and(|tracked| tracked.end_requested.is_some()) {
            self.hang_up(id, now, out);
        }
    }

    /// A hangup may have met a channel that was not there yet, or was lost with a connection.
    pub(super) fn hang_up_again(&mut self, now: Now, out: &mut Output) {
        let due = |tracked: &Tracked| {
            tracked.end_requested.is_some_and(|end_requested| end_requested.again_at <= now.instant)
        };
        let due: Vec<AttemptId> = self.live.iter().filter(|(_, tracked)| due(tracked)).map(|(id, _)| *id).collect();
        for id in due {
            self.hang_up(id, now, out);
        }
    }

    fn hang_up(&mut self, id: AttemptId, now: Now, out: &mut Output) {
        let Some(tracked) = self.live.get_mut(&id) else { return };
        tracked.end_requested = Some(EndRequested { again_at: now.instant + HANGUP_RETRY });
        out.hangups.extend(tracked.to_hang_up(id));
    }
}

impl Tracked {
    /// The A leg ends the whole call. Where it is gone, as after a transfer, every other leg is hung up. A call of
    /// which no leg was seen is hung up by its id, unless that is the client's: Asterisk 22 takes the beginning of a
    /// live channel's id for the whole of it, so that such a hangup could hit another call.
    fn to_hang_up(&self, id: AttemptId) -> Vec<String> {
        let living = || self.legs.iter().filter(|leg| !leg.gone);
        let first = living().find(|leg| leg.uniqueid == self.live.claim.channel_id);
        if let Some(first) = first {
            return vec![first.name.clone()];
        }
        if living().next().is_none() && self.has_made_id(id) {
            return vec![self.live.claim.channel_id.clone()];
        }
        living().map(|leg| leg.name.clone()).collect()
    }
}
