//! What passes between a lane and its feeder: which calls are wanted, and which are due.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::limiter::Limits;
use super::ready::Ready;
use super::rules::ServerSet;
use crate::domain::commit::{Deferral, Hold, Refusal};
use crate::domain::end_request::Command;
use crate::domain::ids::CallId;
use crate::domain::time::Millis;
use crate::domain::wait_reasons::WaitReason;
use crate::store::calls::Call;
use crate::store::queues::Queue;

/// How many times over a queue's buffer may be filled if most of it is blocked. From then on, calls that are blocked for
/// the same reason are passed over, so that they take no more room, and the calls behind them get as much again.
const BLOCKED: usize = 4;
const BEYOND_BLOCKED: usize = 2 * BLOCKED;

/// What a lane asks its feeder for.
#[derive(Debug, Default)]
pub struct Ask {
    /// How many calls of each queue are buffered. Calls that are claimed but not committed yet count too.
    pub buffered: HashMap<i64, Length>,
    /// Queues that are head-of-line blocked, and the full trunks that block them: calls through other trunks are wanted.
    pub head_of_line_blocks: HashMap<i64, HashSet<Arc<str>>>,
    /// The ids of the buffered and claimed calls, which need not be read again.
    pub known: HashSet<CallId>,
    /// Queues of live calls, whose retry rules must be known when those calls end.
    pub rules_of: Vec<i64>,
    /// True if a claim was refused, so that some rule has changed since it was read.
    pub anew: bool,
}

/// What a lane receives from its feeder.
#[derive(Debug, Default)]
pub struct Feed {
    /// True if the kill switch is engaged.
    pub stopped: bool,
    /// What limits the server; None if the server was removed.
    pub server: Option<ServerSet>,
    /// Clients that may dial, with what they were granted and the generation of their policy.
    pub grants: HashMap<i64, (Limits, u64)>,
    /// Clients that have spent as much today as they may, and why none of their calls begins.
    pub spent: HashMap<i64, WaitReason>,
    /// Queues that may be dialed now.
    pub runnable: Vec<Runnable>,
    /// Further queues whose retry rules were asked for.
    pub others: Vec<Queue>,
    /// How many calls of one queue the lane should buffer.
    pub buffer: usize,
    /// Due calls by queue.
    pub due: Vec<Due>,
    /// Due quick calls, oldest first.
    pub quick: Vec<Ready>,
    /// True if more quick calls are due than were read.
    pub more_quick: bool,
    /// Queues of quick calls whose window is closed, and when it opens.
    pub quick_closed: Vec<(i64, Option<Millis>)>,
    /// Waiting calls whose deadline has passed.
    pub overdue: Vec<Call>,
    /// True if more calls are overdue than were read.
    pub more: bool,
    /// Calls that a rule forbids now.
    pub refusals: Vec<Refusal>,
    /// Calls that must wait for another day.
    pub deferrals: Vec<Deferral>,
    /// Calls that are held, because their client is braked.
    pub holds: Vec<Hold>,
    /// Requests of clients to end calls that were live at the time.
    pub commands: Vec<Command>,
    /// How many seconds calls of each client may take, if the client limits that.
    pub longest_calls: Vec<(i64, Option<i32>)>,
}

/// A queue that may be dialed now.
#[derive(Debug)]
pub struct Runnable {
    /// The queue, with its retry rules.
    pub queue: Queue,
    /// The queue's priority, 0 to 9.
    pub priority: i32,
    /// The queue's weight among those of its priority, 1 to 100.
    pub weight: i32,
    /// What limits the queue's calls on one server.
    pub limits: Limits,
    /// Time zones of its calls in which its window is closed, and when it opens; None if it never does.
    pub closed: BTreeMap<String, Option<i64>>,
    /// True if it has calls in a time zone in which the window is open.
    pub some_open: bool,
}

/// The due calls of one queue.
#[derive(Debug)]
pub struct Due {
    /// The id of the queue.
    pub queue_id: i64,
    /// The calls in the queue's order.
    pub calls: Vec<Ready>,
    /// True if more calls are due than were read.
    pub more: bool,
}

/// How many calls of a queue the lane has buffered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length {
    /// How many calls are buffered.
    pub all: usize,
    /// The calls that could not go when they were last checked, for a reason of their own such as a full trunk. Calls
    /// behind them might go.
    pub blocked: usize,
}

impl Length {
    /// Returns true if fewer than half of `most` calls may go, and there is room for more.
    #[must_use]
    pub fn is_low(self, most: usize) -> bool {
        self.all.saturating_sub(self.blocked) < most / 2 && self.all < BEYOND_BLOCKED * most
    }

    /// Returns true if so much is blocked that only calls far behind it might go.
    #[must_use]
    pub fn is_head_of_line_blocked(self, most: usize) -> bool {
        self.is_low(most) && self.all >= BLOCKED * most
    }
}
