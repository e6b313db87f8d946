//! What keeps waiting calls from being dialed, as a lane finds and publishes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What keeps a call from being dialed. The codes are those of the API's `WaitReason` and never change. Of several
/// reasons, the one with the lowest code is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Reason {
    /// Nothing keeps it: it is dialed as fast as the pace allows.
    Ready = 1,
    /// The kill switch is engaged.
    KillSwitch = 2,
    /// The client is disabled.
    ClientDisabled = 3,
    /// The queue is paused.
    QueuePaused = 4,
    /// The client has completed the queue.
    QueueCompleted = 5,
    /// The client has no grant for the server any more.
    NotGranted = 6,
    /// No node dials through the server, or the node is drained.
    ServerUnowned = 7,
    /// The server cannot be reached, or refuses the login.
    ServerOffline = 8,
    /// The call waits for a further attempt.
    RetryLater = 9,
    /// The server has as many live calls as it may have.
    ServerChannels = 10,
    /// The client has as many live calls on the server as its grant allows.
    GrantLiveCalls = 11,
    /// The calling window is closed.
    OutsideWindow = 12,
    /// The client has as many live calls as it may have.
    ClientLiveCalls = 13,
    /// The queue has as many live calls on the server as it may have.
    QueueLiveCalls = 14,
    /// The trunk has as many live calls as it may have.
    TrunkChannels = 15,
    /// Calls begin as fast as the client's limit allows.
    ClientPace = 16,
    /// Calls begin as fast as the client's grant for the server allows.
    GrantPace = 17,
    /// Calls begin as fast as the queue's limit allows.
    QueuePace = 18,
    /// Calls begin as fast as the trunk's limit allows.
    TrunkPace = 19,
    /// The server or the trunk is slowed down after congestion in a row.
    BackingOff = 20,
    /// A live channel's id begins with the call's own ChannelId.
    ChannelIdBusy = 21,
    /// The number was called as often today as the client may call it.
    DestinationLimit = 22,
    /// No lane has read the call yet.
    NotReadYet = 23,
}

/// A limit that is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// The field's name in the API, for example `max_channels`.
    pub name: String,
    /// The value of the limit.
    pub value: f64,
}

/// Why calls wait, with the limit that is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitReason {
    /// What keeps the calls waiting.
    pub reason: Reason,
    /// The limit that is reached, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The name of the trunk, if the limit is a trunk's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trunk: Option<String>,
}

/// What a lane knows of one queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueWaits {
    /// What keeps all of its due calls waiting, except those below; None: nothing but the pace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<WaitReason>,
    /// What keeps single calls waiting, and how many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub some: Vec<(WaitReason, i64)>,
    /// How many calls wait for a further attempt that is due.
    #[serde(skip_serializing_if = "is_zero")]
    pub due_retries: i64,
    /// Time zones of calls in which the window is closed, `""` for calls without one, and when it opens next.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub closed: BTreeMap<String, Option<i64>>,
    /// True if the window is open in some time zone of the queue's calls.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub some_open: bool,
}

/// What a lane knows of its queues. It has not read queues that are absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LaneWaits {
    /// What is known of each queue, by its id.
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
