//! Calls that are over, as far as something may still come that sets their record right. They hold no channel.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::{Now, Output, Tracked, Tracker};
use crate::domain::attempt::Signal;
use crate::domain::cdr::{Billing, Cdr};
use crate::domain::commit::{CallRef, Change, What};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::AttemptId;
use crate::domain::status::Outcome;

/// How long a call record may be behind the end of its call: Asterisk may be told to write them in batches, every five
/// minutes by default (`cdr.conf`, `batch`).
const LATE: Duration = Duration::from_secs(600);

/// How many calls are kept for that long; of more, the oldest keep the time that we took ourselves.
const MOST: usize = 10_000;

/// Answered calls that have ended, by their A leg's Uniqueid.
#[derive(Debug, Default)]
pub(super) struct Finished {
    calls: HashMap<String, Ended>,
    /// In the order of their ends.
    order: VecDeque<(Instant, AttemptId, String)>,
}

#[derive(Debug)]
struct Ended {
    attempt: AttemptId,
    call: CallRef,
    number: i32,
    billing: Billing,
    /// What is in the store.
    billable_seconds: Option<i32>,
    /// The A leg's record tells the whole call.
    billed_by_record: bool,
}

impl Finished {
    /// Remembers a call that was answered; records of any other tell nothing more.
    pub(super) fn keep(&mut self, attempt: AttemptId, tracked: &Tracked, now: Now) {
        if tracked.live.attempt.answered_at().is_none() {
            return;
        }
        let claim = &tracked.live.claim;
        let ended = Ended {
            attempt,
            call: claim.call,
            number: claim.number,
            billing: tracked.billing,
            billable_seconds: tracked.billable_seconds(now.wall),
            billed_by_record: !tracked.outlived_a_leg(now.wall),
        };
        self.order.push_back((now.instant, attempt, claim.channel_id.clone()));
        self.calls.insert(claim.channel_id.clone(), ended);
        if self.order.len() > MOST {
            self.drop_first();
        }
    }

    /// The id is another attempt's from now on.
    pub(super) fn forget(&mut self, channel_id: &str) {
        self.calls.remove(channel_id);
    }

    pub(super) fn drop_old(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(ended, ..)| *ended + LATE <= now) {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let Some((_, attempt, channel_id)) = self.order.pop_front() else { return };
        if self.calls.get(&channel_id).is_some_and(|ended| ended.attempt == attempt) {
            self.calls.remove(&channel_id);
        }
    }

    /// A record that came late: answers the change of the stored figure, where it is another.
    fn bill(&mut self, channel_id: &str, record: &Cdr, now: Now) -> Option<Change> {
        let ended = self.calls.get_mut(channel_id)?;
        ended.billing.add(record);
        let seconds = ended.billing.seconds().filter(|_| ended.billed_by_record)?;
        if ended.billable_seconds.replace(seconds) == Some(seconds) {
            return None;
        }
        Some(ended.change(now, What::Billed { seconds }))
    }

    /// Something about a call that is over.
    pub(super) fn tell(&self, attempt: AttemptId, kind: EventKind, detail: String, now: Now) -> Option<Change> {
        let ended = self.calls.values().find(|ended| ended.attempt == attempt)?;
        let what = What::Told { kind, status: Outcome::Answered.final_status(), detail: Some(detail) };
        Some(ended.change(now, what))
    }
}

impl Ended {
    fn change(&self, now: Now, what: What) -> Change {
        Change { call: self.call, attempt: self.attempt, number: self.number, at: now.wall, what }
    }
}

impl Tracker {
    /// A call record of a channel. Only A legs' tell of the call; they come behind the Hangup or ahead of it.
    pub(super) fn cdr_received(&mut self, uniqueid: &str, record: &Cdr, now: Now, out: &mut Output) {
        if let Some(id) = self.a_leg(uniqueid) {
            self.heard(id, "Cdr", now);
            if let Some(tracked) = self.live.get_mut(&id) {
                tracked.billing.add(record);
            }
            self.apply(id, Signal::CdrReceived(record.disposition), now, out);
        } else if let Some(billed) = self.finished.bill(uniqueid, record, now) {
            out.changes.push(billed);
        }
    }
}
