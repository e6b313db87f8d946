//! How a lane gets calls and begins them: it asks the feeder, claims what may go, and sends what the store granted.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::{Running, UNSENT, now};
use crate::ami::{Action, HeaderValue};
use crate::dialer::claim::{UnconfirmedClaim, claim, is_free, shares_id};
use crate::dialer::dispatch::Picked;
use crate::dialer::feed::{Ask, Feed};
use crate::dialer::ready::call_ref;
use crate::dialer::tracker::Live;
use crate::domain::attempt::Attempt;
use crate::domain::commit::{Claim, Expiry, Group, Refusal};
use crate::domain::ids::CallId;
use crate::domain::recording_file::of_attempt;
use crate::domain::retry::Tally;
use crate::domain::status::Outcome;
use crate::domain::time::Millis;
use crate::store::calls::Call;

impl Running {
    /// Asks the feeder for more calls, if there may be some and it is not reading already.
    pub(super) fn feed(&mut self) {
        if self.feeding || !self.needs_feed {
            return;
        }
        let (mut buffered, mut known) = (self.dispatch.lengths(), self.dispatch.buffered());
        let head_of_line_blocks = self.dispatch.head_of_line_blocks();
        for unconfirmed in self.unconfirmed.values() {
            buffered.entry(unconfirmed.claim.call.queue_id).or_default().all += 1;
        }
        known.extend(self.unconfirmed.keys());
        let rules_of = self.tracker.queues().into_iter().collect();
        let anew = std::mem::take(&mut self.out_of_date);
        self.needs_feed = false;
        self.feeding = self.asks.send(Ask { buffered, head_of_line_blocks, known, rules_of, anew }).is_ok();
    }

    /// Takes in what the feeder read: calls to buffer, calls that end, and requests of clients.
    pub(super) fn take_feed(&mut self, feed: Option<Feed>) {
        self.feeding = false;
        let Some(mut feed) = feed else {
            // The store cannot be reached; the next tick asks again.
            return;
        };
        let runnable: HashSet<i64> = feed.runnable.iter().map(|runnable| runnable.queue.id).collect();
        for queue in feed.runnable.iter().map(|runnable| &runnable.queue).chain(&feed.others) {
            self.learn_rules(queue);
        }
        let (installation, longest) = (self.lane.max_call_seconds, self.tracker.longest());
        longest.set_everywhere(installation, feed.server.as_ref().and_then(|server| server.max_call_seconds));
        for (client, seconds) in &feed.longest_calls {
            longest.set_client(*client, *seconds);
        }
        // The last calls of a queue may be granted already and not followed yet.
        let claimed: HashSet<i64> =
            self.unconfirmed.values().map(|unconfirmed| unconfirmed.claim.call.queue_id).collect();
        self.tracker.keep_rules(|queue_id| runnable.contains(&queue_id) || claimed.contains(&queue_id));
        let unconfirmed = &self.unconfirmed;
        self.dispatch.take_feed(&mut feed, |id| unconfirmed.contains_key(&id), Instant::now().into_std());
        // Calls that may not be dialed make room for those after them.
        let makes_room = !(feed.refusals.is_empty() && feed.deferrals.is_empty() && feed.holds.is_empty());
        self.needs_feed |= feed.more || (makes_room && self.dispatch.runs_low());
        let Feed { refusals, deferrals, holds, overdue, commands, .. } = feed;
        self.expire(overdue);
        self.commit(Group { refusals, deferrals, holds, ..Group::default() });
        self.take_commands(commands);
    }

    /// Asks the journal to expire calls whose deadline has passed.
    fn expire(&mut self, calls: Vec<Call>) {
        let at = Millis::now();
        let mut expiries = Vec::new();
        for call in calls {
            let id = CallId::from(call.id);
            if self.unconfirmed.contains_key(&id) || !self.expiring.insert(id) {
                continue;
            }
            if let Ok(from) = call.status() {
                expiries.push(Expiry { call: call_ref(&call), from, at });
            }
        }
        self.commit(Group { expiries, ..Group::default() });
    }

