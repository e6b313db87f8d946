//! Which call goes next: quick calls first, then the queues' in turn. What it costs is bounded by what is buffered. No IO.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::feed::{Length, Runnable};
use super::ready::Ready;
use crate::domain::fairness::{Contender, Share, Turns};
use crate::domain::ids::CallId;

/// How many calls of a trunk are blocked in a blocked line where it is the trunk that is full, and not only a call's own
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
    buffers: Vec<Buffer>,
    turns: Turns,
    /// How many calls a line is filled up to.
    most: usize,
    /// Every call in a line, so that none is taken in twice.
    buffered: HashSet<CallId>,
}

/// The calls of one queue.
#[derive(Debug)]
pub struct Buffer {
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

/// What is known of a line in this round: as permits and tokens are only taken in a round, who may not go may not go
/// until its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    /// The call at this index may go, or might when it was looked at.
    Able(usize),
    /// The queue as a whole may not go.
    QueueBlocked,
    /// The queue may go, but none of its calls at hand.
    CallsBlocked,
}

impl Contender for Buffer {
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

impl Buffer {
    fn may_go(&self, may: &mut impl May) -> bool {
        let State::Able(index) = self.state else { return false };
        may.queue(self.queue_id, self.client_id) && self.calls.get(index).is_some_and(|call| may.call(call))
    }

    fn look(&mut self, may: &mut impl May) {
        self.state = if self.calls.is_empty() || !may.queue(self.queue_id, self.client_id) {
            State::QueueBlocked
        } else {
            self.calls.iter().position(|call| may.call(call)).map_or(State::CallsBlocked, State::Able)
        };
    }

    fn length(&self) -> Length {
        let blocked = match self.state {
            State::Able(index) => index,
            State::CallsBlocked => self.calls.len(),
            State::Unknown | State::QueueBlocked => 0,
        };
        Length { all: self.calls.len(), blocked }
    }

    fn full_trunks(&self) -> HashSet<Arc<str>> {
        let mut blocked: HashMap<&Arc<str>, usize> = HashMap::new();
        for trunk in self.calls.iter().take(self.length().blocked).filter_map(|call| call.trunk.as_ref()) {
            *blocked.entry(trunk).or_default() += 1;
        }
        blocked.into_iter().filter(|(_, calls)| *calls >= FULL).map(|(trunk, _)| Arc::clone(trunk)).collect()
    }
}

impl Scheduler {
    /// How many calls of each queue are at hand.
    #[must_use]
    pub fn lengths(&self) -> HashMap<i64, Length> {
        self.buffers.iter().map(|buffer| (buffer.queue_id, buffer.length())).collect()
    }

    /// The queues whose lines are filled with what is blocked, and the trunks that stand in the way there.
    #[must_use]
    pub fn head_of_line_blocks(&self) -> HashMap<i64, HashSet<Arc<str>>> {
        let blocked = self.buffers.iter().filter(|buffer| buffer.length().is_head_of_line_blocked(self.most));
        blocked.map(|buffer| (buffer.queue_id, buffer.full_trunks())).collect()
    }

    /// All calls at hand.
    #[must_use]
    pub fn buffered(&self) -> HashSet<CallId> {
        self.buffered.clone()
    }

    /// There is no call at hand.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffered.is_empty()
    }

    /// A line has few left, and the store has more for it.
    #[must_use]
    pub fn runs_low(&self) -> bool {
        let low = |buffer: &Buffer| buffer.more && buffer.length().is_low(self.most);
        (self.more_quick && self.quick.is_empty()) || self.buffers.iter().any(low)
    }

    /// The lines.
    pub fn buffers(&self) -> impl Iterator<Item = &Buffer> {
        self.buffers.iter()
    }

    /// The quick calls.
    pub fn quick(&self) -> impl Iterator<Item = &Ready> {
        self.quick.iter()
    }

    /// Takes in quick calls, behind those at hand; `more` where the store has more that are due.
    pub fn offer_quick(&mut self, calls: Vec<Ready>, more: bool) {
        self.more_quick = more;
        for call in calls {
            if self.buffered.insert(call.call.id.into()) {
                self.quick.push_back(call);
            }
        }
    }

