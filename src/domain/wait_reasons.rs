//! What keeps waiting calls from going out, as a lane finds it and tells everybody.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What keeps a call from being dialed. The codes are those of the API's `WaitReason` and never change; of several
/// reasons the one with the lowest code is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Reason {
    /// Nothing: it goes out as fast as pacing lets it.
    Ready = 1,
    /// The kill switch is engaged.
    KillSwitch = 2,
    /// The client is disabled.
    ClientDisabled = 3,
    /// The queue is paused.
    QueuePaused = 4,
    /// The client has completed the queue.
    QueueCompleted = 5,
    /// The client may not dial through the server any more.
    NotGranted = 6,
    /// No node holds the server, or it is drained.
    ServerUnowned = 7,
    /// The server cannot be reached, or refuses the login.
    ServerOffline = 8,
    /// It waits for a further try.
    RetryLater = 9,
    /// The server has as many live calls as it may have.
    ServerChannels = 10,
    /// The client has as many live calls on the server as it was granted.
    GrantLiveCalls = 11,
    /// The calling window is closed.
    OutsideWindow = 12,
    /// The client has as many live calls as it may have.
    ClientLiveCalls = 13,
    /// The queue has as many live calls on the server as it may have.
    QueueLiveCalls = 14,
    /// The trunk has as many live calls as it may have.
    TrunkChannels = 15,
    /// Calls go out as fast as the client may begin them.
    ClientPace = 16,
    /// Calls go out as fast as the client was granted on the server.
    GrantPace = 17,
    /// Calls go out as fast as the queue may begin them.
    QueuePace = 18,
    /// Calls go out as fast as the trunk may begin them.
    TrunkPace = 19,
    /// The server or the trunk answered with congestion in a row.
    BackingOff = 20,
    /// A live channel's id begins with the call's own ChannelId.
    ChannelIdBusy = 21,
    /// The number was called as often today as the client may call one.
    DestinationLimit = 22,
    /// No lane has looked at it yet.
    NotReadYet = 23,
}

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The field's name in the API, as `max_channels`.
    pub name: String,
    /// Its value.
    pub value: f64,
}

/// Calls that one thing holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitReason {
    /// What holds them.
    pub reason: Reason,
    /// The limit, where one is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// Which trunk, where it is one's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
}

/// What a lane knows of one queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueWaits {
    /// What holds all of its due calls but those below; None: nothing but the pace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<WaitReason>,
    /// What holds single calls, and how many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub some: Vec<(WaitReason, i64)>,
    /// Calls that wait for a further try which is due.
    #[serde(skip_serializing_if = "is_zero")]
    pub due_retries: i64,
    /// Time zones of calls in which the window is closed, `""` for calls without one; and when it opens next.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub closed: BTreeMap<String, Option<i64>>,
    /// In some time zone of its calls the window is open.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub some_open: bool,
}

/// What a lane knows of its queues; it has not read those that are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneWaits {
    /// By queue.
    pub queues: BTreeMap<i64, QueueWaits>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_node_writes_another_reads() {
        let limit = Some(Limit { name: "max_channels".into(), value: 2.0 });
        let trunk = WaitReason { reason: Reason::TrunkChannels, limit, trunk: Some("gw1".into()) };
        let queue = QueueWaits { some: vec![(trunk, 3)], due_retries: 1, some_open: true, ..QueueWaits::default() };
        let held = LaneWaits { queues: [(7, queue), (8, QueueWaits::default())].into() };
        let text = serde_json::to_string(&held).unwrap();
        assert!(text.contains(r#""8":{}"#), "a queue that nothing holds costs next to nothing: {text}");
        assert_eq!(serde_json::from_str::<LaneWaits>(&text).unwrap(), held);
    }
}
