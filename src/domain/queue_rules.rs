//! How a queue's calls are paced, tried again, and when they may go out.

use super::retry::RetryRule;
use super::window::Windows;

/// Highest priority; 0 is the lowest.
pub const MAX_PRIORITY: i32 = 9;
/// The priority of a queue that nobody gave one.
pub const DEFAULT_PRIORITY: i32 = 5;
/// Largest weight; 1 is the smallest.
pub const MAX_WEIGHT: i32 = 100;
/// Most live calls that a queue's limit can be.
pub const MAX_LIVE_CALLS: i32 = 100_000;
/// Most calls a second that a queue's pace can be.
pub const MAX_CALLS_PER_SECOND: f64 = 10_000.0;

/// The rules of one queue, besides the simple form of further tries.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueRules {
    /// 0 to [`MAX_PRIORITY`]: queues of a higher one go first.
    pub priority: i32,
    /// 1 to [`MAX_WEIGHT`]: how many calls it gets beside others of its priority.
    pub weight: i32,
    /// Live calls on one server, 1 to [`MAX_LIVE_CALLS`]; None: as many as the server takes.
    pub max_live_calls: Option<i32>,
    /// Calls begun a second on one server, above 0, at most [`MAX_CALLS_PER_SECOND`]; None: as the server takes them.
    pub calls_per_second: Option<f64>,
    /// At most one a failure.
    pub retry_rules: Vec<RetryRule>,
    /// When calls may go out; None: always.
    pub windows: Option<Windows>,
    /// A call in doubt is dialed again.
    pub at_least_once: bool,
}

impl Default for QueueRules {
    fn default() -> Self {
        Self {
            priority: DEFAULT_PRIORITY,
            weight: 1,
            max_live_calls: None,
            calls_per_second: None,
            retry_rules: Vec::new(),
            windows: None,
            at_least_once: false,
        }
    }
}