    /// Takes in calls of a queue, behind those at hand; `more` where the store has more that are due. Those of a queue
    /// that may not be dialed are left out.
    pub fn offer(&mut self, queue_id: i64, calls: Vec<Ready>, more: bool) {
        let Some(buffer) = self.buffers.iter_mut().find(|buffer| buffer.queue_id == queue_id) else { return };
        buffer.more = more;
        // Any of the new ones may be able to go.
        buffer.state = State::Unknown;
        for call in calls {
            if self.buffered.insert(call.call.id.into()) {
                buffer.calls.push_back(call);
            }
        }
    }

    /// These queues may be dialed, and no others: forgets what is at hand of all the rest, and what does not `pass`.
    /// `most` calls of each are wanted at hand.
    pub fn keep_only(&mut self, runnable: &[Runnable], most: usize, pass: impl Fn(&Ready) -> bool) {
        self.most = most;
        let mut wanted: HashMap<i64, &Runnable> =
            runnable.iter().map(|runnable| (runnable.queue.id, runnable)).collect();
        let buffered = &mut self.buffered;
        let mut keep = |call: &Ready, fits: bool| {
            let keep = fits && pass(call);
            if !keep {
                buffered.remove(&call.call.id.into());
            }
            keep
        };
        self.quick.retain(|call| keep(call, true));
        self.buffers.retain_mut(|buffer| {
            let runnable = wanted.remove(&buffer.queue_id);
            let is_open = |call: &Ready| {
                let zone = call.spec.time_zone.as_deref().unwrap_or_default();
                runnable.is_some_and(|runnable| !runnable.closed.contains_key(zone))
            };
            buffer.calls.retain(|call| keep(call, is_open(call)));
            if let Some(runnable) = runnable {
                buffer.share.set(runnable.priority, runnable.weight);
            }
            runnable.is_some()
        });
        let mut new: Vec<&Runnable> = wanted.into_values().collect();
        new.sort_unstable_by_key(|runnable| runnable.queue.id);
        self.buffers.extend(new.into_iter().map(|runnable| Buffer {
            queue_id: runnable.queue.id,
            client_id: runnable.queue.client_id,
            calls: VecDeque::new(),
            more: false,
            share: Share::new(runnable.priority, runnable.weight),
            state: State::Unknown,
        }));
    }

    /// A round begins: permits and tokens may have come free since the last one.
    pub fn begin_round(&mut self) {
        for buffer in &mut self.buffers {
            buffer.state = State::Unknown;
        }
    }

    /// The next call that may go.
    pub fn pick(&mut self, may: &mut impl May) -> Option<Ready> {
        let quick = |call: &Ready| may.queue(call.call.queue_id, call.call.client_id) && may.call(call);
        if let Some(index) = self.quick.iter().position(quick)
            && let Some(call) = self.quick.remove(index)
        {
            self.buffered.remove(&call.call.id.into());
            return Some(call);
        }
        loop {
            for buffer in self.buffers.iter_mut().filter(|buffer| buffer.state == State::Unknown) {
                buffer.look(may);
            }
            let index = self.turns.next(&self.buffers)?;
            // Another line may have taken since what both need.
            if !self.buffers[index].may_go(may) {
                self.buffers[index].look(may);
                continue;
            }
            self.turns.take(&mut self.buffers, index);
            let buffer = &mut self.buffers[index];
            let State::Able(at) = std::mem::replace(&mut buffer.state, State::Unknown) else { continue };
            let call = buffer.calls.remove(at)?;
            self.buffered.remove(&call.call.id.into());
            return Some(call);
        }
    }

    /// A call that was picked could not go: it stands first again, and nothing of its queue goes in this round.
    pub fn put_back(&mut self, call: Ready) {
        self.buffered.insert(call.call.id.into());
        match self.buffers.iter_mut().find(|buffer| buffer.queue_id == call.call.queue_id) {
            Some(buffer) => {
                buffer.calls.push_front(call);
                buffer.state = State::QueueBlocked;
            }
            None => self.quick.push_front(call),
        }
    }
}
