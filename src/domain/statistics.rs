//! What is counted of calls, and what follows from the counts.

use super::status::Outcome;
use super::time::Millis;

/// The length of the shortest step of statistics, in milliseconds.
pub const MINUTE: i64 = 60_000;

/// The most projects of a client that are counted by their names in one hour. Those of all others are counted together,
/// as [`OTHER_PROJECTS`], so that a client that gives each call a project of its own fills no table.
pub const PROJECTS: usize = 100;

/// The name under which the projects beyond [`PROJECTS`] are counted.
pub const OTHER_PROJECTS: &str = "(other)";

/// The upper ends of the ranges of post-dial delays, in milliseconds. The last range has none.
const DELAY_ENDS: [i64; DELAYS - 1] = [250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000, 20_000];

/// How many ranges of post-dial delays are counted.
pub const DELAYS: usize = 12;

/// The delay in the middle of the last range, which has no end, in milliseconds.
const LONGEST_DELAY: i64 = 30_000;

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The client that the calls belong to.
    pub client_id: i64,
    /// The queue of the calls; 0 for quick calls, each of which has a queue of its own.
    pub queue_id: i64,
    /// The server that placed the attempts.
    pub server: String,
    /// The trunk that was dialed through; empty if there is none.
    pub trunk: String,
    /// The project of the calls; empty if they have none.
    pub project: String,
    /// How the attempts ended. None for what has begun and not ended.
    pub outcome: Option<Outcome>,
    /// The Q.850 cause of the hangups.
    pub hangup_cause: Option<u8>,
}

/// The counts of calls and attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls whose first attempt began.
    pub calls: i64,
    /// How many attempts began.
    pub attempts: i64,
    /// How many attempts ended.
    pub ended_attempts: i64,
    /// Attempts that ended after they had been answered.
    pub answered: i64,
    /// Calls that ended, also those that were never dialed.
    pub ended_calls: i64,
    /// Billable seconds of the attempts that ended.
    pub billable_seconds: i64,
    /// How many of the attempts that ended had a post-dial delay in each range.
    pub delays: [i64; DELAYS],
}

impl Counts {
    /// Adds other counts to these.
    pub fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.attempts += other.attempts;
        self.ended_attempts += other.ended_attempts;
        self.answered += other.answered;
        self.ended_calls += other.ended_calls;
        self.billable_seconds += other.billable_seconds;
        for (sum, delay) in self.delays.iter_mut().zip(other.delays) {
            *sum += delay;
        }
    }

    /// Counts a post-dial delay, in milliseconds.
    pub fn delayed(&mut self, millis: i64) {
        let range = DELAY_ENDS.iter().position(|end| millis <= *end).unwrap_or(DELAYS - 1);
        if let Some(count) = self.delays.get_mut(range) {
            *count += 1;
        }
    }

    /// Returns the answer-seizure ratio: the share of the attempts that were answered, from 0 to 1. None if none ended.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no one needs sixteen digits of a ratio")]
    pub fn asr(&self) -> Option<f64> {
        (self.ended_attempts > 0).then(|| self.answered as f64 / self.ended_attempts as f64)
    }

    /// Returns the average call duration, in billable seconds of an answered attempt. None if none was answered.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    pub fn acd(&self) -> Option<f64> {
        (self.answered > 0).then(|| self.billable_seconds as f64 / self.answered as f64)
    }

    /// Returns the post-dial delay that this share of the attempts did not exceed, in milliseconds. It is interpolated
    /// within a range. None if no delay was counted.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "an estimate of at most half a minute"
    )]
    pub fn delay(&self, share: f64) -> Option<i64> {
        let all: i64 = self.delays.iter().sum();
        let wanted = (all > 0).then_some(all as f64 * share)?;
        let (mut start, mut before) = (0, 0.0);
        for (index, &count) in self.delays.iter().enumerate() {
            let Some(&end) = DELAY_ENDS.get(index) else { return Some(LONGEST_DELAY) };
            let within = count as f64;
            if count > 0 && before + within >= wanted {
                return Some(start + ((end - start) as f64 * (wanted - before) / within) as i64);
            }
            before += within;
            start = end;
        }
        None
    }
}

/// Returns the number of the minute since 1970.
#[must_use]
pub const fn minute(at: Millis) -> i64 {
    at.0.div_euclid(MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_and_averages_are_absent_if_there_is_nothing_to_divide_by() {
        let none = Counts::default();
        assert_eq!((none.asr(), none.acd(), none.delay(0.5)), (None, None, None));
        let some = Counts { ended_attempts: 8, answered: 2, billable_seconds: 90, ..none };
        assert_eq!((some.asr(), some.acd()), (Some(0.25), Some(45.0)));
    }

    #[test]
    fn a_delay_is_estimated_within_its_range() {
        let mut counts = Counts::default();
        for millis in [100, 200, 700, 800, 900, 950, 990, 1000, 1000, 5000] {
            counts.delayed(millis);
        }
        // Two below 250 ms, seven from 500 to 1000 ms, and one from 4 to 6 s.
        assert_eq!(counts.delay(0.1), Some(125));
        assert_eq!(counts.delay(0.5), Some(714));
        assert_eq!(counts.delay(0.95), Some(5000));
        counts.delayed(25_000);
        assert_eq!(counts.delay(1.0), Some(LONGEST_DELAY));
    }

    #[test]
    fn counts_add_up() {
        let mut sum = Counts { calls: 1, attempts: 2, ..Counts::default() };
        let mut other = Counts { calls: 3, answered: 4, ended_calls: 5, ..Counts::default() };
        other.delayed(300);
        sum.add(&other);
        assert_eq!((sum.calls, sum.attempts, sum.answered, sum.ended_calls, sum.delays[1]), (4, 2, 4, 5, 1));
    }
}
