//! The rules of a queue: how its calls are paced and retried, and when they may be dialed.

use super::retry::RetryRule;
use super::window::Windows;

/// The priority of a queue that was not given one.
pub const DEFAULT_PRIORITY: i32 = 5;

/// The rules of one queue, except for `retry`, `retry_count` and `retry_gap`.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueRules {
    /// The priority, from 0. Queues of a higher one go first.
    pub priority: i32,
    /// The share of calls that the queue gets among queues of the same priority, from 1.
    pub weight: i32,
    /// How many calls may be live on one server, from 1. None if only the limits of the server apply.
    pub max_live_calls: Option<i32>,
    /// How many calls may begin per second on one server, above 0. None if only the limits of the server apply.
    pub calls_per_second: Option<f64>,
    /// How each kind of failure is retried, with at most one rule for each.
    pub retry_rules: Vec<RetryRule>,
    /// When calls may be dialed. None if they always may.
    pub windows: Option<Windows>,
    /// True if a call whose result is unknown is dialed again.
    pub at_least_once: bool,
    /// How many seconds a call may take, from 1. None if only the other limits apply.
    pub max_call_seconds: Option<i32>,
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
            max_call_seconds: None,
        }
    }
}
