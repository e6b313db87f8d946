//! The limits of a client, and those of a trunk.

use serde::{Deserialize, Serialize};

/// The limits of one client. A limit that is None does not apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientLimits {
    /// How many API requests per second the client may make to each node, above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
    /// How many calls may begin per second on all servers of a node together, above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<f64>,
    /// How many calls may be live at one time on all servers of a node together, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_live_calls: Option<i32>,
    /// How many calls may wait for an attempt, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_queued_calls: Option<i64>,
    /// How many calls may be placed to one number on one day (UTC), at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_calls_per_destination_per_day: Option<i32>,
    /// How many seconds a call may take, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_call_seconds: Option<i32>,
    /// How many legs may be called on one day (UTC), at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_calls_per_day: Option<i32>,
    /// How many minutes answered calls may take on one day (UTC), at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_minutes_per_day: Option<i32>,
    /// How many calls to new destinations may begin on one day (UTC); 0 if any number may. None stands for the setting of
    /// the installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brake_new_destination_calls: Option<i32>,
}

/// How many calls may be live at one time, and how many may begin per second. A limit that is None does not apply.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// How many calls may be live at one time.
    pub max_live: Option<i32>,
    /// How many calls may begin per second, above 0.
    pub per_second: Option<f64>,
}

impl ClientLimits {
    /// Returns the limits on how the client's calls begin.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits { max_live: self.max_live_calls, per_second: self.calls_per_second }
    }
}

impl TrunkLimits {
    /// Returns the limits on how calls through the trunk begin.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits { max_live: self.max_channels, per_second: self.calls_per_second }
    }
}

/// The limits of one trunk, a named endpoint, on one server. A limit that is None does not apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrunkLimits {
    /// The trunk's name, as it is after `@` in a dial string.
    pub trunk: String,
    /// How many calls through the trunk may be live at one time, at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_channels: Option<i32>,
    /// How many calls may begin per second through the trunk, above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<f64>,
}
