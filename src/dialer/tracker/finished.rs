//! Calls that are over, for the messages that are received after their end. They hold no channel and no permit.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::domain::attempt::Closed;
use crate::domain::cdr::Cdr;
use crate::domain::commit::Change;
use crate::domain::ids::AttemptId;
use crate::domain::time::{Millis, Now};

/// How long after the end of its call a CDR may be received. Asterisk can be configured to write CDRs in batches, every
/// five minutes by default (`cdr.conf`, `batch`).
const LATE: Duration = Duration::from_secs(600);

/// How many calls are kept for that long. Of more, the oldest keep the seconds that our own clock counted.
const MOST: usize = 10_000;

/// Answered calls that have ended, by their A leg's Uniqueid.
#[derive(Debug, Default)]
pub(super) struct Finished {
    calls: HashMap<String, Closed>,
    /// The calls in the order of their ends.
    order: VecDeque<(Instant, AttemptId, String)>,
}

impl Finished {
    /// Keeps a call that has ended now.
    pub(super) fn keep(&mut self, channel_id: &str, closed: Closed, now: Instant) {
        self.order.push_back((now, closed.attempt(), channel_id.to_owned()));
        self.calls.insert(channel_id.to_owned(), closed);
        if self.order.len() > MOST {
            self.drop_first();
        }
    }

    /// Forgets the call of a channel id, because the id belongs to another attempt from now on.
    pub(super) fn forget(&mut self, channel_id: &str) {
        self.calls.remove(channel_id);
    }

    /// Forgets the calls that no CDR is expected for any more.
    pub(super) fn drop_old(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(ended, ..)| *ended + LATE <= now) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some((_, attempt, channel_id)) = self.order.pop_front() else { return };
        if self.calls.get(&channel_id).is_some_and(|closed| closed.attempt() == attempt) {
            self.calls.remove(&channel_id);
        }
    }

    /// Takes in a CDR of an A leg. Returns the change to commit if it corrects the billed seconds of a call.
    pub(super) fn cdr_received(&mut self, channel_id: &str, cdr: &Cdr, now: Now) -> Option<Change> {
        self.calls.get_mut(channel_id)?.cdr_received(cdr, now.wall)
    }

    /// Takes in MixMonitor's answer about an attempt that is over. Returns the changes to commit.
    pub(super) fn mixmonitor_answered(
        &self,
        attempt: AttemptId,
        answer: &Result<String, String>,
        at: Millis,
    ) -> Vec<Change> {
        let closed = self.calls.values().find(|closed| closed.attempt() == attempt);
        closed.map(|closed| closed.mixmonitor_answered(answer, at)).unwrap_or_default()
    }
}
