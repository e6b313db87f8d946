//! The live attempts of a lane: which one an AMI message belongs to, and what follows from it. No IO.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::ami::Event;
use crate::ami::event::{Channel, RINGING, UP};
use crate::domain::attempt::{Attempt, Effect, Signal};
use crate::domain::ids::AttemptId;
use crate::domain::originate::Recording;
use crate::domain::outcome::OriginateResult;
use crate::domain::retry::RetryRule;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;
use crate::store::events::EventKind;
use crate::store::journal::{Change, Claim, What};

/// What an unanswered attempt may take beyond its ring time before a look is taken for it.
const BEYOND_RINGING: Duration = Duration::from_secs(10);

/// How often a look is taken for a call that is answered, or longer alive than it should be.
const LONG_LIFE: Duration = Duration::from_secs(600);

/// An attempt that holds a channel, or may.
#[derive(Debug)]
pub struct Live {
    /// Its call, number and channel id.
    pub claim: Claim,
    /// The item's own `retry`.
    pub max_retries: i32,
    /// Where it is to be recorded.
    pub recording: Option<Recording>,
    /// How long it may ring.
    pub timeout: Duration,
    /// What is known of it.
    pub attempt: Attempt,
}

#[derive(Debug)]
struct Tracked {
    live: Live,
    /// The first leg's name, once it was seen: what a recording is asked for by.
    channel_name: Option<String>,
    /// When nothing more is expected.
    grace_until: Option<Instant>,
    /// When a look is due.
    look_at: Instant,
    doubt: Doubt,
}

/// Whether an attempt still lives is in doubt: the connection was lost, or it takes too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// The next look tells. `lost` where the connection was lost, so that being found is worth telling.
    Look {
        lost: bool,
    },
    /// One look did not find it. An Originate that was sent just before may not have made its channel then.
    MissedOnce {
        lost: bool,
    },
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
}

