//! Random calls, retries, lost connections and channel snapshots, compared with a model of what Asterisk did. The rules
//! hold whatever part of it is seen, in whatever order and however often.

use std::collections::HashMap;

use proptest::prelude::*;

use super::tests::{Bench, begun, cdr, channel, claim, hangup, live, response};
use super::*;
use crate::ami::Event;
use crate::ami::event::{Channel, RINGING, UP};
use crate::domain::attempt::DialStatus;
use crate::domain::cdr::Disposition;
use crate::domain::commit::What;
use crate::domain::retry::Failure;
use crate::domain::status::{CallStatus, Outcome};

/// How many runs are made unless `PROPTEST_CASES` says otherwise: so many that every run of the tests meets rare
/// interleavings.
const RUNS: u32 = 100_000;

/// What Asterisk does with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Answers,
    Busy,
    NoAnswer,
    NoChannel,
}

/// One thing that happens to the lane.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A waiting call is claimed and originated.
    Claim(usize, Fate),
    /// Any one event of a call's last attempt is received.
    Event(usize, u8),
    /// Any one event of the attempt before the last is received.
    Stale(usize, u8),
    Refused(usize),
    EndRequest(usize),
    ConnectionLost,
    /// A channel snapshot lists what lives.
    Snapshot,
    /// A channel snapshot does not list the call's channel, for whatever reason.
    EmptySnapshot,
    Pass(u16),
    Tick,
}

const CALLS: usize = 3;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let call = 0..CALLS;
    let fate = prop_oneof![3 => Just(Fate::Answers), 1 => Just(Fate::Busy), 1 => Just(Fate::NoAnswer), 1 => Just(Fate::NoChannel)];
    let step = prop_oneof![
        4 => (call.clone(), fate).prop_map(|(call, fate)| Step::Claim(call, fate)),
        16 => (call.clone(), 0..9_u8).prop_map(|(call, event)| Step::Event(call, event)),
        2 => (call.clone(), 0..9_u8).prop_map(|(call, event)| Step::Stale(call, event)),
        1 => call.clone().prop_map(Step::Refused),
        1 => call.prop_map(Step::EndRequest),
        1 => Just(Step::ConnectionLost),
        2 => Just(Step::Snapshot),
        1 => Just(Step::EmptySnapshot),
        3 => (0..7_000_u16).prop_map(Step::Pass),
        1 => Just(Step::Tick),
    ];
    prop::collection::vec(step, 0..40)
}

/// A call as its client sees it, by the changes that were committed.
#[derive(Debug, Default)]
struct Known {
    status: Option<CallStatus>,
    tries: Vec<Try>,
    /// Its client wants it to end. A lane that ends it must settle the request.
    end_requested: bool,
}

#[derive(Debug)]
struct Try {
    claim: Claim,
    fate: Fate,
    /// Asterisk's side: the channel lives until its Hangup is delivered.
    lives: bool,
    /// A sign of the answer was delivered while the attempt was live.
    answer_told: bool,
    ended: Option<Outcome>,
}

struct World {
    bench: Bench,
    calls: Vec<(CallId, Known)>,
    by_attempt: HashMap<AttemptId, usize>,
}

