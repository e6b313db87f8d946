//! What an event says about its call or its queue, besides what every event has columns for.

use serde::{Deserialize, Serialize};

use super::commit::CallDetails;
use super::labels::Labels;

/// What an event says about its call or its queue. It is stored with the event, as JSON, and never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventFacts {
    /// The number of the called person, as the client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_number: Option<i64>,
    /// The channel that is dialed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The client's own labels of the call, said by its first event.
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Seconds from the start of the call's last attempt to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<i32>,
    /// Seconds from the answer to the end, as far as known at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billable_seconds: Option<i32>,
    /// The queue after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Box<QueueFacts>>,
}

/// A queue right after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueFacts {
    /// The code of a [`QueueStatus`](super::status::QueueStatus).
    pub status: i16,
    /// The number of the queue's calls in each status, in the order of [`CallStatus::ALL`](super::status::CallStatus).
    pub counts: [i64; 10],
}

impl EventFacts {
    /// Returns what the first event of an attempt, or of a call, says besides the labels.
    #[must_use]
    pub fn of_call(details: &CallDetails) -> Self {
        let CallDetails { contact_number, channel, labels: _ } = details;
        Self { contact_number: *contact_number, channel: Some(channel.clone()), ..Self::default() }
    }

    /// Returns true if the event says nothing more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
