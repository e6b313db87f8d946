//! Decides whether a failed attempt is followed by another one, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds;
use super::status::Outcome;
use super::time::Millis;

/// The default of a queue's `retry_gap`: seconds from the end of an attempt to the next one.
pub const DEFAULT_GAP_SECONDS: i32 = 300;

/// The largest gap between two attempts in seconds, which is a week. It also bounds what backoff and jitter make of a
/// delay.
pub const MAX_GAP_SECONDS: i32 = bounds::RETRY_RULE_DELAY_MAX;

/// The largest number of further attempts that a rule, `retry` or `retry_count` may allow, and the largest number after
/// an unknown result.
pub const MAX_RETRIES: i32 = bounds::QUEUE_ITEM_RETRY_MAX;

/// How calls are retried after one kind of failure. For its outcome, the rule overrides `retry`, `retry_count` and
/// `retry_gap`. As JSON it is in the columns `queues.retry_rules` and `calls.plan`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryRule {
    /// The kind of failure that the rule is for.
    pub outcome: Failure,
    /// The number of further attempts after this failure, 0 to [`MAX_RETRIES`]. None means as many as the call has
    /// without the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<i32>,
    /// Seconds until the next attempt, 0 to [`MAX_GAP_SECONDS`]. None means the queue's gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<i32>,
    /// The factor by which the delay grows with each further failure of this kind, at least 1.
    #[serde(default = "no_backoff")]
    pub backoff: f64,
    /// The part of the delay by which it is varied at random in both directions, 0 to 1.
    #[serde(default)]
    pub jitter: f64,
}

/// The outcomes after which another attempt may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The attempt ended with [`Outcome::Busy`].
    Busy,
    /// The attempt ended with [`Outcome::NoAnswer`].
    NoAnswer,
    /// The attempt ended with [`Outcome::Congestion`].
    Congestion,
    /// The attempt ended with [`Outcome::Failed`].
    Failed,
}

/// How the calls of a queue are retried.
#[derive(Clone, Debug, PartialEq)]
pub struct Retries {
    /// False if no call of the queue is ever retried.
    pub retry: bool,
    /// The number of further attempts that every call has in all, even if its item asks for fewer.
    pub count: i32,
    /// Seconds from the end of an attempt to the next one.
    pub gap_seconds: i32,
    /// The rules for kinds of failure, at most one for each.
    pub rules: Vec<RetryRule>,
    /// True if a call whose result is unknown is dialed again, in addition to the attempts that it has otherwise.
    pub at_least_once: bool,
}

/// What the item of a call says about its own retries.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnRetries<'a> {
    /// The number of further attempts, which is the item's `retry`.
    pub count: i32,
    /// The item's rules, which override the queue's.
    pub rules: &'a [RetryRule],
}

/// An attempt that has ended, and how often the call has ended in each way.
#[derive(Clone, Copy, Debug)]
pub struct EndedTry {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// The number of the attempt, from 1.
    pub number: i32,
    /// The outcomes of the call's attempts so far, including this one.
    pub tally: Tally,
    /// When the attempt ended.
    pub at: Millis,
}

/// How often a call's attempts ended with each outcome that another attempt may follow. It has eight bits for each, as
/// in the column `calls.tally`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally(pub i64);

impl Tally {
    /// Returns the tally of one attempt with an outcome; 0 for an outcome that is not counted.
    #[must_use]
    pub const fn one(outcome: Outcome) -> Self {
        Self(match outcome {
            Outcome::Busy => 1,
            Outcome::NoAnswer => 1 << 8,
            Outcome::Congestion => 1 << 16,
            Outcome::Failed => 1 << 24,
            Outcome::Unknown => 1 << 32,
            Outcome::Answered | Outcome::Unallocated | Outcome::Rejected | Outcome::Expired | Outcome::Canceled => 0,
        })
    }

    /// Returns the tally with one more attempt that ended with `outcome`.
    #[must_use]
    pub const fn with(self, outcome: Outcome) -> Self {
        Self(self.0 + Self::one(outcome).0)
    }