    /// Claims as many calls as all limits let go out now. They are originated when the store has granted the claims: see
    /// [`Running::take_committed`].
    pub(super) fn dial(&mut self) {
        let (instant, at) = (Instant::now().into_std(), Millis::now());
        if !self.may_dial() || self.dispatch.rests() {
            return;
        }
        if self.tracker.is_unresponsive(instant) {
            // Until an answer arrives, or the next tick.
            self.dispatch.rest();
            return;
        }
        let (mut claims, mut overdue, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
        self.dispatch.begin_round();
        loop {
            let (tracker, unconfirmed) = (&self.tracker, &self.unconfirmed);
            match self.dispatch.next(at, instant, |ready| is_free(tracker, unconfirmed, ready)) {
                None => break,
                Some(Picked::Overdue(ready)) => overdue.push(ready.call),
                Some(Picked::Begins(ready, permits)) => {
                    let (call, from) = (ready.call_ref(), ready.from);
                    let shares_id = shares_id(tracker, unconfirmed, &ready);
                    match claim(*ready, *permits, shares_id, at, instant) {
                        Ok(unconfirmed) => {
                            claims.push(unconfirmed.claim.clone());
                            self.unconfirmed.insert(call.id, unconfirmed);
                        }
                        Err(error) => {
                            let why = format!("no Originate can be made of this call: {error}");
                            refusals.push(Refusal { call, from, at, outcome: Outcome::Rejected, why });
                        }
                    }
                }
            }
        }
        self.expire(overdue);
        self.needs_feed |= self.dispatch.runs_low();
        self.commit(Group { claims, refusals, ..Group::default() });
    }

    /// Sends the Originates of the claims that the store granted.
    pub(super) fn take_committed(&mut self, claims: Vec<Claim>, granted: &HashSet<CallId>, expired: Vec<Expiry>) {
        let (now, mut unsent, mut stale) = (now(), Vec::new(), Vec::new());
        for expiry in expired {
            self.expiring.remove(&expiry.call.id);
        }
        for claim in claims {
            let Some(unconfirmed) = self.unconfirmed.remove(&claim.call.id) else { continue };
            if !granted.contains(&claim.call.id) {
                // A rule or the call has changed since: what was read is out of date.
                (self.needs_feed, self.out_of_date) = (true, true);
                continue;
            }
            if !self.owns_surely() || unconfirmed.is_stale(now.wall, now.instant) {
                self.out_of_date = true;
                stale.push(claim);
            } else if !self.may_dial() || !self.originate(unconfirmed) {
                unsent.push(claim);
            }
        }
        self.withdraw(stale, "the commit of the claim took so long that its rules must be checked again");
        self.withdraw(unsent, UNSENT);
        self.dispatch.wake();
    }

    /// Sends a claimed call's Originate, and follows the attempt from here on. Returns false if it cannot be sent.
    fn originate(&mut self, unconfirmed: UnconfirmedClaim) -> bool {
        let UnconfirmedClaim { claim, ready, originate, mut permits, .. } = unconfirmed;
        let spec = ready.spec;
        let Ok(action_id) = HeaderValue::try_from(claim.attempt.to_string()) else { return false };
        if self.link.post(action_id, Action::Originate(Box::new(originate))).is_err() {
            return false;
        }
        permits.sent();
        let now = now();
        let timeout = Duration::from_millis(spec.timeout_ms.into());
        let recording = of_attempt(spec.recording, claim.call.id, claim.number, Tally(ready.call.tally));
        let live = Live {
            attempt: Attempt::begin(claim, timeout, recording, now),
            max_retries: ready.call.max_retries,
            retry_rules: spec.retry_rules,
            tally: Tally(ready.call.tally),
            permits,
        };
        self.tracker.begin(live, now);
        true
    }
}
