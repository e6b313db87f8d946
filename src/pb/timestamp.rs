//! `google.protobuf.Timestamp`, with the JSON format of the REST contract.

use std::cell::Cell;
use std::fmt;

use jiff::fmt::temporal::{DateTimeParser, DateTimePrinter};
use jiff::tz::TimeZone;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{self, Serialize, Serializer};

/// A point in time, encoded as `google.protobuf.Timestamp`.
///
/// In JSON it is RFC 3339: written in UTC with `Z`, to the millisecond if there is a fraction of a second, and to the
/// second otherwise. A text without an offset is read as UTC. [`noticing_assumed_utc`] reports this, because it may be
/// a mistake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Message)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z, negative before that.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Nanoseconds since that second, 0 to 999,999,999, even before 1970.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// The error for a timestamp that no calendar holds: its nanoseconds are out of range, or its year is beyond 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{seconds} s and {nanos} ns since 1970 are not a valid time")]
pub struct OutOfRange {
    seconds: i64,
    nanos: i32,
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(at: jiff::Timestamp) -> Self {
        // Before 1970, jiff counts nanoseconds backward. Protobuf always counts them forward.
        let (seconds, nanos) = (at.as_second(), at.subsec_nanosecond());
        if nanos < 0 {
            return Self { seconds: seconds - 1, nanos: nanos + 1_000_000_000 };
        }
        Self { seconds, nanos }
    }
}

impl TryFrom<Timestamp> for jiff::Timestamp {
    type Error = OutOfRange;

    fn try_from(Timestamp { seconds, nanos }: Timestamp) -> Result<Self, OutOfRange> {
        let error = OutOfRange { seconds, nanos };
        if !(0..1_000_000_000).contains(&nanos) {
            return Err(error);
        }
        Self::new(seconds, nanos).map_err(|_| error)
    }
}

thread_local! {
    static ASSUMED_UTC: Cell<bool> = const { Cell::new(false) };
}

/// Runs `parse`, and returns its result with true if it read a time without an offset.
pub(crate) fn noticing_assumed_utc<T>(parse: impl FnOnce() -> T) -> (T, bool) {
    ASSUMED_UTC.set(false);
    let parsed = parse();
    (parsed, ASSUMED_UTC.get())
}

/// Parses RFC 3339, with or without an offset. The flag is true if there was no offset.
pub(crate) fn parse(text: &str) -> Option<(jiff::Timestamp, bool)> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    // A date alone is refused, because it rarely means midnight in UTC.
    if !text.contains(':') {
        return None;
    }
    if let Ok(at) = PARSER.parse_timestamp(text) {
        return Some((at, false));
    }
    let civil = PARSER.parse_datetime(text).ok()?;
    let at = TimeZone::UTC.to_timestamp(civil).ok()?;
    Some((at, true))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        static SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
        static MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        let at = jiff::Timestamp::try_from(*self).map_err(ser::Error::custom)?;
        let printer = if self.nanos < 1_000_000 { &SECONDS } else { &MILLISECONDS };
        serializer.serialize_str(&printer.timestamp_to_string(&at))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Timestamp;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an RFC 3339 time")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        let (at, assumed_utc) = parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))?;
        if assumed_utc {
            ASSUMED_UTC.set(true);
        }
        Ok(at.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        let at: Timestamp = serde_json::from_str(&format!("\"{text}\"")).unwrap();
        serde_json::to_string(&at).unwrap()
    }

    #[test]
    fn times_are_written_in_utc_with_z() {
        assert_eq!(json("2024-12-31T23:59:59Z"), r#""2024-12-31T23:59:59Z""#);
        assert_eq!(json("2024-12-31T23:59:59+05:30"), r#""2024-12-31T18:29:59Z""#);
    }

    #[test]
    fn a_fraction_is_written_in_milliseconds() {
        assert_eq!(json("2024-12-31T23:59:59.5Z"), r#""2024-12-31T23:59:59.500Z""#);
        assert_eq!(json("2024-12-31T23:59:59.1239Z"), r#""2024-12-31T23:59:59.123Z""#);
        assert_eq!(json("2024-12-31T23:59:59.0009Z"), r#""2024-12-31T23:59:59Z""#);
        assert_eq!(json("1969-12-31T23:59:59.25Z"), r#""1969-12-31T23:59:59.250Z""#);
    }

    #[test]
    fn a_time_without_an_offset_is_utc_and_is_noticed() {
        let (at, noticed) = noticing_assumed_utc(|| json("2024-12-31T23:59:59"));
        assert_eq!((at.as_str(), noticed), (r#""2024-12-31T23:59:59Z""#, true));
        let (_, noticed) = noticing_assumed_utc(|| json("2024-12-31T23:59:59Z"));
        assert!(!noticed);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "2024-12-31", "tomorrow", "2024-13-01T00:00:00Z", "1735689599", "12:30"] {
            assert!(serde_json::from_str::<Timestamp>(&format!("\"{text}\"")).is_err(), "{text}");
        }
    }

    #[test]
    fn a_moment_before_1970_keeps_its_value_through_protobuf() {
        let at = jiff::Timestamp::new(-1, -250_000_000).unwrap();
        let proto = Timestamp::from(at);
        assert_eq!((proto.seconds, proto.nanos), (-2, 750_000_000));
        assert_eq!(jiff::Timestamp::try_from(proto), Ok(at));
    }
}
