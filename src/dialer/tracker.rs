//! The live attempts of a lane: which one an AMI message belongs to, and what follows from it. No IO.

mod channel_id_conflict;
mod end;
mod end_requests;
mod events;
mod finished;
#[cfg(test)]
mod model;
mod reconcile;
mod recordings;
mod reports;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::channel_id_conflict::ChannelIdConflict;
use self::end_requests::EndRequested;
use self::finished::Finished;
use self::reconcile::{LONG_LIFE, Liveness};
use self::recordings::Recorder;
use super::permits::Permits;
use crate::domain::attempt::{Attempt, Effect, Signal};
use crate::domain::cdr::Billing;
use crate::domain::commit::{Change, Claim, What, Withdrawal};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::{self, AttemptId, CallId};
use crate::domain::note::Note;
use crate::domain::originate::Recording;
use crate::domain::retry::{Retries, RetryRule, Tally};
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// What an unanswered attempt may take beyond its ring time before a look is taken for it.
const BEYOND_RINGING: Duration = Duration::from_secs(10);

/// How long the direct answer to an Originate may take before nothing more is sent: Asterisk gives it at once, so that
/// one which does not is stuck, or its machine is. Shorter than a Ping's deadline, which ends the connection.
const UNANSWERED_LIMIT: Duration = Duration::from_secs(2);

/// An attempt that holds a channel, or may.
#[derive(Debug)]
pub struct Live {
    /// Its call, number and channel id.
    pub claim: Claim,
    /// The item's own `retry`.
    pub max_retries: i32,
    /// The item's own rules.
    pub retry_rules: Vec<RetryRule>,
    /// How the attempts before this one ended.
    pub tally: Tally,
    /// Where it is to be recorded.
    pub recording: Option<Recording>,
    /// That was asked for already, by a node before this one.
    pub recording_begun: bool,
    /// How long it may ring.
    pub timeout: Duration,
    /// What is known of it.
    pub attempt: Attempt,
    /// The permits that it holds as long as it lives.
    pub permits: Permits,
}

#[derive(Debug)]
struct Tracked {
    live: Live,
    /// Every leg that was seen.
    legs: Vec<Leg>,
    /// A channel of its own was seen. Until then what is said of a client's own channel id may be another call's.
    appeared: bool,
    /// Asterisk answered its Originate, or showed in another way that it took it.
    accepted: bool,
    a_leg_gone_at: Option<Millis>,
    /// When nothing more is expected.
    grace_until: Option<Instant>,
    /// When a look is due.
    snapshot_at: Instant,
    liveness: Liveness,
    channel_id_conflict: ChannelIdConflict,
    end_requested: Option<EndRequested>,
    recorder: Recorder,
    billing: Billing,
    /// Notes that the dialplan left.
    notes: u16,
    /// The last event of it, and when it came.
    heard: Option<(&'static str, Millis)>,
}

#[derive(Debug)]
struct Leg {
    uniqueid: String,
    name: String,
    gone: bool,
}

/// This moment, for the book and for timers.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The wall clock.
    pub wall: Millis,
    /// A clock that never jumps.
    pub instant: Instant,
}

/// What follows from what was seen.
#[derive(Debug, Default)]
pub struct Output {
    /// To commit.
    pub changes: Vec<Change>,
    /// Recordings to start: the attempt, the channel's name, and where to.
    pub recordings: Vec<(AttemptId, String, Recording)>,
    /// How attempts ended, and through which trunk they went.
    pub ended: Vec<(Option<Arc<str>>, Outcome)>,
    /// Channels to hang up: a name, or a Uniqueid.
    pub hangups: Vec<String>,
    /// Notes about calls that are not live here.
    pub notes: Vec<Note>,
    /// Claims to take back.
    pub withdrawn: Vec<Withdrawal>,
    /// Calls that ended as their clients end_requested; to commit behind the changes.
    pub settled: Vec<CallId>,
    /// Only a look at the live channels can tell what follows.
    pub request_snapshot: bool,
}

/// All live attempts of one lane.
#[derive(Debug, Default)]
pub struct Tracker {
    live: HashMap<AttemptId, Tracked>,
    by_call: HashMap<CallId, AttemptId>,
    /// By every known leg's Uniqueid, and by the A leg's before it is seen.
    by_leg: HashMap<String, AttemptId>,
    channel_ids: BTreeSet<String>,
    rules: HashMap<i64, Retries>,
    /// No grace ends before this.
    next_grace: Option<Instant>,
    /// Attempts whose channel id may be another call's.
    maybe_conflicting: BTreeSet<AttemptId>,
    /// Originates in the order in which they were sent; those that were answered are taken off at the front.
    unanswered: VecDeque<(AttemptId, Instant)>,
    /// Since when nothing is seen: the connection was lost, and no look has told yet what lives.
    blind_since: Option<Now>,
    finished: Finished,
}

