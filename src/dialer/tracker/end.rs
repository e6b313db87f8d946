//! Ends of attempts: what is billed, what was known, and whether a further try follows.

use std::time::Duration;

use super::reconcile::Liveness;
use super::{Output, Tracked, change, end_requests};
use crate::domain::commit::What;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::AttemptId;
use crate::domain::retry::{EndedTry, OwnRetries, Retries};
use crate::domain::status::Outcome;
use crate::domain::time::Millis;

/// A call that goes on this much longer than its A leg was transferred, and is not billed by that leg's record.
const OUTLIVED: Duration = Duration::from_secs(2);

impl Tracked {
    /// The attempt is over: what is told of it, and what follows.
    pub(super) fn end(
        &mut self,
        id: AttemptId,
        retries: &Retries,
        outcome: Outcome,
        cause: Option<u8>,
        at: Millis,
        out: &mut Output,
    ) {
        self.stop_recording(id, at, out);
        let from = self.live.attempt.status();
        if outcome == Outcome::Unknown {
            let what = What::Told { kind: EventKind::Note, status: from, detail: Some(self.evidence()) };
            out.changes.push(change(id, &self.live, at, what));
        }
        let (outcome, next_try) = if self.end_requested.is_some() {
            out.settled.push(self.live.claim.call.id);
            (end_requests::outcome(outcome), None)
        } else {
            let own = OwnRetries { count: self.live.max_retries, rules: &self.live.retry_rules };
            let tried = EndedTry { outcome, number: self.live.claim.number, tally: self.live.tally.with(outcome), at };
            (outcome, retries.next_try(own, tried, rand::random()))
        };
        let billable_seconds = self.billable_seconds(at);
        let what = What::Ended { from, outcome, cause, billable_seconds, next_try };
        out.changes.push(change(id, &self.live, at, what));
    }

    /// By Asterisk's record where it is there already, else by ours.
    pub(super) fn billable_seconds(&self, ended: Millis) -> Option<i32> {
        let answered = self.live.attempt.answered_at()?;
        let recorded = self.billing.seconds().filter(|_| !self.outlived_a_leg(ended));
        Some(recorded.unwrap_or_else(|| i32::try_from(ended.since(answered).as_secs()).unwrap_or(i32::MAX)))
    }

    /// Its A leg was transferred away, so that leg's record tells a part of the call only.
    pub(super) fn outlived_a_leg(&self, ended: Millis) -> bool {
        self.a_leg_gone_at.is_some_and(|gone| ended.since(gone) >= OUTLIVED)
    }

    /// What is known of an attempt whose outcome is not.
    fn evidence(&self) -> String {
        let began = self.live.claim.at.to_rfc3339();
        let last = match (self.heard, self.live.attempt.ringing_at()) {
            (Some((event, at)), _) => format!("the last event of it was {event} at {}", at.to_rfc3339()),
            (None, Some(at)) => format!("it rang at {}", at.to_rfc3339()),
            (None, None) => "no event of it ever came".to_owned(),
        };
        let now = match self.liveness {
            Liveness::Abandoned => "and its server was not reached for an hour after this",
            _ => "and none of its channels lives any more",
        };
        format!("nobody can tell how this attempt ended: its Originate was due at {began}, {last}, {now}")
    }
}
