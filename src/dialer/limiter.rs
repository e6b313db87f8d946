//! Limiters: how many calls may be live at one time, and how many may begin per second.
//!
//! Live calls are never counted up and down. Each attempt owns a [`Permit`] of every limit that it falls under, and a
//! limit's live calls are the permits that exist, so there is no number that could be wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::reservation::Reservation;
use crate::domain::congestion::Backoff;
use crate::domain::ids::CallId;
pub use crate::domain::limits::Limits;
use crate::domain::pacing::Pace;
use crate::domain::status::Outcome;

/// When to check again if calls that had their turn are not sent yet. A notification may come earlier.
const RECHECK_INTERVAL: Duration = Duration::from_millis(25);

/// One live call under one limit, for as long as the permit exists.
#[derive(Debug)]
pub struct Permit {
    _live: Arc<()>,
    /// One for each further leg that counts.
    _legs: Vec<Arc<()>>,
    /// Present until the call's Originate is sent.
    on_the_way: Option<Arc<()>>,
}

impl Permit {
    /// Notes that the call's Originate was sent.
    pub fn sent(&mut self) {
        self.on_the_way = None;
    }
}

/// Why no call may begin now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LimitReached {
    /// As many calls are live as the limit allows.
    Live {
        /// How many live calls the limit allows.
        most: i32,
    },
    /// Calls have begun as fast as the limit allows.
    Pace {
        /// How many calls may begin per second.
        per_second: f64,
        /// When the next call may begin.
        until: Instant,
        /// True if the rate is below the configured one, because of congestion.
        slowed: bool,
    },
}

/// One limit, with its live calls and its pace.
#[derive(Debug)]
pub struct Limiter {
    set: Limits,
    /// The rate and pace in force: as configured, or slower.
    pace: Option<(f64, Pace)>,
    live: Arc<()>,
    /// Calls whose turn has come and whose Originate is not sent yet: see [`Pace::on_the_way`].
    on_the_way: Arc<()>,
    backoff: Backoff,
    /// The rate that is slowed down if no rate is configured, in calls per second.
    usual: f64,
    /// How the limit was reached since this was last cleared.
    reached: Option<LimitReached>,
    /// The permits that are kept for a call with several legs.
    reservation: Option<Reservation>,
}

impl Limiter {
    /// Makes a limiter. `usual` is the rate that is slowed down if no rate is configured, in calls per second.
    #[must_use]
    pub fn new(set: Limits, usual: f64, now: Instant) -> Self {
        let mut limiter = Self {
            set: Limits::default(),
            pace: None,
            live: Arc::default(),
            on_the_way: Arc::default(),
            backoff: Backoff::default(),
            usual,
            reached: None,
            reservation: None,
        };
        limiter.set(set, now);
        limiter
    }

    /// Changes the limits. Calls that are live already count, and so does the time since the last one began.
    pub fn set(&mut self, set: Limits, now: Instant) {
        self.set = set;
        self.keep_pace(now);
    }

    /// Changes the rate that is slowed down if no rate is configured, in calls per second.
    pub fn set_usual(&mut self, per_second: f64) {
        self.usual = per_second;
    }

    fn keep_pace(&mut self, now: Instant) {
        let slowed = self.backoff.is_slow();
        let wanted = match self.set.per_second {
            None if !slowed => None,
            set => Some(set.unwrap_or(self.usual) * self.backoff.factor()),
        };
        match (wanted, &mut self.pace) {
            (None, pace) => *pace = None,
            #[expect(clippy::float_cmp, reason = "the same computation gives the same rate")]
            (Some(rate), Some((in_force, pace))) => {
                if rate != *in_force {
                    *in_force = rate;
                    pace.set_rate(rate, now);
                }
            }
            (Some(rate), pace) => *pace = Some((rate, Pace::new(rate, now))),
        }
    }

    /// Returns how many calls may be live at one time.
    #[must_use]
    pub fn max_live(&self) -> Option<i32> {
        self.set.max_live
    }

