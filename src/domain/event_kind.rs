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

/// What a note says if Asterisk refused the Originate. In the store, what Asterisk said follows it after a colon.
const REFUSED: &str = "Asterisk refused the Originate";

/// Returns the detail of a note that says that Asterisk refused the Originate with this text.
#[must_use]
pub fn refused(text: &str) -> String {
    format!("{REFUSED}: {text}")
}

/// Returns the detail of an event, whose kind has this code, for the client that the event belongs to. What Asterisk or
/// the network said is left out, because it may name hosts, paths and users of the platform.
#[must_use]
pub fn for_client(code: i16, detail: &str) -> &str {
    if code == EventKind::RecordingFailed as i16 {
        return "the recording could not be started";
    }
    let is_refused = || detail.strip_prefix(REFUSED).is_some_and(|rest| rest.starts_with(':'));
    if code == EventKind::Note as i16 && is_refused() { REFUSED } else { detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_not_shown_what_asterisk_said() {
        let refused = refused("Extension does not exist.");
        assert_eq!(refused, "Asterisk refused the Originate: Extension does not exist.");
        assert_eq!(for_client(EventKind::Note as i16, &refused), "Asterisk refused the Originate");
        assert!(!for_client(EventKind::RecordingFailed as i16, "Permission denied").contains("Permission"));
        assert_eq!(for_client(EventKind::Note as i16, "Digit: 5"), "Digit: 5");
        assert_eq!(for_client(EventKind::RecordingStarted as i16, "/recordings/a.wav"), "/recordings/a.wav");
    }
}
