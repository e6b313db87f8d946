//! Which call goes next: quick calls first, then the queues' in turn. What it costs is bounded by what is at hand.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::feeder::Runnable;
use super::ready::Ready;
use crate::domain::fairness::{Contender, Share, Turns};
use crate::domain::ids::CallId;

/// How many times over a line may be filled where most of it is stuck; from then on what is stuck for the same reason
/// is passed over, so that it takes no more room, and what lies behind it has as much again.
const STUCK: usize = 4;
const BEHIND_STUCK: usize = 2 * STUCK;

/// How many calls of a trunk are stuck in a jammed line where it is the trunk that is full, and not only a call's own
/// channel id that is taken.
const FULL: usize = 16;

/// What stands in a call's way.
pub trait May {
    /// Calls of the queue may go, as far as that does not depend on the call.
    fn queue(&mut self, queue_id: i64, client_id: i64) -> bool;
    /// The call may go, its queue may.
    fn call(&mut self, call: &Ready) -> bool;
}

/// The calls at hand, by queue.
#[derive(Debug, Default)]
pub struct Scheduler {
    quick: VecDeque<Ready>,
    more_quick: bool,
    lines: Vec<Line>,
    turns: Turns,
    /// How many calls a line is filled up to.
    most: usize,
    /// Every call in a line, so that none is taken in twice.
    at_hand: HashSet<CallId>,
}

/// The calls of one queue.
#[derive(Debug)]
pub struct Line {
    /// The queue.
    pub queue_id: i64,
    /// Its client.
    pub client_id: i64,
    /// In their order.
    pub calls: VecDeque<Ready>,
    /// The store has more that are due.
    more: bool,
    share: Share,
    state: State,
}

/// What is known of a line in this round: as slots and tokens are only taken in a round, who may not go may not go
/// until its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    /// The call at this index may go, or might when it was looked at.
    Able(usize),
    /// The queue as a whole may not go.
    Blocked,
    /// The queue may go, but none of its calls at hand.
    Stuck,
}

/// How many calls of a queue are at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length {
    /// All of them.
    pub all: usize,
    /// Those that could not go at the last look for something of their own, as a trunk that is full: others behind them
    /// might.
    pub stuck: usize,
}

impl Length {
    /// Fewer than half of `most` may go, and there is room for more.
    #[must_use]
    pub fn is_low(self, most: usize) -> bool {
        self.all.saturating_sub(self.stuck) < most / 2 && self.all < BEHIND_STUCK * most
    }

    /// So much is stuck that only what lies far behind it might go.
    fn is_jammed(self, most: usize) -> bool {
        self.is_low(most) && self.all >= STUCK * most
    }
}

impl Contender for Line {
    fn share(&self) -> &Share {
        &self.share
    }

    fn share_mut(&mut self) -> &mut Share {
        &mut self.share
    }

    fn is_able(&self) -> bool {
        matches!(self.state, State::Able(_))
    }
}

impl Line {
    fn may_go(&self, may: &mut impl May) -> bool {
        let State::Able(index) = self.state else { return false };
        may.queue(self.queue_id, self.client_id) && self.calls.get(index).is_some_and(|call| may.call(call))
    }

    fn look(&mut self, may: &mut impl May) {
        self.state = if self.calls.is_empty() || !may.queue(self.queue_id, self.client_id) {
            State::Blocked
        } else {
            self.calls.iter().position(|call| may.call(call)).map_or(State::Stuck, State::Able)
        };
    }

    fn length(&self) -> Length {
        let stuck = match self.state {
            State::Able(index) => index,
            State::Stuck => self.calls.len(),
            State::Unknown | State::Blocked => 0,
        };
        Length { all: self.calls.len(), stuck }
    }

    fn full_trunks(&self) -> HashSet<Arc<str>> {
        let mut stuck: HashMap<&Arc<str>, usize> = HashMap::new();
        for trunk in self.calls.iter().take(self.length().stuck).filter_map(|call| call.trunk.as_ref()) {
            *stuck.entry(trunk).or_default() += 1;
        }
        stuck.into_iter().filter(|(_, calls)| *calls >= FULL).map(|(trunk, _)| Arc::clone(trunk)).collect()
    }
}

impl Scheduler {
    /// How many calls of each queue are at hand.
    #[must_use]
    pub fn lengths(&self) -> HashMap<i64, Length> {
        self.lines.iter().map(|line| (line.queue_id, line.length())).collect()
    }

    /// The queues whose lines are filled with what is stuck, and the trunks that stand in the way there.
    #[must_use]
    pub fn jams(&self) -> HashMap<i64, HashSet<Arc<str>>> {
        let jammed = self.lines.iter().filter(|line| line.length().is_jammed(self.most));
        jammed.map(|line| (line.queue_id, line.full_trunks())).collect()
    }

