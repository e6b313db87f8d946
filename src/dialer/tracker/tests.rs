//! What a tracker makes of Asterisk's messages, case by case.

mod billing;
mod channel_ids;
mod end_requests;
mod liveness;
mod recordings;
mod reports;

use super::*;
use crate::ami::Event;
use crate::ami::event::{Channel, UP};
use crate::domain::attempt::Resumed;
use crate::domain::cdr::{Cdr, Disposition};
use crate::domain::commit::{CallRef, CallSettings, Checks, What};
use crate::domain::event_kind::EventKind;
use crate::domain::ids;
use crate::domain::originate::Recording;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// A tracker under a clock that only tests move.
pub(super) struct Bench {
    pub tracker: Tracker,
    pub now: Now,
    pub out: Output,
}

impl Bench {
    pub(super) fn new() -> Self {
        let now = Now { wall: Millis(1_000_000), instant: Instant::now() };
        Self { tracker: Tracker::default(), now, out: Output::default() }
    }

    /// Begins an attempt of a new call, with the client's own channel id or one that is made here.
    fn begin(&mut self, own: Option<&str>) -> Claim {
        self.begin_with(own, None)
    }

    fn begin_with(&mut self, own: Option<&str>, recording: Option<&str>) -> Claim {
        let claim = claim(CallId::new(), 1, own);
        self.tracker.begin(live(begun(claim.clone(), recording, self.now)), self.now);
        claim
    }

    /// Resumes an attempt that an earlier lane began.
    fn resume(&mut self, claim: &Claim, recording: Option<&str>, known: Resumed) {
        let attempt = Attempt::resume(claim.clone(), recording.map(record_to), known, self.now);
        self.tracker.resume(live(attempt), self.now);
    }

    fn see(&mut self, event: Event) {
        self.tracker.event(event, self.now, &mut self.out);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = Now { wall: self.now.wall.plus(time), instant: self.now.instant + time };
    }

    fn pass_and_end_graces(&mut self, time: Duration) {
        self.pass(time);
        self.tracker.end_graces(self.now, &mut self.out);
    }

    fn snapshot(&mut self, channels: &[Channel]) {
        self.tracker.reconcile(channels, self.now, &mut self.out);
    }

    fn take(&mut self) -> Output {
        std::mem::take(&mut self.out)
    }

    fn answer(&mut self, claim: &Claim) {
        self.see(Event::Newchannel(channel(&claim.channel_id, 0)));
        self.see(Event::Newstate(channel(&claim.channel_id, UP)));
    }
}

pub(super) fn claim(call: CallId, number: i32, own: Option<&str>) -> Claim {
    let attempt = AttemptId::new();
    Claim {
        call: CallRef { id: call, client_id: 7, queue_id: 1 },
        from: CallStatus::Queued,
        attempt,
        number,
        channel_id: ids::channel_id(own, attempt, number),
        at: Millis(1_000_000),
        settings: CallSettings::default(),
        checks: Checks::default(),
        details: None,
    }
}

pub(super) fn begun(claim: Claim, recording: Option<&str>, now: Now) -> Attempt {
    Attempt::begin(claim, Duration::from_secs(30), recording.map(record_to), now)
}

pub(super) fn live(attempt: Attempt) -> Live {
    let (retry_rules, tally, permits) = (Vec::new(), Tally::default(), Permits::default());
    Live { attempt, max_retries: 3, retry_rules, tally, permits }
}

fn record_to(path: &str) -> Recording {
    Recording { path: path.into(), options: None, command: None }
}

pub(super) fn channel(uniqueid: &str, state: u8) -> Channel {
    Channel { name: format!("PJSIP/{uniqueid}"), uniqueid: uniqueid.into(), linkedid: uniqueid.into(), state }
}

pub(super) fn hangup(uniqueid: &str, cause: u8) -> Event {
    Event::Hangup { uniqueid: uniqueid.into(), linkedid: uniqueid.into(), cause }
}

pub(super) fn response(claim: &Claim, success: bool, reason: u8) -> Event {
    let (action_id, uniqueid) = (claim.attempt.to_string(), claim.channel_id.clone());
    Event::OriginateResponse { action_id, channel: format!("PJSIP/{uniqueid}"), uniqueid, success, reason }
}

pub(super) fn cdr(uniqueid: &str, disposition: Disposition, seconds: i32) -> Event {
    let ended = Some(5_000 + i64::from(seconds));
    let record = Cdr { disposition, billable_seconds: seconds, answered: Some(5_000), ended };
    Event::Cdr { uniqueid: uniqueid.into(), record }
}

fn report(uniqueid: &str, headers: &[(&str, &str)]) -> Event {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Event::UserEvent { uniqueid: uniqueid.into(), linkedid: uniqueid.into(), headers }
}

/// Outcome, billable seconds, and whether a retry follows.
fn end(out: &Output) -> Option<(Outcome, Option<i32>, bool)> {
    out.group.changes.iter().find_map(|change| match &change.what {
        What::Ended { outcome, billable_seconds, next_try, .. } => {
            Some((*outcome, *billable_seconds, next_try.is_some()))
        }
        _ => None,
    })
}

fn told(out: &Output) -> Vec<(EventKind, &str)> {
    let mut told = Vec::new();
    for change in &out.group.changes {
        if let What::Told { kind, detail, .. } = &change.what {
            told.push((*kind, detail.as_deref().unwrap_or_default()));
        }
    }
    told
}

fn billed(out: &Output) -> Option<i32> {
    out.group.changes.iter().find_map(|change| match change.what {
        What::Billed { seconds, .. } => Some(seconds),
        _ => None,
    })
}
