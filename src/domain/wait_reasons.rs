//! What keeps waiting calls from being dialed, as each lane publishes it in the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What keeps a call from being dialed. The codes are those of the API's `WaitReason` and never change. If several
/// reasons apply, the one with the lowest code is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Reason {
    /// Nothing keeps the call. It is dialed as fast as the server's pace allows.
    Ready = 1,
    /// The kill switch is engaged.
    KillSwitch = 2,
    /// The client is disabled.
    ClientDisabled = 3,
    /// The queue is paused.
    QueuePaused = 4,
    /// The client has completed the queue.
    QueueCompleted = 5,
    /// The client has no grant for the server.
    NotGranted = 6,
    /// No node dials through the server, or the server's node is being drained.
    ServerUnowned = 7,
    /// The server cannot be reached, or refuses the login.
    ServerOffline = 8,
    /// The next attempt of the call is not due yet.
    RetryLater = 9,
    /// The server has as many live calls as its `max_channels` allows.
    ServerChannels = 10,
    /// The client has as many live calls on the server as its grant's `max_live_calls` allows.
    GrantLiveCalls = 11,
    /// The calling window is closed in the time zone of the called person or of the queue.
    OutsideWindow = 12,
    /// The client has as many live calls as its `max_live_calls` allows.
    ClientLiveCalls = 13,
    /// The queue has as many live calls on the server as its `max_live_calls` allows.
    QueueLiveCalls = 14,
    /// The trunk has as many live calls as its `max_channels` allows.
    TrunkChannels = 15,
    /// Calls are dialed as fast as the client's `calls_per_second` allows.
    ClientPace = 16,
    /// Calls are dialed as fast as the grant's `calls_per_second` allows.
    GrantPace = 17,
    /// Calls are dialed as fast as the queue's `calls_per_second` allows.
    QueuePace = 18,
    /// Calls are dialed as fast as the trunk's `calls_per_second` allows.
    TrunkPace = 19,
    /// Several calls in a row through the server or the trunk ended in congestion, so it is dialed more slowly.
    BackingOff = 20,
    /// The id of a live channel begins with the call's own ChannelId.
    ChannelIdBusy = 21,
    /// The number was called today as often as the client's `max_calls_per_destination_per_day` allows.
    DestinationLimit = 22,
    /// The call was stored, and the server's lane has not read it yet.
    NotReadYet = 23,
    /// The client has called as many legs today as its `max_calls_per_day` allows.
    ClientCallsPerDay = 24,
    /// The client's calls have taken as many minutes today as its `max_minutes_per_day` allows.
    ClientMinutesPerDay = 25,
    /// The client is braked, and the destination of the call is new to it.
    NewDestinations = 26,
    /// The queue's start has not come yet.
    QueueNotStarted = 27,
    /// The queue's end has passed.
    QueueEnded = 28,
    /// The call's own earliest time has not come yet.
    Scheduled = 29,
}

/// A limit that is reached, with its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The name of the limit's field in the API, such as `max_channels`.
    pub name: String,
    /// The value of the limit.
    pub value: f64,
}

/// What keeps a group of calls from being dialed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitReason {
    /// What keeps the calls from being dialed.
    pub reason: Reason,
    /// The limit that is reached; None if the reason is not a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The trunk that the reason is about; None if it is not about a trunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
    /// How much of the limit is used, if that is more than the limit's value tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<i64>,
    /// When the reason ends by itself, in milliseconds since 1970-01-01T00:00:00Z; None if that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

impl WaitReason {
    /// Makes a reason that names nothing else.
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self { reason, limit: None, trunk: None, used: None, until: None }
    }
}

/// Why the calls of one queue wait, as far as a lane has read them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueWaits {
    /// What keeps the due calls that `some` and `closed` do not count; None if it is only the server's pace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<WaitReason>,
    /// What keeps some of the calls, with the number of calls for each reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub some: Vec<(WaitReason, i64)>,
    /// The number of calls that have had an attempt and whose next one is due.
    #[serde(skip_serializing_if = "is_zero")]
    pub due_retries: i64,
    /// The time zones of calls in which the window is closed, and when it opens next, in milliseconds since
    /// 1970-01-01T00:00:00Z. The zone of calls that have none is `""`; a window that never opens is None.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub closed: BTreeMap<String, Option<i64>>,
    /// True if the window is open in at least one time zone of the queue's calls.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub some_open: bool,
}

/// Why the calls of a lane's queues wait. A queue that the lane has not read is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneWaits {
    /// The reasons of each queue, by the queue's id.
    pub queues: BTreeMap<i64, QueueWaits>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_reasons_are_read_as_they_were_written() {
        let limit = Some(Limit { name: "max_channels".into(), value: 2.0 });
        let trunk = WaitReason { limit, trunk: Some("gw1".into()), ..WaitReason::new(Reason::TrunkChannels) };
        let queue = QueueWaits { some: vec![(trunk, 3)], due_retries: 1, some_open: true, ..QueueWaits::default() };
        let lane = LaneWaits { queues: [(7, queue), (8, QueueWaits::default())].into() };
        let text = serde_json::to_string(&lane).unwrap();
        assert!(text.contains(r#""8":{}"#), "a queue without a wait reason takes hardly any space: {text}");
        assert_eq!(serde_json::from_str::<LaneWaits>(&text).unwrap(), lane);
    }
}
