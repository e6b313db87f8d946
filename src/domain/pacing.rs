//! Limits how fast calls may begin, with a token bucket of one token, so that calls are spaced evenly within a second.

use std::time::{Duration, Instant};

/// How often a lane checks the pace. If several calls became due since the last check, they begin together.
const RESOLUTION: Duration = Duration::from_millis(1);

/// The longest time between two calls: one day. A slower rate counts as one call a day.
const SLOWEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the commit of a claim may take before the next call waits for it.
const COMMIT: Duration = Duration::from_millis(40);

/// A rate of calls. It is kept as the time from which the next call may begin (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    /// Creates a pace of `per_second` calls per second, above 0. Less than one call a day counts as one a day.
    #[must_use]
    pub fn new(per_second: f64, now: Instant) -> Self {
        Self { interval: interval(per_second), next: now }
    }

    /// Changes the rate from now on. Calls that have begun still count, but at most one interval of the new rate has to
    /// pass before the next one.
    pub fn set_rate(&mut self, per_second: f64, now: Instant) {
        self.interval = interval(per_second);
        self.next = self.next.min(now + self.interval);
    }

    /// Returns how many calls may begin now.
    ///
    /// At rates below 1000 calls per second this is never more than one, however long nothing was dialed.
    #[must_use]
    pub fn due(&self, now: Instant) -> usize {
        if now < self.next {
            return 0;
        }
        let late = (now - self.next).min(RESOLUTION - Duration::from_nanos(1));
        1 + usize::try_from(late.as_nanos() / self.interval.as_nanos().max(1)).unwrap_or(0)
    }

    /// Returns how many calls may be chosen but not yet sent to Asterisk at one time.
    ///
    /// While the store is slow or unavailable, chosen calls wait for their commit, and all of them would then begin in
    /// one burst. This limits the burst: at rates below 25 calls per second to one call.
    #[must_use]
    pub fn on_the_way(&self) -> usize {
        1 + usize::try_from(COMMIT.as_nanos() / self.interval.as_nanos().max(1)).unwrap_or(0)
    }

    /// Takes the tokens of `calls` that begin now.
    pub fn take(&mut self, calls: usize, now: Instant) {
        // Time in which nothing was dialed is not saved up, except for one check's worth, which makes up for a late
        // timer.
        let floor = now.checked_sub(RESOLUTION).unwrap_or(now);
        let taken = self.interval.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX));
        let from = self.next.max(floor);
        self.next = from.checked_add(taken).unwrap_or(from + SLOWEST);
    }

    /// Returns when the next call may begin.
    #[must_use]
    pub fn next(&self) -> Instant {
        self.next
    }
}

fn interval(per_second: f64) -> Duration {
    Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(SLOWEST).clamp(Duration::from_nanos(1), SLOWEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A client may set any rate. None may crash the lane, or let calls begin faster than it says.
        #[test]
        fn any_rate_can_be_taken_and_set(exponent in -320_i32..308, then in -320_i32..308, calls in any::<usize>()) {
            let (start, rate) = (Instant::now(), 10_f64.powi(exponent));
            let mut pace = Pace::new(rate, start);
            pace.take(1, start);
            prop_assert!(pace.next() - start >= Duration::from_secs_f64((0.9 / rate).clamp(1e-9, 86_000.0)));
            pace.take(calls, start);
            pace.set_rate(10_f64.powi(then), pace.next());
            pace.take(pace.due(pace.next()), pace.next());
        }
    }

    fn dialed_in(per_second: f64, check_every: Duration, total: Duration) -> usize {
        let start = Instant::now();
        let mut pace = Pace::new(per_second, start);
        let (mut now, mut dialed) = (start, 0);
        while now < start + total {
            let due = pace.due(now);
            pace.take(due, now);
            dialed += due;
            now += check_every;
        }
        dialed
    }

    #[test]
    fn calls_begin_at_the_rate_that_was_set_at_any_speed() {
        for rate in [1.0, 20.0, 333.0, 1400.0, 5000.0] {
            let dialed = dialed_in(rate, Duration::from_millis(1), Duration::from_secs(10));
            let expected = rate * 10.0;
            assert!((dialed as f64 - expected).abs() <= expected * 0.01 + 1.0, "{rate}/s gave {dialed} in 10 s");
        }
    }

    #[test]
    fn a_new_rate_applies_at_once_whether_it_is_faster_or_slower() {
        let start = Instant::now();
        let mut pace = Pace::new(0.01, start);
        pace.take(1, start);
        pace.set_rate(10.0, start);
        assert_eq!((pace.due(start), pace.next()), (0, start + Duration::from_millis(100)));
        pace.set_rate(1.0, start);
        pace.take(1, pace.next());
        assert_eq!(pace.next(), start + Duration::from_millis(1100));
    }

    #[test]
    fn a_slow_store_leads_to_no_burst() {
        let now = Instant::now();
        assert_eq!(Pace::new(1.0, now).on_the_way(), 1);
        assert_eq!(Pace::new(20.0, now).on_the_way(), 1);
        assert_eq!(Pace::new(1000.0, now).on_the_way(), 41);
    }

    #[test]
    fn a_long_pause_leads_to_no_burst() {
        let start = Instant::now();
        let mut pace = Pace::new(10.0, start);
        pace.take(1, start);
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.due(later), 1);
        pace.take(1, later);
        assert_eq!(pace.due(later), 0);
    }
}
