//! What limits a client, a grant and a trunk.

use serde::{Deserialize, Serialize};

/// Limits of one client; None does not limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientLimits {
    /// API requests a second to each node, above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
    /// Calls begun a second on all servers of a node together, above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<f64>,
    /// Calls between Originate and hangup at one time on all servers of a node together, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_live_calls: Option<i32>,
    /// Calls that wait for a try, from 1.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "number_or_text")]
    pub max_queued_calls: Option<i64>,
    /// Calls to one number on one day (UTC), from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_calls_per_destination_per_day: Option<i32>,
}

/// Limits of one trunk, a named endpoint, on a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrunkLimits {
    /// The part of a dial string behind `@`.
    pub trunk: String,
    /// Calls between Originate and hangup whose first leg goes through it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_channels: Option<i32>,
    /// Calls begun a second, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<f64>,
}

/// An earlier version wrote 64-bit integers as texts.
fn number_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(i64),
        Text(String),
    }
    match Option::<Written>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Written::Number(number)) => Ok(Some(number)),
        Some(Written::Text(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_wrote_is_still_read() {
        let read: ClientLimits = serde_json::from_str(r#"{"max_queued_calls":"9007199254740993"}"#).unwrap();
        assert_eq!(read.max_queued_calls, Some(9_007_199_254_740_993));
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"max_queued_calls":9007199254740993}"#);
        assert_eq!(serde_json::from_str::<ClientLimits>("{}").unwrap(), ClientLimits::default());
    }
}
