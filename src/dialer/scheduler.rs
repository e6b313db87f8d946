//! Decides which call is next: quick calls first, then the queues in turn. Its cost is bounded by what is buffered. No
//! IO.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::feed::{Length, Runnable};
use super::ready::Ready;
use crate::domain::fairness::{Contender, Share, Turns};
use crate::domain::ids::CallId;

/// How many blocked calls of one trunk in a blocked buffer show that the trunk is full, and not only that a call's own
/// channel id is in use.
const FULL: usize = 16;

/// What decides whether a call may begin.
pub trait May {
    /// Returns true if calls of the queue may begin, as far as that does not depend on the call.
    fn queue(&mut self, queue_id: i64, client_id: i64) -> bool;
    /// Returns true if the call may begin, given that its queue may.
    fn call(&mut self, call: &Ready) -> bool;
}

/// The buffered calls, by queue.
#[derive(Debug, Default)]
pub struct Scheduler {
    quick: VecDeque<Ready>,
    more_quick: bool,
    buffers: Vec<Buffer>,
    turns: Turns,
    /// How many calls a queue's buffer is filled up to.
    most: usize,
    /// The id of every buffered call, so that none is buffered twice.
    buffered: HashSet<CallId>,
}

/// The buffered calls of one queue.
#[derive(Debug)]
pub struct Buffer {
    /// The id of the queue.
    pub queue_id: i64,
    /// The client that the queue belongs to.
    pub client_id: i64,
    /// The calls in their order.
    pub calls: VecDeque<Ready>,
    /// True if the store has more due calls of the queue.
    more: bool,
    share: Share,
    state: State,
}

/// What is known of a buffer in this round. Permits and tokens are only taken in a round, so what may not begin stays
/// blocked until the round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    /// The call at this index may begin, or might when it was last checked.
    Able(usize),
    /// The queue as a whole is blocked.
    QueueBlocked,
    /// The queue may begin calls, but each of the buffered ones is blocked.
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

    fn check(&mut self, may: &mut impl May) {
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
    /// Returns how many calls of each queue are buffered.
    #[must_use]
    pub fn lengths(&self) -> HashMap<i64, Length> {
        self.buffers.iter().map(|buffer| (buffer.queue_id, buffer.length())).collect()
    }

    /// Returns the queues that are head-of-line blocked, and the full trunks that block them.
    #[must_use]
    pub fn head_of_line_blocks(&self) -> HashMap<i64, HashSet<Arc<str>>> {
        let blocked = self.buffers.iter().filter(|buffer| buffer.length().is_head_of_line_blocked(self.most));
        blocked.map(|buffer| (buffer.queue_id, buffer.full_trunks())).collect()
    }

    /// Returns the ids of all buffered calls.
    #[must_use]
    pub fn buffered(&self) -> HashSet<CallId> {
        self.buffered.clone()
    }

    /// Returns true if this call is buffered.
    #[must_use]
    pub fn has(&self, id: CallId) -> bool {
        self.buffered.contains(&id)
    }

    /// Returns true if no call is buffered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffered.is_empty()
    }

    /// Returns true if a buffer has few calls left, and the store has more for it.
    #[must_use]
    pub fn runs_low(&self) -> bool {
        let low = |buffer: &Buffer| buffer.more && buffer.length().is_low(self.most);
        (self.more_quick && self.quick.is_empty()) || self.buffers.iter().any(low)
    }

    /// Returns the buffers of all queues.
    pub fn buffers(&self) -> impl Iterator<Item = &Buffer> {
        self.buffers.iter()
    }

    /// Returns the quick calls.
    pub fn quick(&self) -> impl Iterator<Item = &Ready> {
        self.quick.iter()
    }

    /// Adds quick calls after those that are buffered. `more` says that the store has more that are due.
    pub fn offer_quick(&mut self, calls: Vec<Ready>, more: bool) {
        self.more_quick = more;
        for call in calls {
            if self.buffered.insert(call.call.id.into()) {
                self.quick.push_back(call);
            }
        }
    }

    /// Adds calls of a queue after those that are buffered. `more` says that the store has more that are due. Calls of
    /// a queue that may not be dialed are left out.
    pub fn offer(&mut self, queue_id: i64, calls: Vec<Ready>, more: bool) {
        let Some(buffer) = self.buffers.iter_mut().find(|buffer| buffer.queue_id == queue_id) else { return };
        buffer.more = more;
        // Any of the new calls may be able to begin.
        buffer.state = State::Unknown;
        for call in calls {
            if self.buffered.insert(call.call.id.into()) {
                buffer.calls.push_back(call);
            }
        }
    }

    /// Keeps the calls of these queues alone, and of them only those that `pass`. Each buffer is filled up to `most`
    /// calls.
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

    /// Begins a round: permits and tokens may have become free since the last one.
    pub fn begin_round(&mut self) {
        for buffer in &mut self.buffers {
            buffer.state = State::Unknown;
        }
    }

    /// Returns the next call that may begin, and removes it from its buffer.
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
                buffer.check(may);
            }
            let index = self.turns.next(&self.buffers)?;
            // Another buffer may have taken what both need since the check.
            if !self.buffers[index].may_go(may) {
                self.buffers[index].check(may);
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

    /// Puts a call back to the front that was picked and could not begin. Nothing of its queue begins in this round.
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
