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
    #[serde(skip_serializing_if = "Option::is_none")]
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
    /// Calls between Originate and hangup whose A leg goes through it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_channels: Option<i32>,
    /// Calls begun a second, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<f64>,
}