    /// Returns how many attempts ended with an outcome; 0 for an outcome that is not counted.
    #[must_use]
    pub fn of(self, outcome: Outcome) -> i32 {
        let one = Self::one(outcome).0;
        let count = if one == 0 { 0 } else { (self.0 / one) % 256 };
        i32::try_from(count).unwrap_or(0)
    }
}

impl Failure {
    /// Returns the outcome of an attempt that failed in this way.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Busy => Outcome::Busy,
            Self::NoAnswer => Outcome::NoAnswer,
            Self::Congestion => Outcome::Congestion,
            Self::Failed => Outcome::Failed,
        }
    }

    /// Returns the kind of failure of an outcome; None for an outcome that no rule retries.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Busy => Some(Self::Busy),
            Outcome::NoAnswer => Some(Self::NoAnswer),
            Outcome::Congestion => Some(Self::Congestion),
            Outcome::Failed => Some(Self::Failed),
            Outcome::Answered
            | Outcome::Unallocated
            | Outcome::Rejected
            | Outcome::Expired
            | Outcome::Canceled
            | Outcome::Unknown => None,
        }
    }
}

impl RetryRule {
    /// Returns the seconds until the next attempt after the `times`th failure of this kind. `random`, 0 to 1, chooses
    /// the delay within the jitter.
    fn seconds(&self, gap_seconds: i32, times: i32, random: f64) -> f64 {
        let delay = f64::from(self.delay.unwrap_or(gap_seconds));
        let most = f64::from(MAX_GAP_SECONDS);
        let grown = (delay * self.backoff.powi((times - 1).max(0))).min(most);
        (grown * self.jitter.mul_add(2.0 * random - 1.0, 1.0)).min(most)
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self { retry: true, count: 0, gap_seconds: DEFAULT_GAP_SECONDS, rules: Vec::new(), at_least_once: false }
    }
}

impl Retries {
    /// Returns the number of further attempts that a call has without a rule for its failure. `own` is the number that
    /// its item asks for.
    #[must_use]
    pub fn allowed(&self, own: i32) -> i32 {
        if self.retry { own.max(self.count) } else { 0 }
    }

    /// Returns when a call is dialed again after an attempt has ended; None if it is not. `random` is 0 to 1.
    ///
    /// An attempt whose result is unknown does not use up one of the attempts that the call has.
    #[must_use]
    pub fn next_try(&self, own: OwnRetries<'_>, ended: EndedTry, random: f64) -> Option<Millis> {
        if !self.retry {
            return None;
        }
        let gap = f64::from(self.gap_seconds);
        if ended.outcome == Outcome::Unknown {
            let more = self.at_least_once && ended.tally.of(Outcome::Unknown) <= MAX_RETRIES;
            return more.then(|| after(ended.at, gap));
        }
        let failure = Failure::of(ended.outcome)?;
        let times = ended.tally.of(ended.outcome);
        let rule = [own.rules, &self.rules].into_iter().flatten().find(|rule| rule.outcome == failure);
        let more = match rule.and_then(|rule| rule.max_retries) {
            Some(most) => times <= most,
            None => ended.number - ended.tally.of(Outcome::Unknown) <= self.allowed(own.count),
        };
        let seconds = rule.map_or(gap, |rule| rule.seconds(self.gap_seconds, times, random));
        more.then(|| after(ended.at, seconds))
    }
}

/// Returns the factor of a rule that has no backoff. The factor is always written, so that a rule is read back as it
/// was set.
fn no_backoff() -> f64 {
    1.0
}