impl Tracker {
    /// How many channels are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// None is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Queues of the live attempts whose retry rules are not known.
    #[must_use]
    pub fn queues(&self) -> BTreeSet<i64> {
        self.live.values().map(|tracked| tracked.live.claim.call.queue_id).collect()
    }

    /// How calls of a queue are tried again, from now on.
    pub fn set_rule(&mut self, queue_id: i64, rule: Retries) {
        self.rules.insert(queue_id, rule);
    }

    /// Forgets the rules of queues that are neither live nor named here.
    pub fn keep_rules(&mut self, keep: impl Fn(i64) -> bool) {
        let live = self.queues();
        self.rules.retain(|queue_id, _| live.contains(queue_id) || keep(*queue_id));
    }

    /// A live id begins with this one, or is it: Asterisk 22 would refuse the Originate (16 compares whole ids).
    #[must_use]
    pub fn blocks(&self, channel_id: &str) -> bool {
        let from = channel_id.to_owned()..;
        self.channel_ids.range(from).next().is_some_and(|live| live.starts_with(channel_id))
    }

    /// An Originate has been without an answer for too long: Asterisk is stuck, and nothing more should be sent.
    pub fn is_unresponsive(&mut self, now: Instant) -> bool {
        while let Some((id, sent)) = self.unanswered.front() {
            if self.live.get(id).is_some_and(|tracked| !tracked.accepted) {
                return *sent + UNANSWERED_LIMIT <= now;
            }
            self.unanswered.pop_front();
        }
        false
    }

    /// Follows an attempt whose Originate is about to leave.
    pub fn begin(&mut self, id: AttemptId, live: Live, now: Now) {
        let snapshot_at = now.instant + live.timeout + BEYOND_RINGING;
        self.unanswered.push_back((id, now.instant));
        self.insert(id, live, snapshot_at, Liveness::None);
    }

    /// Follows an attempt that a node before this one left.
    pub fn resume(&mut self, id: AttemptId, live: Live, now: Now) {
        self.blind_since.get_or_insert(now);
        self.insert(id, live, now.instant, Liveness::Look { lost: true });
    }

    fn insert(&mut self, id: AttemptId, live: Live, snapshot_at: Instant, liveness: Liveness) {
        self.by_leg.insert(live.claim.channel_id.clone(), id);
        self.channel_ids.insert(live.claim.channel_id.clone());
        self.by_call.insert(live.claim.call.id, id);
        self.finished.forget(&live.claim.channel_id);
        let recorder = if live.recording_begun { Recorder::Running } else { Recorder::Idle };
        let tracked = Tracked {
            live,
            legs: Vec::new(),
            appeared: false,
            accepted: false,
            a_leg_gone_at: None,
            grace_until: None,
            snapshot_at,
            liveness,
            channel_id_conflict: ChannelIdConflict::No,
            end_requested: None,
            recorder,
            billing: Billing::default(),
            notes: 0,
            heard: None,
        };
        self.live.insert(id, tracked);
    }

    /// Takes back an attempt whose Originate certainly never left, and answers the claim to undo.
    pub fn withdraw(&mut self, id: AttemptId) -> Option<Claim> {
        self.forget(id).map(|tracked| tracked.live.claim)
    }

    /// The connection is gone: what happens from here on is not seen.
    pub fn connection_lost(&mut self, now: Now) {
        self.blind_since.get_or_insert(now);
        self.unanswered.clear();
        for tracked in self.live.values_mut() {
            tracked.liveness = Liveness::Look { lost: true };
        }
    }

    /// When to call [`Tracker::end_graces`] next.
    #[must_use]
    pub fn next_grace(&self) -> Option<Instant> {
        self.next_grace
    }

    /// Ends the attempts of which nothing more came in time.
    pub fn end_graces(&mut self, now: Now, out: &mut Output) {
        let graces = self.live.iter().filter_map(|(id, tracked)| Some((*id, tracked.grace_until?)));
        let (over, left): (Vec<_>, Vec<_>) = graces.partition(|(_, until)| *until <= now.instant);
        self.next_grace = left.into_iter().map(|(_, until)| until).min();
        for (id, _) in over {
            if let Some(tracked) = self.live.get_mut(&id) {
                tracked.grace_until = None;
            }
            if self.maybe_conflicting.contains(&id) {
                self.request_snapshot(id, out);
            } else {
                self.apply(id, Signal::GraceOver, now, out);
            }
        }
    }

    /// A leg is known by this name from now on: what it is recorded and hung up by.
    fn name_leg(&mut self, id: AttemptId, uniqueid: &str, name: String) {
        let Some(tracked) = self.live.get_mut(&id) else { return };
        match tracked.legs.iter_mut().find(|leg| leg.uniqueid == uniqueid) {
            Some(leg) => leg.name = name,
            None => tracked.legs.push(Leg { uniqueid: uniqueid.to_owned(), name, gone: false }),
        }
    }

    fn heard(&mut self, id: AttemptId, event: &'static str, now: Now) {
        if let Some(tracked) = self.live.get_mut(&id) {
            tracked.heard = Some((event, now.wall));
        }
    }