/// All live attempts of one lane.
#[derive(Debug, Default)]
pub struct Tracker {
    live: HashMap<AttemptId, Tracked>,
    /// By every known leg's Uniqueid, and by the first leg's before it is seen.
    by_leg: HashMap<String, AttemptId>,
    channel_ids: BTreeSet<String>,
    rules: HashMap<i64, RetryRule>,
    /// No grace ends before this.
    next_grace: Option<Instant>,
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
    pub fn set_rule(&mut self, queue_id: i64, rule: RetryRule) {
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

    /// Follows an attempt whose Originate is about to leave.
    pub fn begin(&mut self, id: AttemptId, live: Live, now: Now) {
        let look_at = now.instant + live.timeout + BEYOND_RINGING;
        self.insert(id, live, look_at, Doubt::None);
    }

    /// Follows an attempt that a node before this one left.
    pub fn resume(&mut self, id: AttemptId, live: Live, now: Now) {
        self.insert(id, live, now.instant, Doubt::Look { lost: true });
    }

    fn insert(&mut self, id: AttemptId, live: Live, look_at: Instant, doubt: Doubt) {
        self.by_leg.insert(live.claim.channel_id.clone(), id);
        self.channel_ids.insert(live.claim.channel_id.clone());
        self.live.insert(id, Tracked { live, channel_name: None, grace_until: None, look_at, doubt });
    }

    /// Takes back an attempt whose Originate certainly never left, and answers the claim to undo.
    pub fn withdraw(&mut self, id: AttemptId) -> Option<Claim> {
        self.forget(id).map(|live| live.claim)
    }

    /// The connection is gone: what happens from here on is not seen.
    pub fn connection_lost(&mut self) {
        for tracked in self.live.values_mut() {
            tracked.doubt = Doubt::Look { lost: true };
        }
    }

    /// Asterisk answered an Originate.
    pub fn response(&mut self, id: AttemptId, success: bool, text: &str, now: Now, out: &mut Output) {
        if success {
            return;
        }
        self.tell(id, EventKind::Note, Some(format!("Asterisk refused the Originate: {text}")), now, out);
        self.apply(id, Signal::Refused, now, out);
    }

    /// Something happened on the server, to a call of this lane or not.
    pub fn event(&mut self, event: Event, now: Now, out: &mut Output) {
        match event {
            Event::Newchannel(channel) => self.new_leg(channel, now, out),
            Event::Newstate(channel) => self.new_state(&channel, now, out),
            Event::DialState { dest_uniqueid, ringing } => {
                if let Some(id) = self.first_leg(&dest_uniqueid)
                    && ringing
                {
                    self.apply(id, Signal::Ringing, now, out);
                }
            }
            Event::DialEnd { dest_uniqueid, status } => {
                if let Some(id) = self.first_leg(&dest_uniqueid) {
                    self.apply(id, Signal::DialEnded(status), now, out);
                }
            }
            Event::OriginateResponse { action_id, uniqueid, channel, success, reason } => {
                // By ActionID first: a failed one may carry no usable Uniqueid.
                let by_action = action_id.parse().ok().filter(|id| self.live.contains_key(id));
                if let Some(id) = by_action.or_else(|| self.first_leg(&uniqueid)) {
                    if success {
                        self.name_channel(id, channel);
                    }
                    self.apply(id, Signal::Originated(OriginateResult { success, reason }), now, out);
                }
            }
            Event::BridgeEnter { uniqueid, linkedid, channels } => {
                if let Some(id) = self.of_leg(&uniqueid, &linkedid)
                    && channels >= 2
                {
                    self.apply(id, Signal::Bridged, now, out);
                }
            }
            Event::Hangup { uniqueid, linkedid, cause } => {
                if let Some(id) = self.of_leg(&uniqueid, &linkedid) {
                    self.apply(id, Signal::LegGone { uniqueid, cause }, now, out);
                }
            }
            Event::CoreShowChannel(_) | Event::Other(_) => {}
        }
    }

    fn new_leg(&mut self, channel: Channel, now: Now, out: &mut Output) {
        let Some(id) = self.of_leg(&channel.uniqueid, &channel.linkedid) else { return };
        self.by_leg.insert(channel.uniqueid.clone(), id);
        if self.first_leg(&channel.uniqueid).is_some() {
            self.name_channel(id, channel.name);
        }
        self.apply(id, Signal::LegAppeared { uniqueid: channel.uniqueid }, now, out);
    }

    fn new_state(&mut self, channel: &Channel, now: Now, out: &mut Output) {
        let Some(id) = self.first_leg(&channel.uniqueid) else { return };
        self.name_channel(id, channel.name.clone());
        match channel.state {
            RINGING => self.apply(id, Signal::Ringing, now, out),
            UP => self.apply(id, Signal::Up, now, out),
            _ => {}
        }
    }

    /// The channels that live now, all of them: decides about every attempt in doubt.
    pub fn looked(&mut self, channels: &[Channel], now: Now, out: &mut Output) {
        let mut doubtful: Vec<AttemptId> =
            self.live.iter().filter(|(_, tracked)| tracked.doubt != Doubt::None).map(|(id, _)| *id).collect();
        doubtful.sort_unstable();
        for id in doubtful {
            self.judge(id, channels, now, out);
        }
    }

    fn judge(&mut self, id: AttemptId, channels: &[Channel], now: Now, out: &mut Output) {
        let Some(tracked) = self.live.get_mut(&id) else { return };
        let own = tracked.live.claim.channel_id.clone();
        let legs: Vec<&Channel> =
            channels.iter().filter(|channel| channel.uniqueid == own || channel.linkedid == own).collect();
        let (lost, missed) = match tracked.doubt {
            Doubt::None => return,
            Doubt::Look { lost } => (lost, false),
            Doubt::MissedOnce { lost } => (lost, true),
        };
        if legs.is_empty() {
            if missed {
                self.apply(id, Signal::Missing, now, out);
            } else {
                tracked.doubt = Doubt::MissedOnce { lost };
            }
            return;
        }
        tracked.doubt = Doubt::None;
        tracked.look_at = now.instant + LONG_LIFE;
        let first = legs.iter().find(|leg| leg.uniqueid == own);
        if let Some(first) = first {
            tracked.channel_name = Some(first.name.clone());
        }
        let found = Signal::Found {
            legs: legs.iter().map(|leg| leg.uniqueid.clone()).collect(),
            up: first.is_some_and(|leg| leg.state == UP),
            ringing: first.is_some_and(|leg| leg.state == RINGING),
        };
        for leg in &legs {
            self.by_leg.insert(leg.uniqueid.clone(), id);
        }
        if lost {
            self.tell(id, EventKind::Adopted, None, now, out);
        }
        self.apply(id, found, now, out);
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
            self.apply(id, Signal::GraceOver, now, out);
        }
    }

