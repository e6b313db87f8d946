//! Times that flags give.

use std::str::FromStr;

use crate::pb;

/// A time, such as `2026-12-01T08:00:00Z` or `2026-12-01T09:00:00+01:00`.
#[derive(Clone, Copy, Debug)]
pub struct Time(jiff::Timestamp);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| "must be a time with its offset, such as 2026-12-01T08:00:00Z".to_owned())
    }
}

impl From<Time> for pb::Timestamp {
    fn from(time: Time) -> Self {
        time.0.into()
    }
}
