//! Which call goes next: quick calls first, then one call of each queue in turn, so that no queue starves another.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::domain::ids::CallId;
use crate::store::calls::Call;

/// How many calls a queue's line is filled up to.
pub const LINE: usize = 512;

/// How many calls of one line are looked at for one that may go: those before it wait for a channel id to get free.
const LOOK_AHEAD: usize = 32;

/// The calls at hand, by queue.
#[derive(Debug, Default)]
pub struct Scheduler {
    quick: VecDeque<Call>,
    more_quick: bool,
    lines: Vec<Line>,
    next: usize,
    /// Every call in a line, so that none is taken in twice.
    at_hand: HashSet<CallId>,
}

#[derive(Debug)]
struct Line {
    queue_id: i64,
    calls: VecDeque<Call>,
    /// The store has more that are due.
    more: bool,
}

impl Scheduler {
    /// How many calls of each queue are at hand.
    #[must_use]
    pub fn lengths(&self) -> HashMap<i64, usize> {
        self.lines.iter().map(|line| (line.queue_id, line.calls.len())).collect()
    }

    /// There is no call at hand.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at_hand.is_empty()
    }

    /// A line has few left, and the store has more for it.
    #[must_use]
    pub fn runs_low(&self) -> bool {
        let low = |line: &Line| line.more && line.calls.len() < LINE / 2;
        (self.more_quick && self.quick.is_empty()) || self.lines.iter().any(low)
    }

    /// Takes in quick calls, behind those at hand; `more` where the store has more that are due.
    pub fn offer_quick(&mut self, calls: Vec<Call>, more: bool) {
        self.more_quick = more;
        for call in calls {
            if self.at_hand.insert(call.id.into()) {
                self.quick.push_back(call);
            }
        }
    }

    /// Takes in calls of a queue, behind those at hand; `more` where the store has more that are due.
    pub fn offer(&mut self, queue_id: i64, calls: Vec<Call>, more: bool) {
        let index = self.lines.iter().position(|line| line.queue_id == queue_id).unwrap_or_else(|| {
            self.lines.push(Line { queue_id, calls: VecDeque::new(), more });
            self.lines.len() - 1
        });
        self.lines[index].more = more;
        for call in calls {
            if self.at_hand.insert(call.id.into()) {
                self.lines[index].calls.push_back(call);
            }
        }
    }

    /// Forgets what is at hand of queues that may not be dialed any more.
    pub fn keep_only(&mut self, runnable: &HashSet<i64>) {
        for line in &mut self.lines {
            if !runnable.contains(&line.queue_id) {
                for call in line.calls.drain(..) {
                    self.at_hand.remove(&call.id.into());
                }
            }
        }
        self.lines.retain(|line| runnable.contains(&line.queue_id));
        if self.next >= self.lines.len() {
            self.next = 0;
        }
    }

    /// The next call that `may_go`.
    pub fn pick(&mut self, may_go: impl Fn(&Call) -> bool) -> Option<Call> {
        if let Some(call) = take_first(&mut self.quick, &may_go) {
            self.at_hand.remove(&call.id.into());
            return Some(call);
        }
        for turn in 0..self.lines.len() {
            let index = (self.next + turn) % self.lines.len();
            if let Some(call) = take_first(&mut self.lines[index].calls, &may_go) {
                self.next = (index + 1) % self.lines.len();
                self.at_hand.remove(&call.id.into());
                return Some(call);
            }
        }
        None
    }
}

fn take_first(calls: &mut VecDeque<Call>, may_go: impl Fn(&Call) -> bool) -> Option<Call> {
    let index = calls.iter().take(LOOK_AHEAD).position(may_go)?;
    calls.remove(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::types::Id;

    fn call(queue_id: i64) -> Call {
        Call {
            id: Id(uuid::Uuid::now_v7()),
            client_id: 1,
            queue_id,
            position: 1,
            batch_id: None,
            server_code: "server1".into(),
            status: 1,
            outcome: None,
            attempts: 0,
            max_retries: 0,
            plan: String::new(),
            contact_number: None,
            project: None,
            action_id: None,
            channel_id: None,
            did: None,
            created_at: 0,
            due_at: 0,
            deadline: None,
            started_at: None,
            answered_at: None,
            ended_at: None,
            billable_seconds: None,
            hangup_cause: None,
        }
    }

    fn calls(queue_id: i64, count: usize) -> Vec<Call> {
        (0..count).map(|_| call(queue_id)).collect()
    }

    #[test]
    fn a_long_queue_does_not_starve_a_short_one() {
        let mut scheduler = Scheduler::default();
        scheduler.offer(1, calls(1, 100), false);
        scheduler.offer(2, calls(2, 3), false);
        let order: Vec<i64> = (0..6).filter_map(|_| scheduler.pick(|_| true)).map(|call| call.queue_id).collect();
        assert_eq!(order, [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    fn quick_calls_go_ahead_of_every_queue() {
        let mut scheduler = Scheduler::default();
        scheduler.offer(1, calls(1, 2), false);
        scheduler.offer_quick(calls(9, 1), false);
        assert_eq!(scheduler.pick(|_| true).map(|call| call.queue_id), Some(9));
    }

    #[test]
    fn a_call_that_may_not_go_yet_holds_up_nobody_else() {
        let mut scheduler = Scheduler::default();
        let waiting = call(1);
        let waiting_id = waiting.id;
        scheduler.offer(1, vec![waiting, call(1)], false);
        assert!(scheduler.pick(|call| call.id != waiting_id).is_some());
        assert!(scheduler.pick(|call| call.id != waiting_id).is_none());
        assert!(scheduler.pick(|_| true).is_some());
    }

    #[test]
    fn a_call_that_is_offered_twice_goes_once() {
        let mut scheduler = Scheduler::default();
        let one = call(1);
        scheduler.offer(1, vec![one.clone()], false);
        scheduler.offer(1, vec![one], false);
        assert!(scheduler.pick(|_| true).is_some());
        assert!(scheduler.pick(|_| true).is_none());
    }

    #[test]
    fn a_paused_queue_leaves_nothing_at_hand() {
        let mut scheduler = Scheduler::default();
        scheduler.offer(1, calls(1, 5), false);
        scheduler.keep_only(&HashSet::new());
        assert!(scheduler.is_empty() && scheduler.pick(|_| true).is_none());
    }
}