fn after(at: Millis, seconds: f64) -> Millis {
    at.plus(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ENDED: Millis = Millis(1_000);

    /// Returns the last attempt of a call whose attempts ended with these outcomes, in this order.
    fn after_tries(outcomes: &[Outcome]) -> EndedTry {
        let tally = outcomes.iter().fold(Tally::default(), |tally, outcome| tally.with(*outcome));
        let number = i32::try_from(outcomes.len()).unwrap();
        EndedTry { outcome: *outcomes.last().unwrap(), number, tally, at: ENDED }
    }

    fn next(retries: &Retries, own: i32, outcomes: &[Outcome]) -> Option<Millis> {
        retries.next_try(OwnRetries { count: own, rules: &[] }, after_tries(outcomes), 0.5)
    }

    fn rule(outcome: Failure, max_retries: Option<i32>, delay: Option<i32>) -> RetryRule {
        RetryRule { outcome, max_retries, delay, backoff: 1.0, jitter: 0.0 }
    }

    fn with_rules(rules: &[RetryRule]) -> Retries {
        Retries { rules: rules.to_vec(), ..Retries::default() }
    }

    use Outcome::{Answered, Busy, Congestion, Failed, NoAnswer, Rejected, Unallocated, Unknown};

    #[test]
    fn the_retries_of_an_item_apply_if_the_queue_does_not_say_otherwise() {
        let retries = Retries::default();
        assert_eq!(next(&retries, 1, &[Busy]), Some(Millis(301_000)));
        assert_eq!(next(&retries, 1, &[Busy, NoAnswer]), None);
        assert_eq!(next(&retries, 0, &[Busy]), None);
    }

    #[test]
    fn the_larger_of_the_queues_and_the_items_count_wins() {
        let retries = Retries { count: 3, gap_seconds: 0, ..Retries::default() };
        assert_eq!(retries.allowed(1), 3);
        assert_eq!(retries.allowed(5), 5);
        assert_eq!(Retries { retry: false, ..retries }.allowed(5), 0);
    }

    #[test]
    fn an_outcome_that_cannot_get_better_is_not_retried() {
        let retries = Retries { count: 100, gap_seconds: 1, ..Retries::default() };
        for outcome in [Answered, Unallocated, Rejected, Unknown] {
            assert_eq!(next(&retries, 100, &[outcome]), None, "{outcome:?}");
        }
    }

    #[test]
    fn each_failure_has_its_own_delay_and_maximum() {
        let retries = with_rules(&[rule(Failure::Busy, Some(2), Some(60)), rule(Failure::NoAnswer, Some(1), None)]);
        assert_eq!(next(&retries, 0, &[Busy]), Some(Millis(61_000)));
        assert_eq!(next(&retries, 0, &[Busy, Busy, NoAnswer]), Some(Millis(301_000)), "it is the first no-answer");
        assert_eq!(next(&retries, 0, &[Busy, NoAnswer, NoAnswer]), None);
        assert_eq!(next(&retries, 0, &[Busy, Busy, Busy]), None);
        assert_eq!(
            next(&retries, 0, &[Congestion]),
            None,
            "a failure without a rule has only the retries of the item and the queue"
        );
    }

    #[test]
    fn a_rule_without_a_maximum_only_sets_the_delay() {
        let retries = with_rules(&[rule(Failure::Failed, None, Some(10))]);
        assert_eq!(next(&retries, 0, &[Failed]), None);
        assert_eq!(next(&retries, 1, &[Failed]), Some(Millis(11_000)));
        assert_eq!(next(&retries, 1, &[Busy, Failed]), None, "the call has used its one retry");
    }

    #[test]
    fn a_rule_of_an_item_overrides_the_queues() {
        let retries = with_rules(&[rule(Failure::Busy, Some(5), Some(60))]);
        let own = [rule(Failure::Busy, Some(1), Some(5))];
        let own = OwnRetries { count: 0, rules: &own };
        assert_eq!(retries.next_try(own, after_tries(&[Busy]), 0.0), Some(Millis(6_000)));
        assert_eq!(retries.next_try(own, after_tries(&[Busy, Busy]), 0.0), None);
    }

    #[test]
    fn retry_false_stops_all_retries_whatever_a_rule_says() {
        let rules = with_rules(&[rule(Failure::Busy, Some(5), None)]);
        let retries = Retries { retry: false, at_least_once: true, ..rules };
        assert_eq!(next(&retries, 5, &[Busy]), None);
        assert_eq!(next(&retries, 5, &[Unknown]), None);
    }

    #[test]
    fn the_delay_grows_with_each_failure_of_its_kind_up_to_a_week() {
        let doubling = RetryRule { backoff: 2.0, ..rule(Failure::Busy, Some(100), Some(10)) };
        let retries = with_rules(&[doubling]);
        assert_eq!(next(&retries, 0, &[Busy]), Some(Millis(11_000)));
        assert_eq!(next(&retries, 0, &[Busy, Busy]), Some(Millis(21_000)));
        assert_eq!(next(&retries, 0, &[Busy, Busy, Busy]), Some(Millis(41_000)));
        assert_eq!(next(&retries, 0, &[Busy; 80]), Some(ENDED.plus(Duration::from_secs(604_800))));
    }

    #[test]
    fn jitter_spreads_the_delay_to_both_sides() {
        let spread = RetryRule { jitter: 0.5, ..rule(Failure::Busy, Some(1), Some(100)) };
        let retries = with_rules(&[spread]);
        let own = OwnRetries::default();
        for (random, seconds) in [(0.0, 50), (0.5, 100), (1.0, 150)] {
            let due = retries.next_try(own, after_tries(&[Busy]), random);
            assert_eq!(due, Some(ENDED.plus(Duration::from_secs(seconds))));
        }
    }

    #[test]
    fn an_at_least_once_queue_retries_an_unknown_result_beyond_the_calls_retries() {
        let retries = Retries { at_least_once: true, ..Retries::default() };
        assert_eq!(next(&retries, 0, &[Unknown]), Some(Millis(301_000)));
        assert_eq!(
            next(&retries, 1, &[Unknown, Busy]),
            Some(Millis(301_000)),
            "the unknown result did not use up the one retry"
        );
        assert_eq!(next(&retries, 1, &[Unknown, Busy, Busy]), None);
        assert_eq!(next(&retries, 0, &[Unknown; 101]), None, "a call is not retried for ever");
    }

    #[test]
    fn a_rule_is_read_as_it_was_written() {
        let text = r#"[{"outcome":"no-answer","max_retries":3,"delay":60,"backoff":1.5,"jitter":0.1}]"#;
        let rules: Vec<RetryRule> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&rules).unwrap(), text);
        let least: RetryRule = serde_json::from_str(r#"{"outcome":"busy"}"#).unwrap();
        assert_eq!(least, rule(Failure::Busy, None, None));
    }

    proptest! {
        #[test]
        fn a_tally_counts_each_outcome_separately(codes in prop::collection::vec(1i16..=10, 0..250)) {
            let outcomes: Vec<Outcome> = codes.iter().map(|&code| Outcome::try_from(code).unwrap()).collect();
            let tally = outcomes.iter().fold(Tally::default(), |tally, outcome| tally.with(*outcome));
            for counted in [Busy, NoAnswer, Congestion, Failed, Unknown] {
                let count = outcomes.iter().filter(|outcome| **outcome == counted).count();
                prop_assert_eq!(usize::try_from(tally.of(counted)), Ok(count));
            }
        }

        /// Whatever the rules are, no call is retried without end, and each attempt is due at most a week after the end
        /// of the one before.
        #[test]
        fn every_call_comes_to_an_end(
            own in 0i32..=100, retry in any::<bool>(), count in 0i32..=100,
            most in prop::option::of(0i32..=100), delay in prop::option::of(0..=MAX_GAP_SECONDS),
            backoff in 1.0f64..10.0, jitter in 0.0f64..=1.0,
            at_least_once in any::<bool>(), codes in prop::collection::vec(1i16..=10, 600), random in 0.0f64..=1.0,
        ) {
            let rules = vec![RetryRule { outcome: Failure::Busy, max_retries: most, delay, backoff, jitter }];
            let retries = Retries { retry, count, gap_seconds: 300, rules, at_least_once };
            let week = Duration::from_secs(604_800);
            let (mut tally, mut number, mut over) = (Tally::default(), 0, false);
            for code in codes {
                let outcome = Outcome::try_from(code).unwrap();
                (tally, number) = (tally.with(outcome), number + 1);
                let ended = EndedTry { outcome, number, tally, at: ENDED };
                match retries.next_try(OwnRetries { count: own, rules: &[] }, ended, random) {
                    None => { over = true; break; }
                    Some(due) => prop_assert!(due >= ENDED && due <= ENDED.plus(week)),
                }
            }
            prop_assert!(over);
        }
    }
}
