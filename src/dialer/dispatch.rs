//! Decides which calls of a lane begin now, and knows why the others do not. No IO.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::clients::Clients;
use super::feed::{Due, Feed, Length};
use super::limiter::Limits;
use super::limiters::Limiters;
use super::permits::Permits;
use super::ready::Ready;
use super::scheduler::{Buffer, May, Scheduler};
use crate::domain::commit::CallRef;
use crate::domain::dial::legs::Legs;
use crate::domain::ids::CallId;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;
use crate::domain::wait_reasons::{LaneWaits, QueueWaits, Reason, WaitReason};

/// A call that dispatch picked.
#[derive(Debug)]
pub enum Picked {
    /// A call that begins, with the permits that it holds from now on.
    Begins(Box<Ready>, Box<Permits>),
    /// A call whose deadline has passed.
    Overdue(Box<Ready>),
}

/// The buffered calls of one lane, and its limits.
#[derive(Debug)]
pub struct Dispatch {
    scheduler: Scheduler,
    limiters: Limiters,
    stopped: bool,
    /// What the feeder reported of each queue's windows.
    queues: BTreeMap<i64, QueueWaits>,
    /// True if no buffered call may begin before something else happens.
    stalled: bool,
}

struct Now<'a, F> {
    limiters: &'a mut Limiters,
    instant: Instant,
    is_free: F,
}

impl<F: FnMut(&Ready) -> bool> May for Now<'_, F> {
    fn queue(&mut self, queue_id: i64, client_id: i64) -> bool {
        self.limiters.queue(queue_id, client_id, self.instant)
    }

    fn call(&mut self, call: &Ready) -> bool {
        self.limiters.call(call, self.instant) && (self.is_free)(call)
    }
}

impl Dispatch {
    /// Makes the dispatch of a server with these limits, with empty buffers.
    #[must_use]
    pub fn new(server: Limits, clients: Clients, now: Instant) -> Self {
        Self {
            scheduler: Scheduler::default(),
            limiters: Limiters::new(server, clients, now),
            stopped: false,
            queues: BTreeMap::new(),
            stalled: false,
        }
    }

    /// Takes in what the feeder read. Calls for which `taken` returns true are claimed already.
    pub fn take_feed(&mut self, feed: &mut Feed, taken: impl Fn(CallId) -> bool, now: Instant) {
        self.stopped = feed.stopped;
        self.limiters.set(feed, now);
        let generation = |client: i64| feed.grants.get(&client).map(|(_, generation)| *generation);
        let closed: HashSet<i64> = feed.quick_closed.iter().map(|(queue, _)| *queue).collect();
        // Calls that were checked against another policy or other limits are read again.
        let limiters = &self.limiters;
        self.scheduler.keep_only(&feed.runnable, feed.buffer, |call| {
            let is_same = generation(call.call.client_id) == Some(call.generation);
            is_same && !closed.contains(&call.call.queue_id) && !limiters.never_fits(call)
        });
        self.queues = feed
            .runnable
            .iter()
            .map(|runnable| {
                let (closed, some_open) = (runnable.closed.clone(), runnable.some_open && !runnable.closed.is_empty());
                (runnable.queue.id, QueueWaits { closed, some_open, ..QueueWaits::default() })
            })
            .collect();
        for (queue, opens) in &feed.quick_closed {
            let closed = [(String::new(), opens.map(|at| at.0))].into();
            self.queues.insert(*queue, QueueWaits { closed, ..QueueWaits::default() });
        }
        let fresh = |calls: Vec<Ready>| calls.into_iter().filter(|call| !taken(call.call.id.into())).collect();
        self.scheduler.offer_quick(fresh(std::mem::take(&mut feed.quick)), feed.more_quick);
        for Due { queue_id, calls, more } in std::mem::take(&mut feed.due) {
            self.scheduler.offer(queue_id, fresh(calls), more);
        }
        self.stalled = false;
    }

    /// Begins a round: see [`Dispatch::next`].
    pub fn begin_round(&mut self) {
        self.stalled = false;
        self.scheduler.begin_round();
        self.limiters.begin_round();
    }

    /// Returns the next call of the round that began at `now`, or None if the round is over. `is_free` says that no
    /// other call on the server blocks the call.
    pub fn next(&mut self, at: Millis, now: Instant, mut is_free: impl FnMut(&Ready) -> bool) -> Option<Picked> {
        if self.stopped || self.scheduler.is_empty() {
            return None;
        }
        while self.limiters.server(now) {
            let mut may = Now { limiters: &mut self.limiters, instant: now, is_free: &mut is_free };
            let Some(call) = self.scheduler.pick(&mut may) else { break };
            if call.call.deadline.is_some_and(|deadline| deadline <= at.0) {
                return Some(Picked::Overdue(Box::new(call)));
            }
            match self.limiters.begin(&call, now) {
                Ok(permits) => return Some(Picked::Begins(Box::new(call), Box::new(permits))),
                Err(_) => self.scheduler.put_back(call),
            }
        }
        self.stalled = true;
        None
    }