    /// The attempt that a channel is a leg of.
    fn of_leg(&self, uniqueid: &str, linkedid: &str) -> Option<AttemptId> {
        let id = self.by_leg.get(uniqueid).or_else(|| self.by_leg.get(linkedid)).copied()?;
        self.live.get(&id).filter(|tracked| tracked.is_told_of(id)).map(|_| id)
    }

    /// The same of a channel that was made just now.
    fn of_new_leg(&self, uniqueid: &str, linkedid: &str) -> Option<AttemptId> {
        let id = self.by_leg.get(uniqueid).or_else(|| self.by_leg.get(linkedid)).copied()?;
        let own = |tracked: &&Tracked| tracked.live.claim.channel_id == uniqueid || tracked.is_told_of(id);
        self.live.get(&id).filter(own).map(|_| id)
    }

    /// The attempt whose A leg a channel is.
    fn a_leg(&self, uniqueid: &str) -> Option<AttemptId> {
        let id = *self.by_leg.get(uniqueid)?;
        let first = |tracked: &&Tracked| tracked.live.claim.channel_id == uniqueid && tracked.is_told_of(id);
        self.live.get(&id).filter(first).map(|_| id)
    }

    fn tell(&self, id: AttemptId, kind: EventKind, detail: Option<String>, now: Now, out: &mut Output) {
        if let Some(tracked) = self.live.get(&id) {
            let status = tracked.live.attempt.status();
            out.changes.push(change(id, &tracked.live, now.wall, What::Told { kind, status, detail }));
        }
    }

    fn apply(&mut self, id: AttemptId, signal: Signal, now: Now, out: &mut Output) {
        let Some(tracked) = self.live.get_mut(&id) else { return };
        let from = tracked.live.attempt.status();
        // Whatever Asterisk says of it takes it out of doubt, but for a call record: that comes behind the end, too.
        if !matches!(signal, Signal::Missing | Signal::GraceOver) {
            tracked.accepted = true;
            if !matches!(signal, Signal::CdrReceived(_)) {
                tracked.liveness = Liveness::None;
            }
        }
        for effect in tracked.live.attempt.apply(signal, now.wall) {
            match effect {
                Effect::Ringing => {
                    let what = What::Moved { from, to: CallStatus::Ringing };
                    out.changes.push(change(id, &tracked.live, now.wall, what));
                }
                Effect::Answered => {
                    tracked.snapshot_at = now.instant + LONG_LIFE;
                    let what = What::Moved { from, to: CallStatus::Answered };
                    out.changes.push(change(id, &tracked.live, now.wall, what));
                }
                Effect::Bridged => {
                    let status = tracked.live.attempt.status();
                    let what = What::Told { kind: EventKind::Bridged, status, detail: None };
                    out.changes.push(change(id, &tracked.live, now.wall, what));
                }
                Effect::ExpectMore { within } => {
                    let until = now.instant + within;
                    tracked.grace_until = Some(until);
                    self.next_grace = Some(self.next_grace.map_or(until, |next| next.min(until)));
                }
                Effect::Ended { outcome, cause } => {
                    let retries = self.rules.get(&tracked.live.claim.call.queue_id).cloned().unwrap_or_default();
                    out.ended.push((tracked.live.permits.trunk_name(), outcome));
                    tracked.end(id, &retries, outcome, cause, now.wall, out);
                }
            }
        }
        if tracked.live.attempt.has_ended() {
            self.finish(id, now);
        } else {
            tracked.start_recording(id, out);
        }
    }

    fn finish(&mut self, id: AttemptId, now: Now) {
        if let Some(tracked) = self.forget(id) {
            self.finished.keep(id, &tracked, now);
        }
    }

    fn forget(&mut self, id: AttemptId) -> Option<Tracked> {
        let tracked = self.live.remove(&id)?;
        let claim = &tracked.live.claim;
        self.channel_ids.remove(&claim.channel_id);
        self.by_call.remove(&claim.call.id);
        self.maybe_conflicting.remove(&id);
        self.by_leg.remove(&claim.channel_id);
        for leg in &tracked.legs {
            self.by_leg.remove(&leg.uniqueid);
        }
        Some(tracked)
    }
}

impl Tracked {
    /// What is said of its channel id is said of it: the id was made here, or its channel was seen to appear.
    fn is_told_of(&self, id: AttemptId) -> bool {
        self.appeared || self.has_made_id(id)
    }

    /// Its channel id was made here, and so is nobody else's.
    fn has_made_id(&self, id: AttemptId) -> bool {
        self.live.claim.channel_id == ids::channel_id(None, id, 1)
    }

    fn a_leg(&self) -> Option<&Leg> {
        self.legs.iter().find(|leg| leg.uniqueid == self.live.claim.channel_id)
    }
}

fn change(attempt: AttemptId, live: &Live, at: Millis, what: What) -> Change {
    Change { call: live.claim.call, attempt, number: live.claim.number, at, what }
}
