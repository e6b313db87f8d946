//! What three witnesses saw of a run: the client, the wire, and the book. Plain data, so that the checker is pure.

use std::collections::HashMap;
use std::time::Instant;

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub limits: Limits,
    pub client: Client,
    /// Every Originate that the dialer sent, in its order.
    pub sent: Vec<Sent>,
    /// What Asterisk said it did, in its order.
    pub heard: Vec<Heard>,
    pub store: StoreDump,
}

/// What the lane may not exceed.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub max_channels: usize,
    pub calls_per_second: f64,
    /// The most channels that were live in the last batch, after all faults; None where it was not tried.
    pub last_peak: Option<usize>,
}

/// What the API told its client.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// By batch id.
    pub batches: HashMap<i64, Batch>,
    /// By Idempotency-Key.
    pub quick: HashMap<String, Quick>,
    /// Events of the stream, in the order in which they came.
    pub told: Vec<Told>,
}

/// A batch that was sent, perhaps many times.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub items: i64,
    /// The queue, once a success said so.
    pub accepted: Option<i64>,
}

/// A quick call that was sent, perhaps many times.
#[derive(Clone, Debug, Default)]
pub struct Quick {
    /// The call ids that successes said.
    pub accepted: Vec<String>,
}

/// An event of the stream.
#[derive(Clone, Debug)]
pub struct Told {
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
    /// All of it was passed on to Asterisk.
    pub delivered: bool,
}

/// Something that Asterisk did.
#[derive(Clone, Debug)]
pub enum Heard {
    New {
        uniqueid: String,
        linkedid: String,
    },
    Gone {
        uniqueid: String,
        linkedid: String,
    },
    /// All channels are gone: it was killed.
    Restarted,
}

/// What the store holds at the end.
#[derive(Clone, Debug, Default)]
pub struct StoreDump {
    pub calls: Vec<CallRow>,
    pub attempts: Vec<AttemptRow>,
    /// In the order of `seq`.
    pub events: Vec<EventRow>,
    pub queues: Vec<QueueRow>,
    pub lanes: Vec<LaneRow>,
}

/// Codes are those of `CallStatus`, `CallOutcome` and `CallEventType` in the protos.
#[derive(Clone, Debug, Default)]
pub struct CallRow {
    pub id: String,
    pub queue_id: i64,
    pub batch_id: Option<i64>,
    pub status: i64,
    pub outcome: Option<i64>,
    pub attempts: i64,
    pub max_retries: i64,
    /// Where it was dialed to: `answer`, `busy`, …
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
    /// The first of those that end a call.
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