    /// All calls at hand.
    #[must_use]
    pub fn known(&self) -> HashSet<CallId> {
        self.at_hand.clone()
    }

    /// There is no call at hand.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at_hand.is_empty()
    }

    /// A line has few left, and the store has more for it.
    #[must_use]
    pub fn runs_low(&self) -> bool {
        let low = |line: &Line| line.more && line.length().is_low(self.most);
        (self.more_quick && self.quick.is_empty()) || self.lines.iter().any(low)
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// The quick calls.
    pub fn quick(&self) -> impl Iterator<Item = &Ready> {
        self.quick.iter()
    }

    /// Takes in quick calls, behind those at hand; `more` where the store has more that are due.
    pub fn offer_quick(&mut self, calls: Vec<Ready>, more: bool) {
        self.more_quick = more;
        for call in calls {
            if self.at_hand.insert(call.call.id.into()) {
                self.quick.push_back(call);
            }
        }
    }

    /// Takes in calls of a queue, behind those at hand; `more` where the store has more that are due. Those of a queue
    /// that may not be dialed are left out.
    pub fn offer(&mut self, queue_id: i64, calls: Vec<Ready>, more: bool) {
        let Some(line) = self.lines.iter_mut().find(|line| line.queue_id == queue_id) else { return };
        line.more = more;
        // Any of the new ones may be able to go.
        line.state = State::Unknown;
        for call in calls {
            if self.at_hand.insert(call.call.id.into()) {
                line.calls.push_back(call);
            }
        }
    }

    /// These queues may be dialed, and no others: forgets what is at hand of all the rest, and what does not `pass`.
    /// `most` calls of each are wanted at hand.
    pub fn keep_only(&mut self, runnable: &[Runnable], most: usize, pass: impl Fn(&Ready) -> bool) {
        self.most = most;
        let mut wanted: HashMap<i64, &Runnable> =
            runnable.iter().map(|runnable| (runnable.queue.queue.id, runnable)).collect();
        let at_hand = &mut self.at_hand;
        let mut keep = |call: &Ready, fits: bool| {
            let keep = fits && pass(call);
            if !keep {
                at_hand.remove(&call.call.id.into());
            }
            keep
        };
        self.quick.retain(|call| keep(call, true));
        self.lines.retain_mut(|line| {
            let runnable = wanted.remove(&line.queue_id);
            let is_open = |call: &Ready| {
                let zone = call.plan.time_zone.as_deref().unwrap_or_default();
                runnable.is_some_and(|runnable| !runnable.closed.contains_key(zone))
            };
            line.calls.retain(|call| keep(call, is_open(call)));
            if let Some(runnable) = runnable {
                line.share.set(runnable.queue.priority, runnable.queue.weight);
            }
            runnable.is_some()
        });
        let mut new: Vec<&Runnable> = wanted.into_values().collect();
        new.sort_unstable_by_key(|runnable| runnable.queue.queue.id);
        self.lines.extend(new.into_iter().map(|runnable| Line {
            queue_id: runnable.queue.queue.id,
            client_id: runnable.queue.queue.client_id,
            calls: VecDeque::new(),
            more: false,
            share: Share::new(runnable.queue.priority, runnable.queue.weight),
            state: State::Unknown,
        }));
    }

    /// A round begins: slots and tokens may have come free since the last one.
    pub fn begin_round(&mut self) {
        for line in &mut self.lines {
            line.state = State::Unknown;
        }
    }

    /// The next call that may go.
    pub fn pick(&mut self, may: &mut impl May) -> Option<Ready> {
        let quick = |call: &Ready| may.queue(call.call.queue_id, call.call.client_id) && may.call(call);
        if let Some(index) = self.quick.iter().position(quick)
            && let Some(call) = self.quick.remove(index)
        {
            self.at_hand.remove(&call.call.id.into());
            return Some(call);
        }
        loop {
            for line in self.lines.iter_mut().filter(|line| line.state == State::Unknown) {
                line.look(may);
            }
            let index = self.turns.next(&self.lines)?;
            // Another line may have taken since what both need.
            if !self.lines[index].may_go(may) {
                self.lines[index].look(may);
                continue;
            }
            self.turns.take(&mut self.lines, index);
            let line = &mut self.lines[index];
            let State::Able(at) = std::mem::replace(&mut line.state, State::Unknown) else { continue };
            let call = line.calls.remove(at)?;
            self.at_hand.remove(&call.call.id.into());
            return Some(call);
        }
    }

    /// A call that was picked could not go: it stands first again, and nothing of its queue goes in this round.
    pub fn put_back(&mut self, call: Ready) {
        self.at_hand.insert(call.call.id.into());
        match self.lines.iter_mut().find(|line| line.queue_id == call.call.queue_id) {
            Some(line) => {
                line.calls.push_front(call);
                line.state = State::Blocked;
            }
            None => self.quick.push_front(call),
        }
    }
}
