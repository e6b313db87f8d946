//! Limits how often a client may call a number on one day. Days are those of UTC.

use super::time::{DAY, Millis};

/// A number on one day, and how often a client may call it on that day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The canonical form of the number.
    pub number: String,
    /// The day, in days since 1970-01-01 (UTC).
    pub day: i32,
    /// How many calls to the number the client may place on that day, at least 1.
    pub limit: i32,
}

/// Returns the day of a time, in days since 1970-01-01, and when the next day begins.
#[must_use]
pub fn day(at: Millis) -> (i32, Millis) {
    let day = at.0.div_euclid(DAY);
    (i32::try_from(day).unwrap_or(i32::MAX), Millis((day + 1) * DAY))
}
