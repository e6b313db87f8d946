//! The live attempts of a lane: which attempt an AMI message belongs to, and what follows from it. No IO.

mod effects;
mod events;
mod finished;
#[cfg(test)]
mod model;
mod output;
mod reconcile;
mod reports;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use self::finished::Finished;
pub use self::output::Output;
use super::permits::Permits;
use crate::domain::attempt::{Attempt, Signal};
use crate::domain::commit::Claim;
use crate::domain::ids::{AttemptId, CallId};
use crate::domain::longest_call::LongestCalls;
use crate::domain::retry::{Retries, RetryRule, Tally};
use crate::domain::time::Now;

/// How long the direct answer to an Originate may take before nothing more is sent. Asterisk gives it at once; if it does
/// not, it is stuck, or its machine is. Shorter than a Ping's deadline, which ends the connection.
const UNANSWERED_LIMIT: Duration = Duration::from_secs(2);

/// An attempt that holds a channel, or may hold one.
#[derive(Debug)]
pub struct Live {
    /// The state machine of the attempt.
    pub attempt: Attempt,
    /// The item's own `retry`.
    pub max_retries: i32,
    /// The item's own retry rules.
    pub retry_rules: Vec<RetryRule>,
    /// How the call's earlier attempts ended.
    pub tally: Tally,
    /// The permits that the attempt holds as long as it lives.
    pub permits: Permits,
}

/// All live attempts of one lane.
#[derive(Debug, Default)]
pub struct Tracker {
    live: HashMap<AttemptId, Live>,
    by_call: HashMap<CallId, AttemptId>,
    /// Attempts by the Uniqueid of every leg that was seen, and of the A leg before it is seen.
    by_leg: HashMap<String, AttemptId>,
    channel_ids: BTreeMap<String, i64>,
    rules: HashMap<i64, Retries>,
    /// How long calls may take.
    longest: LongestCalls,
    /// No attempt's grace ends before this time.
    next_grace: Option<Instant>,
    /// Attempts whose channel id may be another call's.
    maybe_conflicting: BTreeSet<AttemptId>,
    /// Originates in the order in which they were sent. Those that were answered are taken off at the front.
    unanswered: VecDeque<(AttemptId, Instant)>,
    /// Since when nothing is seen, because the connection was lost and no channel snapshot has been received since.
    blind_since: Option<Now>,
    finished: Finished,
}

impl Tracker {
    /// The number of live attempts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Returns true if no attempt is live.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// The queues of the live attempts.
    #[must_use]
    pub fn queues(&self) -> BTreeSet<i64> {
        self.live.values().map(|live| live.attempt.claim().call.queue_id).collect()
    }

    /// Sets how calls of a queue are tried again from now on.
    pub fn set_rule(&mut self, queue_id: i64, rule: Retries) {
        self.rules.insert(queue_id, rule);
    }

    /// Forgets the rules of queues that have no live attempt and that `keep` does not name.
    pub fn keep_rules(&mut self, keep: impl Fn(i64) -> bool) {
        let live = self.queues();
        let keep = |queue_id: i64| live.contains(&queue_id) || keep(queue_id);
        self.rules.retain(|queue_id, _| keep(*queue_id));
        self.longest.keep_queues(keep);
    }

    /// Returns how long calls may take, to be changed. What is changed holds for live calls, too.
    pub fn longest(&mut self) -> &mut LongestCalls {
        &mut self.longest
    }

    /// Returns the clients whose calls have a live channel id that is this one or begins with it. Asterisk 22 would refuse
    /// the Originate; Asterisk 16 compares whole ids.
    pub fn holders(&self, channel_id: &str) -> impl Iterator<Item = i64> {
        let from = channel_id.to_owned()..;
        let begins = move |(live, _): &(&String, &i64)| live.starts_with(channel_id);
        self.channel_ids.range(from).take_while(begins).map(|(_, client_id)| *client_id)
    }

