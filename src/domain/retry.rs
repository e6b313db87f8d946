//! Whether a failed attempt is followed by another, and when.

use std::time::Duration;

use super::status::Outcome;
use super::time::Millis;

/// Seconds between two tries where nobody said otherwise.
pub const DEFAULT_GAP_SECONDS: i32 = 300;

/// A queue's rule, as `updatequeuemaster` sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryRule {
    /// None: each item's own `retry` counts. Some(false): no retries at all.
    pub retry: Option<bool>,
    /// Further tries that `retry: true` grants, in all.
    pub count: Option<i32>,
    /// Seconds between two tries.
    pub gap_seconds: i32,
}

impl Default for RetryRule {
    fn default() -> Self {
        Self { retry: None, count: None, gap_seconds: DEFAULT_GAP_SECONDS }
    }
}

impl RetryRule {
    /// Tries beyond the first that a call may have, where its item asked for `own`.
    #[must_use]
    pub fn allowed(&self, own: i32) -> i32 {
        match self.retry {
            Some(false) => 0,
            Some(true) => own.max(self.count.unwrap_or(0)),
            None => own,
        }
    }

    /// When the next try of a call is due whose `attempts`th has just ended, or None when there is none.
    #[must_use]
    pub fn next_try(&self, outcome: Outcome, attempts: i32, own: i32, ended: Millis) -> Option<Millis> {
        let more = outcome.is_retryable() && attempts <= self.allowed(own);
        more.then(|| ended.plus(Duration::from_secs(u64::try_from(self.gap_seconds).unwrap_or(0))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDED: Millis = Millis(1_000);

    #[test]
    fn an_items_own_retry_counts_until_the_queue_says_otherwise() {
        let rule = RetryRule::default();
        assert_eq!(rule.next_try(Outcome::Busy, 1, 1, ENDED), Some(Millis(301_000)));
        assert_eq!(rule.next_try(Outcome::Busy, 2, 1, ENDED), None);
        assert_eq!(rule.next_try(Outcome::Busy, 1, 0, ENDED), None);
    }

    #[test]
    fn the_larger_of_the_queues_and_the_items_count_wins() {
        let rule = RetryRule { retry: Some(true), count: Some(3), gap_seconds: 0 };
        assert_eq!(rule.allowed(1), 3);
        assert_eq!(rule.allowed(5), 5);
        assert_eq!(RetryRule { retry: Some(false), ..rule }.allowed(5), 0);
    }

    #[test]
    fn what_cannot_get_better_is_not_tried_again() {
        let rule = RetryRule { retry: Some(true), count: Some(100), gap_seconds: 1 };
        for outcome in [Outcome::Answered, Outcome::Unallocated, Outcome::Rejected, Outcome::Unknown] {
            assert_eq!(rule.next_try(outcome, 1, 100, ENDED), None, "{outcome:?}");
        }
    }
}
