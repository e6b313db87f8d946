//! Points in time, as the store and the rules use them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The milliseconds of a day of UTC, in which leap seconds are not counted.
pub const DAY: i64 = 86_400_000;

/// A point in time in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

/// The present moment, by two clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The wall clock, for what is stored.
    pub wall: Millis,
    /// A clock that never jumps, for timers.
    pub instant: Instant,
}

impl Millis {
    /// Returns the time of the wall clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Returns the time from `earlier` to this point, or zero if the clock was set back.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// Returns the point that is `more` later.
    #[must_use]
    pub fn plus(self, more: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(more.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Millis {
    /// Returns the time as RFC 3339 in UTC, such as `2024-12-31T23:59:59Z`, with milliseconds if they are not 0.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(|_| self.0.to_string(), |time| time.to_string())
    }
}