impl World {
    fn new() -> Self {
        let calls = (0..CALLS).map(|_| (CallId::new(), Known::default())).collect();
        let mut bench = Bench::new();
        // A call that fails is tried again at once.
        let retries = Retries { count: 3, gap_seconds: 0, ..Retries::default() };
        bench.tracker.set_rule(1, retries);
        Self { bench, calls, by_attempt: HashMap::new() }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Claim(call, fate) => self.claim(call, fate),
            Step::Event(call, event) => {
                let last = self.calls[call].1.tries.len().checked_sub(1);
                last.into_iter().for_each(|number| self.event(call, number, event));
            }
            Step::Stale(call, event) => {
                let before = self.calls[call].1.tries.len().checked_sub(2);
                before.into_iter().for_each(|number| self.event(call, number, event));
            }
            Step::Refused(call) => {
                if let Some(last) = self.calls[call].1.tries.last_mut() {
                    // Asterisk refuses before it makes a channel.
                    if last.fate == Fate::NoChannel {
                        let id = last.claim.attempt;
                        self.bench.tracker.response(id, false, "no", self.bench.now, &mut self.bench.out);
                    }
                }
            }
            Step::EndRequest(call) => {
                let (id, known) = &mut self.calls[call];
                if self.bench.tracker.request_end(*id, self.bench.now, &mut self.bench.out) {
                    known.end_requested = true;
                }
            }
            Step::ConnectionLost => self.bench.tracker.connection_lost(self.bench.now, &mut self.bench.out),
            Step::Snapshot => {
                let tries = self.calls.iter().flat_map(|(_, known)| &known.tries);
                let live: Vec<Channel> = tries
                    .filter(|one| one.lives)
                    .map(|one| channel(&one.claim.channel_id, if one.fate == Fate::Answers { UP } else { RINGING }))
                    .collect();
                // Being found up is a sign of the answer, too, of an attempt that a snapshot decides about.
                self.bench.tracker.reconcile(&live, self.bench.now, &mut self.bench.out);
            }
            Step::EmptySnapshot => self.bench.tracker.reconcile(&[], self.bench.now, &mut self.bench.out),
            Step::Pass(time) => {
                self.bench.pass(Duration::from_millis(time.into()));
                self.bench.tracker.end_graces(self.bench.now, &mut self.bench.out);
            }
            Step::Tick => {
                self.bench.tracker.tick(self.bench.now, &mut self.bench.out);
            }
        }
        self.check();
    }

    fn claim(&mut self, call: usize, fate: Fate) {
        let (id, known) = &mut self.calls[call];
        // The store grants no claim but that of a waiting call.
        if !matches!(known.status, None | Some(CallStatus::Retrying)) {
            return;
        }
        let number = i32::try_from(known.tries.len() + 1).unwrap();
        let claim = claim(*id, number, None);
        self.bench.tracker.begin(live(begun(claim.clone(), None, self.bench.now)), self.bench.now);
        self.by_attempt.insert(claim.attempt, call);
        known.status = Some(CallStatus::Dialing);
        known.tries.push(Try { claim, fate, lives: fate != Fate::NoChannel, answer_told: false, ended: None });
    }

    /// Delivers an event that Asterisk may send of an attempt with this fate.
    fn event(&mut self, call: usize, number: usize, event: u8) {
        let one = &mut self.calls[call].1.tries[number];
        let (id, fate) = (one.claim.channel_id.clone(), one.fate);
        let answers = fate == Fate::Answers;
        let status = match fate {
            Fate::Answers => DialStatus::Answer,
            Fate::Busy => DialStatus::Busy,
            Fate::NoAnswer | Fate::NoChannel => DialStatus::NoAnswer,
        };
        let event = match (event, fate) {
            (0, _) => response(&one.claim, answers, [4, 5, 3, 0][fate as usize]),
            // Asterisk reports nothing else of a call without a channel.
            (_, Fate::NoChannel) => return,
            (1, _) => Event::Newchannel(channel(&id, 0)),
            (2, _) => Event::DialState { dest_uniqueid: id.clone(), ringing: true },
            (3, Fate::Answers) => Event::Newstate(channel(&id, UP)),
            (3, _) => Event::Newstate(channel(&id, RINGING)),
            (4, _) => Event::DialEnd { dest_uniqueid: id.clone(), status },
            (5, _) => {
                one.lives = false;
                hangup(&id, [16, 17, 19, 0][fate as usize])
            }
            (6, Fate::Answers) => cdr(&id, Disposition::Answered, 3),
            (7, Fate::Answers) => Event::BridgeEnter { uniqueid: id.clone(), linkedid: id.clone(), channels: 2 },
            _ => return,
        };
        let sign = matches!(&event, Event::Newstate(channel) if channel.state == UP)
            || matches!(&event, Event::DialEnd { status: DialStatus::Answer, .. } | Event::Cdr { .. })
            || matches!(&event, Event::OriginateResponse { success: true, .. });
        one.answer_told |= sign && one.ended.is_none();
        self.bench.tracker.event(event, self.bench.now, &mut self.bench.out);
    }

    /// Commits what follows, and checks it against the rules.
    fn check(&mut self) {
        let out = std::mem::take(&mut self.bench.out);
        assert!(out.group.withdrawn.is_empty(), "ids that are made here are nobody else's");
        for change in out.group.changes {
            let (id, known) = &mut self.calls[self.by_attempt[&change.attempt]];
            let status = known.status.expect("a claimed call has a status");
            let last = known.tries.len() - 1;
            let number = usize::try_from(change.number).unwrap() - 1;
            match change.what {
                What::Moved { from, to } => {
                    assert_eq!((number, from), (last, status), "only the last try moves its call, from where it is");
                    assert!(from.is_live() && to.is_live() && to.code() > from.code(), "{from:?} to {to:?}");
                    assert_eq!(CallStatus::check_move(Some(from), to), Ok(()), "every move is in the list");
                    known.status = Some(to);
                }
                What::Told { .. } => assert_eq!(number, last),
                What::Billed { .. } => assert_eq!(known.tries[number].ended, Some(Outcome::Answered)),
                What::Ended { from, outcome, next_try, .. } => {
                    assert_eq!((number, from), (last, status));
                    let ended = &mut known.tries[number];
                    assert_eq!(ended.ended.replace(outcome), None, "a try ends once");
                    if ended.answer_told || from == CallStatus::Answered {
                        assert_eq!(outcome, Outcome::Answered, "an answer is never lost");
                    }
                    if outcome == Outcome::Answered {
                        assert_eq!(ended.fate, Fate::Answers, "nor made up");
                    }
                    assert!(next_try.is_none() || Failure::of(outcome).is_some());
                    if known.end_requested {
                        assert_eq!(next_try, None, "what its client ended is over");
                        assert!(out.group.settled.contains(id), "and its request is settled");
                    }
                    let to = if next_try.is_some() { CallStatus::Retrying } else { outcome.final_status() };
                    assert_eq!(CallStatus::check_move(Some(from), to), Ok(()), "every move is in the list");
                    known.status = Some(to);
                }
            }
        }
        let live = self.calls.iter().map(|(_, known)| known.tries.iter().filter(|one| one.ended.is_none()).count());
        let live: Vec<usize> = live.collect();
        assert!(live.iter().all(|tries| *tries <= 1), "a call has two live tries: {live:?}");
        assert_eq!(self.bench.tracker.len(), live.iter().sum::<usize>(), "a permit is a live try, and nothing else");
    }

    /// Ends everything, whatever was lost, by two snapshots that list nothing.
    fn close(&mut self) {
        for (_, known) in &mut self.calls {
            known.tries.iter_mut().for_each(|one| one.lives = false);
        }
        for step in [Step::ConnectionLost, Step::Snapshot, Step::Snapshot] {
            self.take(step);
        }
        assert!(self.bench.tracker.is_empty() && self.bench.tracker.by_leg.is_empty());
        assert!(self.bench.tracker.channel_ids.is_empty() && self.bench.tracker.by_call.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(RUNS),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn in_any_order_and_with_any_loss_each_call_ends_once_and_no_answer_is_lost(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
        world.close();
    }
}
