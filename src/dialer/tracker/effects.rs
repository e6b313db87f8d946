//! Passes signals on to attempts, and collects what follows.

use super::{Output, Tracker};
use crate::domain::attempt::{Attempt, Effect, Signal};
use crate::domain::commit::{Change, What, Withdrawal};
use crate::domain::ids::AttemptId;
use crate::domain::retry::{EndedTry, OwnRetries};
use crate::domain::time::{Millis, Now};

impl Tracker {
    pub(super) fn apply(&mut self, id: AttemptId, signal: Signal, now: Now, out: &mut Output) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let mut withdrawn = None;
        for effect in live.attempt.apply(signal, now) {
            match effect {
                Effect::Moved { from, to } => {
                    out.group.changes.push(change(&live.attempt, now.wall, What::Moved { from, to }));
                }
                Effect::Told { kind, status, detail } => {
                    out.group.changes.push(change(&live.attempt, now.wall, What::Told { kind, status, detail }));
                }
                Effect::ExpectMore { within } => {
                    let until = now.instant + within;
                    self.next_grace = Some(self.next_grace.map_or(until, |next| next.min(until)));
                }
                Effect::RequestSnapshot => out.request_snapshot = true,
                Effect::HangUp { channel } => out.hangups.push(channel),
                Effect::StartRecording { channel, recording } => out.recordings.push((id, channel, recording)),
                Effect::Withdraw { why, retry_after } => withdrawn = Some((why, now.wall.plus(retry_after))),
                Effect::Ended(end) => {
                    let claim = live.attempt.claim();
                    let next_try = if end.requested {
                        out.group.settled.push(claim.call.id);
                        None
                    } else {
                        let own = OwnRetries { count: live.max_retries, rules: &live.retry_rules };
                        let tally = live.tally.with(end.outcome);
                        let ended = EndedTry { outcome: end.outcome, number: claim.number, tally, at: now.wall };
                        let retries = self.rules.get(&claim.call.queue_id).cloned().unwrap_or_default();
                        retries.next_try(own, ended, rand::random())
                    };
                    out.ended.push((live.permits.trunk_name(), end.proved));
                    let what = What::Ended {
                        from: end.from,
                        outcome: end.outcome,
                        cause: end.cause,
                        billable_seconds: end.billable_seconds,
                        next_try,
                        began: claim.at,
                        details: claim.details.clone(),
                    };
                    out.group.changes.push(change(&live.attempt, now.wall, what));
                }
            }
        }
        if live.attempt.may_conflict() {
            self.maybe_conflicting.insert(id);
        } else {
            self.maybe_conflicting.remove(&id);
        }
        if !live.attempt.is_over() {
            return;
        }
        let Some(live) = self.forget(id) else { return };
        if let Some(closed) = live.attempt.closed() {
            self.finished.keep(&live.attempt.claim().channel_id, closed, now.instant);
        }
        if let Some((why, due)) = withdrawn {
            out.group.withdrawn.push(Withdrawal { claim: live.attempt.into_claim(), why, due: Some(due) });
        }
    }
}

fn change(attempt: &Attempt, at: Millis, what: What) -> Change {
    let claim = attempt.claim();
    Change { call: claim.call, attempt: claim.attempt, number: claim.number, at, what }
}
