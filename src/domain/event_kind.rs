//! The kinds of events in the event log.

/// What an event reports. The codes are those of the API's `CallEventType` and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A batch was stored.
    BatchInserted = 1,
    /// A quick call was stored.
    Queued = 2,
    /// An attempt was committed to the store.
    Dialing = 3,
    /// The called phone is ringing.
    Ringing = 4,
    /// The A leg answered.
    Answered = 5,
    /// Two legs are bridged and hear one another.
    Bridged = 6,
    /// MixMonitor started to record the call.
    RecordingStarted = 7,
    /// MixMonitor has stopped recording the call.
    RecordingStopped = 8,
    /// The recording could not be started.
    RecordingFailed = 9,
    /// The attempt ended, and another one follows.
    Retrying = 10,
    /// The call has ended.
    Ended = 11,
    /// The dialplan or the server reported something.
    Note = 12,
    /// The call was found alive after a lost connection.
    Adopted = 13,
    /// The status or the rules of the queue were changed.
    QueueUpdated = 14,
}
