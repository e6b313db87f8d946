//! The rules of a queue: how fast its calls are dialed, how they are tried again, and when they may be dialed.

use super::retry::RetryRule;
use super::window::Windows;

/// The priority of a queue that has none set.
pub const DEFAULT_PRIORITY: i32 = 5;

/// The rules of one queue, besides the simple form of its retry rule.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueRules {
    /// The priority, from 0. Queues with a higher one go first.
    pub priority: i32,
    /// The weight, from 1: the queue's share beside others of its priority.
    pub weight: i32,
    /// How many calls may be live on one server, from 1; None: as many as the server takes.
    pub max_live_calls: Option<i32>,
    /// How many calls may begin per second on one server, above 0; None: as many as the server takes.
    pub calls_per_second: Option<f64>,
    /// The retry rules, at most one for each failure.
    pub retry_rules: Vec<RetryRule>,
    /// When calls may be dialed; None: at any time.
    pub windows: Option<Windows>,
    /// True if a call whose outcome is unknown is dialed again.
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