    /// Returns how many calls are live.
    #[must_use]
    pub fn live(&self) -> usize {
        Arc::strong_count(&self.live) - 1
    }

    fn on_the_way(&self) -> usize {
        Arc::strong_count(&self.on_the_way) - 1
    }

    /// Checks whether a call may begin now. If not, the reason is remembered.
    pub fn check(&mut self, now: Instant) -> Result<(), LimitReached> {
        let reached = self.limit_reached(now);
        if let Err(why) = reached {
            self.reached = Some(why);
        }
        reached
    }

    fn limit_reached(&self, now: Instant) -> Result<(), LimitReached> {
        if let Some(most) = self.set.max_live
            && self.live() >= usize::try_from(most).unwrap_or(0)
        {
            return Err(LimitReached::Live { most });
        }
        if let Some((per_second, pace)) = &self.pace
            && (pace.due(now) == 0 || self.on_the_way() >= pace.on_the_way())
        {
            let slowed = self.backoff.is_slow();
            let until = if pace.due(now) == 0 { pace.next() } else { now + RECHECK_INTERVAL };
            return Err(LimitReached::Pace { per_second: *per_second, until, slowed });
        }
        Ok(())
    }

    /// Checks whether a call with this many legs may begin, given that [`Limiter::check`] allows one. If there are too
    /// few permits for its legs, they may be kept for it. If others are kept, the reason is remembered.
    pub fn check_legs(&mut self, call: CallId, legs: usize, now: Instant) -> Result<(), LimitReached> {
        let Some(most) = self.set.max_live else { return Ok(()) };
        let room = usize::try_from(most).unwrap_or(0).saturating_sub(self.live());
        if legs > room {
            Reservation::want(&mut self.reservation, call, legs, now);
        }
        let kept = self.reservation.as_ref().map_or(0, |reservation| reservation.kept_from(call, legs, now));
        if room < legs + kept {
            let reached = LimitReached::Live { most };
            self.reached = Some(reached);
            return Err(reached);
        }
        Ok(())
    }

    /// Returns true if permits are kept, or may soon be, for a call with several legs.
    #[must_use]
    pub fn has_reservation(&self) -> bool {
        self.reservation.is_some()
    }

    /// Drops the reservation of a call that waits no more. `waits` says whether a call still does, as far as is known.
    pub fn renew_reservation(&mut self, waits: &impl Fn(CallId) -> bool, now: Instant) {
        if self.reservation.as_mut().is_some_and(|reservation| !reservation.renew(waits, now)) {
            self.reservation = None;
        }
    }

    /// Begins a call with this many legs now.
    pub fn begin(&mut self, call: CallId, legs: usize, now: Instant) -> Permit {
        if let Some((_, pace)) = &mut self.pace {
            pace.take(legs, now);
        }
        if self.reservation.as_ref().is_some_and(|reservation| reservation.call() == call) {
            self.reservation = None;
        }
        Permit { on_the_way: Some(Arc::clone(&self.on_the_way)), ..self.adopt(legs) }
    }

    /// Returns the permit of a call with this many legs that is live already.
    #[must_use]
    pub fn adopt(&self, legs: usize) -> Permit {
        let further = (1..legs).map(|_| Arc::clone(&self.live)).collect();
        Permit { _live: Arc::clone(&self.live), _legs: further, on_the_way: None }
    }

    /// Notes how a call under this limit ended.
    pub fn saw(&mut self, outcome: Outcome, now: Instant) {
        self.backoff.saw(outcome, now);
        self.keep_pace(now);
    }

    /// Lets a slowed rate recover as time passes.
    pub fn recover(&mut self, now: Instant) {
        if !self.backoff.is_idle() {
            self.backoff.recover(now);
            self.keep_pace(now);
        }
    }

    /// Returns how the limit was reached since that was last cleared.
    #[must_use]
    pub fn reached(&self) -> Option<LimitReached> {
        self.reached
    }

