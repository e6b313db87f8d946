//! What three witnesses saw of a run: the client, the wire and the store. It is plain data, so that the checker is
//! pure.

use std::collections::HashMap;
use std::time::Instant;

/// The whole history of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub limits: Limits,
    pub client: Client,
    /// Every Originate that the dialer sent, in order.
    pub sent: Vec<Sent>,
    /// Everything that Asterisk reported, in order.
    pub channel_events: Vec<ChannelEvent>,
    pub store: StoreDump,
}

/// The limits that the lane must not exceed.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub max_channels: usize,
    pub calls_per_second: f64,
    /// The largest number of live channels during the last batch, after all faults. None if that batch was not sent.
    pub last_peak: Option<usize>,
}

/// What the API answered and sent to its client.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// The batches by their id.
    pub batches: HashMap<i64, Batch>,
    /// The quick calls by their Idempotency-Key.
    pub quick: HashMap<String, Quick>,
    /// The stream's events in the order in which they were received.
    pub events: Vec<StreamEvent>,
}

/// A batch that was sent, perhaps many times.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub items: i64,
    /// The queue, if a request succeeded.
    pub accepted: Option<i64>,
}

/// A quick call that was sent, perhaps many times.
#[derive(Clone, Debug, Default)]
pub struct Quick {
    /// The call ids in the answers to requests that succeeded.
    pub accepted: Vec<String>,
}

/// An event that was received from the stream.
#[derive(Clone, Debug)]
pub struct StreamEvent {
    pub at: Instant,
    pub seq: i64,
    pub call_id: Option<String>,
    pub ended: bool,
}

/// One Originate on the wire.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Instant,
    pub action_id: String,
    pub channel_id: String,
    /// True if the whole message was passed on to Asterisk.
    pub delivered: bool,
}

/// Something that Asterisk reported.
#[derive(Clone, Debug)]
pub enum ChannelEvent {
    New {
        uniqueid: String,
        linkedid: String,
    },
    Gone {
        uniqueid: String,
        linkedid: String,
    },
    /// Asterisk was killed, so that all channels are gone.
    Restarted,
}

/// The contents of the store at the end.
#[derive(Clone, Debug, Default)]
pub struct StoreDump {
    pub calls: Vec<CallRow>,
    pub attempts: Vec<AttemptRow>,
    /// The events in the order of `seq`.
    pub events: Vec<EventRow>,
    pub queues: Vec<QueueRow>,
    pub lanes: Vec<LaneRow>,
}

/// A row of `calls`. Codes are those of `CallStatus`, `CallOutcome` and `CallEventType` in the protos.
#[derive(Clone, Debug, Default)]
pub struct CallRow {
    pub id: String,
    pub queue_id: i64,
    pub batch_id: Option<i64>,
    pub status: i64,
    pub outcome: Option<i64>,
    pub attempts: i64,
    pub max_retries: i64,
    /// The destination that was dialed, such as `answer` or `busy`.
    pub destination: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub struct AttemptRow {
    pub id: String,
    pub call_id: String,
    pub number: i64,
    pub channel_id: String,
    pub ended: bool,
    pub outcome: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub struct EventRow {
    pub seq: i64,
    pub kind: i64,
    pub call_id: Option<String>,
    pub attempt: Option<i64>,
    pub status: Option<i64>,
    pub outcome: Option<i64>,
    pub batch_id: Option<i64>,
}

/// A queue's counters, by status code from 1 (`queued`) to 10 (`unknown`).
#[derive(Clone, Debug, Default)]
pub struct QueueRow {
    pub id: i64,
    pub total: i64,
    pub counts: [i64; 10],
}

#[derive(Clone, Debug, Default)]
pub struct LaneRow {
    pub queue_id: i64,
    pub waiting: i64,
    pub live: i64,
}

pub mod status {
    pub const QUEUED: i64 = 1;
    pub const DIALING: i64 = 2;
    pub const RINGING: i64 = 3;
    pub const ANSWERED: i64 = 4;
    pub const RETRYING: i64 = 5;
    /// The first status of a call that has ended.
    pub const COMPLETED: i64 = 6;
}

pub mod outcome {
    pub const ANSWERED: i64 = 1;
    pub const BUSY: i64 = 2;
    pub const NO_ANSWER: i64 = 3;
    pub const CONGESTION: i64 = 4;
    pub const UNALLOCATED: i64 = 5;
    pub const FAILED: i64 = 7;
    pub const UNKNOWN: i64 = 10;
}

pub mod kind {
    pub const BATCH_INSERTED: i64 = 1;
    pub const DIALING: i64 = 3;
    pub const RINGING: i64 = 4;
    pub const ANSWERED: i64 = 5;
    pub const BRIDGED: i64 = 6;
    pub const RETRYING: i64 = 10;
    pub const ENDED: i64 = 11;
    pub const NOTE: i64 = 12;
}