    /// Returns when the next round should begin even if nothing happens; None if only an event can change anything.
    #[must_use]
    pub fn wake_at(&self) -> Option<Instant> {
        self.limiters.next().filter(|_| self.stalled && !self.scheduler.is_empty())
    }

    /// Returns true if there is nothing to dial, or nothing that may be dialed, until something happens.
    #[must_use]
    pub fn rests(&self) -> bool {
        self.stopped || self.stalled || self.scheduler.is_empty()
    }

    /// Begins no call until something happens, or a second passes.
    pub fn rest(&mut self) {
        self.stalled = true;
        self.limiters.begin_round();
    }

    /// Notes that something happened which may let calls begin.
    pub fn wake(&mut self) {
        self.stalled = false;
    }

    /// Notes how a call ended.
    pub fn saw(&mut self, trunk: Option<&Arc<str>>, outcome: Outcome, now: Instant) {
        self.limiters.saw(trunk, outcome, now);
        self.stalled = false;
    }

    /// Returns the permits of a call that began before this lane did.
    pub fn adopt(&mut self, call: CallRef, trunk: Option<&str>, legs: &Legs, now: Instant) -> Permits {
        self.limiters.adopt(call, trunk, legs, now)
    }

    /// Returns true if few calls are buffered, and the store has more.
    #[must_use]
    pub fn runs_low(&self) -> bool {
        self.scheduler.runs_low()
    }

    /// Returns how many calls of each queue are buffered.
    #[must_use]
    pub fn lengths(&self) -> HashMap<i64, Length> {
        self.scheduler.lengths()
    }

    /// Returns the queues that are head-of-line blocked, and the full trunks that block them.
    #[must_use]
    pub fn head_of_line_blocks(&self) -> HashMap<i64, HashSet<Arc<str>>> {
        self.scheduler.head_of_line_blocks()
    }

    /// Returns the ids of all buffered calls.
    #[must_use]
    pub fn buffered(&self) -> HashSet<CallId> {
        self.scheduler.buffered()
    }

    /// Notes that a second has passed. Returns what has kept calls waiting since the last one.
    pub fn tick(&mut self, now: Instant, mut is_free: impl FnMut(&Ready) -> bool) -> LaneWaits {
        let mut queues = self.queues.clone();
        for buffer in self.scheduler.buffers() {
            let waits = queues.entry(buffer.queue_id).or_default();
            waits.rest = self.limiters.in_the_way(buffer.queue_id, buffer.client_id);
            waits.due_retries = retries(buffer.calls.iter());
            waits.some = self.some(buffer, &mut is_free);
            // Calls that were not read would be blocked for the reason for which all calls that were read are blocked.
            let blocked: i64 = waits.some.iter().map(|(_, calls)| calls).sum();
            if waits.rest.is_none() && usize::try_from(blocked) == Ok(buffer.calls.len()) && blocked > 0 {
                waits.rest = waits.some.iter().max_by_key(|(_, calls)| *calls).map(|(reason, _)| reason.clone());
            }
        }
        for call in self.scheduler.quick() {
            let waits = queues.entry(call.call.queue_id).or_default();
            waits.rest = self
                .limiters
                .in_the_way(call.call.queue_id, call.call.client_id)
                .or_else(|| self.own_wait_reason(call, &mut is_free));
            waits.due_retries += i64::from(call.from == CallStatus::Retrying);
        }
        self.limiters.forget_reached();
        self.limiters.renew_reservations(|id| self.scheduler.has(id), now);
        self.limiters.recover(now);
        self.stalled = false;
        LaneWaits { queues }
    }

    fn some(&self, buffer: &Buffer, is_free: &mut impl FnMut(&Ready) -> bool) -> Vec<(WaitReason, i64)> {
        let mut some: Vec<(WaitReason, i64)> = Vec::new();
        for reason in buffer.calls.iter().filter_map(|call| self.own_wait_reason(call, is_free)) {
            match some.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, calls)) => *calls += 1,
                None => some.push((reason, 1)),
            }
        }
        some
    }

    /// Returns what keeps this call waiting, apart from what keeps its whole queue waiting.
    fn own_wait_reason(&self, call: &Ready, is_free: &mut impl FnMut(&Ready) -> bool) -> Option<WaitReason> {
        let trunk = call.trunk.as_ref().and_then(|trunk| self.limiters.in_the_way_of(trunk));
        trunk.or_else(|| {
            let busy = !is_free(call);
            busy.then_some(WaitReason::new(Reason::ChannelIdBusy))
        })
    }
}

fn retries<'a>(calls: impl Iterator<Item = &'a Ready>) -> i64 {
    i64::try_from(calls.filter(|call| call.from == CallStatus::Retrying).count()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