    /// Clears how the limit was reached.
    pub fn forget_reached(&mut self) {
        self.reached = None;
    }

    /// Returns true if the limiter has no state that matters, apart from its configured limits.
    #[must_use]
    pub fn is_idle(&self, now: Instant) -> bool {
        self.live() == 0 && self.backoff.is_idle() && self.pace.as_ref().is_none_or(|(_, pace)| pace.next() <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limiter(max_live: Option<i32>, per_second: Option<f64>, now: Instant) -> Limiter {
        Limiter::new(Limits { max_live, per_second }, 10.0, now)
    }

    #[test]
    fn a_slot_is_free_again_when_its_attempt_is_gone_however_it_went() {
        let now = Instant::now();
        let mut limiter = limiter(Some(1), None, now);
        let permit = limiter.begin(CallId::new(), 1, now);
        assert_eq!(limiter.check(now), Err(LimitReached::Live { most: 1 }));
        drop(permit);
        assert_eq!(limiter.check(now), Ok(()));
    }

    /// What a slow store held up must not reach a trunk in one burst.
    #[test]
    fn what_is_held_up_on_its_way_to_the_wire_lets_nothing_more_begin() {
        let start = Instant::now();
        let (mut limiter, later) = (limiter(None, Some(10.0), start), start + Duration::from_secs(3));
        let mut permit = limiter.begin(CallId::new(), 1, start);
        assert!(matches!(limiter.check(later), Err(LimitReached::Pace { until, .. }) if until > later));
        permit.sent();
        assert_eq!(limiter.check(later), Ok(()));
    }

    #[test]
    fn a_limit_that_is_lowered_counts_what_is_live_already() {
        let now = Instant::now();
        let mut limiter = limiter(None, None, now);
        let permits: Vec<Permit> = (0..5).map(|_| limiter.begin(CallId::new(), 1, now)).collect();
        limiter.set(Limits { max_live: Some(3), per_second: None }, now);
        assert!(limiter.check(now).is_err());
        drop(permits);
        assert_eq!((limiter.live(), limiter.check(now)), (0, Ok(())));
    }

    #[test]
    fn congestion_slows_a_trunk_down_that_has_no_pace_of_its_own() {
        let now = Instant::now();
        let mut limiter = limiter(None, None, now);
        for _ in 0..5 {
            limiter.saw(Outcome::Congestion, now);
        }
        limiter.begin(CallId::new(), 1, now);
        let until = now + Duration::from_millis(200);
        assert_eq!(limiter.check(now), Err(LimitReached::Pace { per_second: 5.0, until, slowed: true }));
        limiter.recover(now + Duration::from_secs(11));
        assert_eq!(limiter.check(now), Ok(()));
    }

    proptest! {
        #[test]
        fn neither_live_calls_nor_their_pace_are_ever_exceeded(
            max_live in 1..20, rate in 1.0_f64..500.0,
            steps in prop::collection::vec((0_u64..20, any::<bool>()), 1..400),
        ) {
            let start = Instant::now();
            let (mut limiter, mut now) = (limiter(Some(max_live), Some(rate), start), start);
            let (mut live, mut begun) = (Vec::new(), Vec::new());
            for (wait, ends) in steps {
                now += Duration::from_millis(wait);
                if ends {
                    live.pop();
                }
                while limiter.check(now).is_ok() {
                    let mut permit = limiter.begin(CallId::new(), 1, now);
                    permit.sent();
                    live.push(permit);
                    begun.push(now);
                }
                prop_assert!(live.len() <= usize::try_from(max_live).unwrap());
                prop_assert_eq!(limiter.live(), live.len());
                let second = begun.iter().filter(|at| now.duration_since(**at) < Duration::from_secs(1)).count();
                prop_assert!(second as f64 <= rate + 2.0, "{second} in a second at {rate}");
            }
        }
    }
}
