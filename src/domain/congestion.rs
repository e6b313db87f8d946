//! Decides how much more slowly calls begin while a server or a trunk is congested.
//!
//! | what happens | what follows |
//! | --- | --- |
//! | [`IN_A_ROW`] calls in a row end in congestion | the pace is halved, at most to 1/64 of the limit that was set |
//! | a call is answered, busy or unanswered, or its number does not exist | the count restarts, the pace doubles |
//! | [`RECOVERS`] passes without congestion | the same |

use std::time::{Duration, Instant};

use super::status::Outcome;

/// The number of congested calls in a row that halves the pace. Fewer may be chance, such as two calls to one congested
/// destination.
pub const IN_A_ROW: u32 = 5;

/// The largest number of halvings, which reduces the pace to 1/64.
pub const MOST_HALVINGS: u32 = 6;

/// The time without congestion after which the pace doubles by itself. Congestion of a telephone network passes within
/// minutes.
pub const RECOVERS: Duration = Duration::from_secs(10);

/// How far the pace of a server or a trunk is reduced, judged by how its last calls ended.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    in_a_row: u32,
    halvings: u32,
    /// The time of the last congestion or recovery; None if there is nothing to recover from.
    since: Option<Instant>,
}

impl Backoff {
    /// Counts the outcome of a call that ended at `now`.
    pub fn saw(&mut self, outcome: Outcome, now: Instant) {
        self.recover(now);
        match outcome {
            Outcome::Congestion => {
                self.in_a_row += 1;
                self.since = Some(now);
                if self.in_a_row >= IN_A_ROW {
                    self.in_a_row = 0;
                    self.halvings = (self.halvings + 1).min(MOST_HALVINGS);
                }
            }
            Outcome::Answered | Outcome::Busy | Outcome::NoAnswer | Outcome::Unallocated => {
                self.in_a_row = 0;
                self.halvings = self.halvings.saturating_sub(1);
            }
            // These calls never reached the network, or it is unknown whether they did.
            Outcome::Rejected | Outcome::Failed | Outcome::Expired | Outcome::Canceled | Outcome::Unknown => {}
        }
    }

    /// Doubles the pace once for each [`RECOVERS`] that passed without congestion until `now`.
    pub fn recover(&mut self, now: Instant) {
        while let Some(since) = self.since
            && now.saturating_duration_since(since) >= RECOVERS
        {
            self.in_a_row = 0;
            self.halvings = self.halvings.saturating_sub(1);
            self.since = (self.halvings > 0).then(|| since + RECOVERS);
        }
    }

    /// Returns the factor by which the pace is multiplied: 1, 1/2, 1/4 … 1/64.
    #[must_use]
    pub fn factor(&self) -> f64 {
        1.0 / f64::from(1_u32 << self.halvings)
    }

    /// Returns true if calls begin more slowly than the limit that was set allows.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        self.halvings > 0
    }

    /// Returns true if the pace is full and no congestion is counted, so that nothing needs to be remembered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.halvings == 0 && self.in_a_row == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after(outcomes: &[Outcome]) -> Backoff {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for outcome in outcomes {
            backoff.saw(*outcome, now);
        }
        backoff
    }

    #[test]
    fn five_congested_calls_in_a_row_halve_the_pace_and_four_do_not() {
        assert!(!after(&[Outcome::Congestion; 4]).is_slow());
        assert!((after(&[Outcome::Congestion; 5]).factor() - 0.5).abs() < f64::EPSILON);
        assert!((after(&[Outcome::Congestion; 10]).factor() - 0.25).abs() < f64::EPSILON);
        assert!((after(&[Outcome::Congestion; 1000]).factor() - 1.0 / 64.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_call_that_gets_through_starts_the_count_again() {
        let mut outcomes = vec![Outcome::Congestion; 4];
        outcomes.push(Outcome::Busy);
        outcomes.extend([Outcome::Congestion; 4]);
        assert!(!after(&outcomes).is_slow());
        let mut slow = vec![Outcome::Congestion; 10];
        slow.push(Outcome::Answered);
        assert!((after(&slow).factor() - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn the_pace_recovers_by_itself_step_by_step() {
        let (mut backoff, now) = (Backoff::default(), Instant::now());
        for _ in 0..15 {
            backoff.saw(Outcome::Congestion, now);
        }
        for (seconds, factor) in [(9, 0.125), (10, 0.25), (19, 0.25), (20, 0.5), (30, 1.0), (300, 1.0)] {
            backoff.recover(now + Duration::from_secs(seconds));
            assert!((backoff.factor() - factor).abs() < f64::EPSILON, "{} after {seconds} s", backoff.factor());
        }
        assert!(backoff.is_idle());
    }

    proptest! {
        #[test]
        fn a_minute_without_calls_restores_the_full_pace_whatever_happened(
            seen in prop::collection::vec((0_usize..10, 0_u64..5), 0..200),
        ) {
            let (mut backoff, mut now) = (Backoff::default(), Instant::now());
            for (outcome, seconds) in seen {
                now += Duration::from_secs(seconds);
                backoff.saw(Outcome::ALL[outcome], now);
            }
            backoff.recover(now + RECOVERS * MOST_HALVINGS);
            prop_assert!(backoff.is_idle(), "{backoff:?}");
        }
    }
}