    /// Returns true if an Originate was not answered for too long, so that nothing more should be sent to Asterisk.
    pub fn is_unresponsive(&mut self, now: Instant) -> bool {
        while let Some((id, sent)) = self.unanswered.front() {
            if self.live.get(id).is_some_and(|live| !live.attempt.is_accepted()) {
                return *sent + UNANSWERED_LIMIT <= now;
            }
            self.unanswered.pop_front();
        }
        false
    }

    /// Follows an attempt whose Originate is sent now.
    pub fn begin(&mut self, live: Live, now: Now) {
        self.unanswered.push_back((live.attempt.claim().attempt, now.instant));
        self.insert(live);
    }

    /// Follows an attempt that an earlier lane began.
    pub fn resume(&mut self, live: Live, now: Now) {
        self.blind_since.get_or_insert(now);
        self.insert(live);
    }

    fn insert(&mut self, live: Live) {
        let Claim { attempt: id, channel_id, call, .. } = live.attempt.claim();
        self.by_leg.insert(channel_id.clone(), *id);
        self.channel_ids.insert(channel_id.clone(), call.client_id);
        self.by_call.insert(call.id, *id);
        self.finished.forget(channel_id);
        self.live.insert(*id, live);
    }

    /// Takes back an attempt whose Originate certainly was not sent. Returns the claim to withdraw.
    pub fn withdraw(&mut self, id: AttemptId) -> Option<Claim> {
        self.forget(id).map(|live| live.attempt.into_claim())
    }

    /// When to call [`Tracker::end_graces`] next.
    #[must_use]
    pub fn next_grace(&self) -> Option<Instant> {
        self.next_grace
    }

    /// Takes in that time has passed: ends the attempts of which nothing more was received in time.
    pub fn end_graces(&mut self, now: Now, out: &mut Output) {
        let graces = self.live.iter().filter_map(|(id, live)| Some((*id, live.attempt.grace_until()?)));
        let (over, left): (Vec<_>, Vec<_>) = graces.partition(|(_, until)| *until <= now.instant);
        self.next_grace = left.into_iter().map(|(_, until)| until).min();
        for (id, _) in over {
            self.apply(id, Signal::GraceOver, now, out);
        }
    }

    /// The attempt that a channel is a leg of.
    fn of_leg(&self, uniqueid: &str, linkedid: &str) -> Option<AttemptId> {
        let id = self.by_leg.get(uniqueid).or_else(|| self.by_leg.get(linkedid)).copied()?;
        self.live.get(&id).filter(|live| live.attempt.owns_channel_id()).map(|_| id)
    }

    /// The attempt that a channel is a leg of, if the channel was created just now.
    fn of_new_leg(&self, uniqueid: &str, linkedid: &str) -> Option<AttemptId> {
        let id = self.by_leg.get(uniqueid).or_else(|| self.by_leg.get(linkedid)).copied()?;
        let attempt = &self.live.get(&id)?.attempt;
        (attempt.claim().channel_id == uniqueid || attempt.owns_channel_id()).then_some(id)
    }

    /// The attempt whose A leg a channel is.
    fn of_a_leg(&self, uniqueid: &str) -> Option<AttemptId> {
        let id = *self.by_leg.get(uniqueid)?;
        let attempt = &self.live.get(&id)?.attempt;
        (attempt.claim().channel_id == uniqueid && attempt.owns_channel_id()).then_some(id)
    }

    /// The live attempts that are `wanted`, in the order of their ids.
    fn sorted(&self, wanted: impl Fn(&Attempt) -> bool) -> Vec<AttemptId> {
        let found = self.live.iter().filter(|(_, live)| wanted(&live.attempt));
        let mut ids: Vec<AttemptId> = found.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    fn forget(&mut self, id: AttemptId) -> Option<Live> {
        let live = self.live.remove(&id)?;
        let claim = live.attempt.claim();
        self.channel_ids.remove(&claim.channel_id);
        self.by_call.remove(&claim.call.id);
        self.maybe_conflicting.remove(&id);
        self.by_leg.remove(&claim.channel_id);
        for uniqueid in live.attempt.leg_ids() {
            self.by_leg.remove(uniqueid);
        }
        Some(live)
    }
}