    /// Time passes: attempts that take too long come in doubt. True where a look is due.
    pub fn tick(&mut self, now: Now) -> bool {
        let mut look = false;
        for tracked in self.live.values_mut() {
            if tracked.doubt == Doubt::None && tracked.look_at <= now.instant {
                tracked.doubt = Doubt::Look { lost: false };
            }
            look |= tracked.doubt != Doubt::None;
        }
        look
    }

    /// What became of a recording that was asked for.
    pub fn recorded(&mut self, id: AttemptId, kind: EventKind, detail: String, now: Now, out: &mut Output) {
        self.tell(id, kind, Some(detail), now, out);
    }

    fn name_channel(&mut self, id: AttemptId, name: String) {
        if let Some(tracked) = self.live.get_mut(&id) {
            tracked.channel_name = Some(name);
        }
    }

    fn of_leg(&self, uniqueid: &str, linkedid: &str) -> Option<AttemptId> {
        self.by_leg.get(uniqueid).or_else(|| self.by_leg.get(linkedid)).copied()
    }

    fn first_leg(&self, uniqueid: &str) -> Option<AttemptId> {
        let id = self.by_leg.get(uniqueid)?;
        self.live.get(id).filter(|tracked| tracked.live.claim.channel_id == uniqueid).map(|_| *id)
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
        // Whatever Asterisk says of it takes it out of doubt.
        if !matches!(signal, Signal::Missing | Signal::GraceOver) {
            tracked.doubt = Doubt::None;
        }
        for effect in tracked.live.attempt.apply(signal, now.wall) {
            match effect {
                Effect::Ringing => {
                    out.changes.push(change(
                        id,
                        &tracked.live,
                        now.wall,
                        What::Moved { from, to: CallStatus::Ringing },
                    ));
                }
                Effect::Answered => {
                    tracked.look_at = now.instant + LONG_LIFE;
                    out.changes.push(change(
                        id,
                        &tracked.live,
                        now.wall,
                        What::Moved { from, to: CallStatus::Answered },
                    ));
                    if let (Some(recording), Some(name)) = (&tracked.live.recording, &tracked.channel_name) {
                        out.recordings.push((id, name.clone(), recording.clone()));
                    }
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
                    let rule = self.rules.get(&tracked.live.claim.call.queue_id).copied().unwrap_or_default();
                    let what = ended(&tracked.live, rule, outcome, cause, now.wall);
                    out.changes.push(change(id, &tracked.live, now.wall, what));
                }
            }
        }
        if tracked.live.attempt.has_ended() {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: AttemptId) -> Option<Live> {
        let tracked = self.live.remove(&id)?;
        self.channel_ids.remove(&tracked.live.claim.channel_id);
        self.by_leg.retain(|_, attempt| *attempt != id);
        Some(tracked.live)
    }
}

fn ended(live: &Live, rule: RetryRule, outcome: Outcome, cause: Option<u8>, at: Millis) -> What {
    let billable = live.attempt.answered_at().map(|answered| at.since(answered).as_secs());
    What::Ended {
        from: live.attempt.status(),
        outcome,
        cause,
        billable_seconds: billable.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX)),
        next_try: rule.next_try(outcome, live.claim.number, live.max_retries, at),
    }
}

fn change(attempt: AttemptId, live: &Live, at: Millis, what: What) -> Change {
    Change { call: live.claim.call, attempt, number: live.claim.number, at, what }
}
