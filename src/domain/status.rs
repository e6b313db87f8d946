//! The statuses of calls, queues and servers, and the outcomes of attempts, with the codes that the store keeps.

/// The status of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallStatus {
    /// The call waits for its first attempt.
    Queued = 1,
    /// The call was originated, and nothing more is known yet.
    Dialing = 2,
    /// The called phone is ringing.
    Ringing = 3,
    /// The call was answered and is live.
    Answered = 4,
    /// The call waits for another attempt.
    Retrying = 5,
    /// The call ended after it had been answered.
    Completed = 6,
    /// The call ended without an answer and is not dialed again.
    Failed = 7,
    /// The call was not dialed before its deadline.
    Expired = 8,
    /// The call was ended before it was answered, by its client or because its number is on a do-not-call list.
    Canceled = 9,
    /// The result of the call is unknown, and it is not dialed again.
    Unknown = 10,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The A leg answered.
    Answered = 1,
    /// The called person was busy.
    Busy = 2,
    /// The call was not answered in time.
    NoAnswer = 3,
    /// The network or the trunk could not carry the call.
    Congestion = 4,
    /// The number does not exist.
    Unallocated = 5,
    /// Asterisk refused the Originate.
    Rejected = 6,
    /// The call failed for another reason.
    Failed = 7,
    /// The call was not dialed before its deadline.
    Expired = 8,
    /// The call was ended by its client, or its number is on a do-not-call list.
    Canceled = 9,
    /// The result is unknown, because a connection or a server was lost during the attempt.
    Unknown = 10,
}

/// The status of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueStatus {
    /// The queue's calls are dialed.
    InProgress = 1,
    /// No new calls of the queue are dialed.
    Paused = 2,
    /// All calls of the queue have ended, or the client has completed it.
    Completed = 3,
}

/// What a queue was created for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueKind {
    /// The queue was created for batches.
    Bulk = 1,
    /// The queue was created for one quick call, which goes before all batches.
    Quick = 2,
}

/// The status of a server's lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerStatus {
    /// The lane is connected and logged in.
    Online = 1,
    /// The lane is connecting or logging in.
    Connecting = 2,
    /// The server cannot be reached.
    Offline = 3,
    /// The node of the lane is being drained. Live calls continue, and no new call is dialed.
    Draining = 4,
    /// The server refuses the login.
    Unauthorized = 5,
}

/// The error for a code in the store that no variant has. The row was written by a later version, or is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {what} has the code {code} in this version")]
pub struct UnknownCode {
    what: &'static str,
    code: i16,
}

impl UnknownCode {
    pub(super) const fn new(what: &'static str, code: i16) -> Self {
        Self { what, code }
    }
}

macro_rules! stored_as_code {
    ($name:ident: $($variant:ident),*) => {
        impl $name {
            /// All variants, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the code that the store keeps. Its meaning never changes.
            #[must_use]
            pub const fn code(self) -> i16 {
                self as i16
            }
        }

        impl TryFrom<i16> for $name {
            type Error = UnknownCode;

            fn try_from(code: i16) -> Result<Self, UnknownCode> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|variant| variant.code() == code)
                    .ok_or(UnknownCode { what: stringify!($name), code })
            }
        }
    };
}

stored_as_code!(CallStatus: Queued, Dialing, Ringing, Answered, Retrying, Completed, Failed, Expired, Canceled, Unknown);
stored_as_code!(Outcome: Answered, Busy, NoAnswer, Congestion, Unallocated, Rejected, Failed, Expired, Canceled, Unknown);
stored_as_code!(QueueStatus: InProgress, Paused, Completed);
stored_as_code!(QueueKind: Bulk, Quick);
stored_as_code!(ServerStatus: Online, Connecting, Offline, Draining, Unauthorized);

impl CallStatus {
    /// The statuses of a call that waits for an attempt.
    pub const WAITING: &[Self] = &[Self::Queued, Self::Retrying];

    /// The statuses of a call that has a live attempt.
    pub const LIVE: &[Self] = &[Self::Dialing, Self::Ringing, Self::Answered];

    /// Returns true if the call waits for an attempt.
    #[must_use]
    pub const fn waits(self) -> bool {
        matches!(self, Self::Queued | Self::Retrying)
    }

    /// Returns true if an attempt of the call has a channel, or may have one.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Dialing | Self::Ringing | Self::Answered)
    }

    /// Returns true if the call has ended. Only a changed retry rule can make it wait again.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        !self.waits() && !self.is_live()
    }
}

impl ServerStatus {
    /// Returns the name that the API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Connecting => "connecting",
            Self::Offline => "offline",
            Self::Draining => "draining",
            Self::Unauthorized => "unauthorized",
        }
    }
}

impl Outcome {
    /// Returns the name that the API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Congestion => "congestion",
            Self::Unallocated => "unallocated",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Canceled => "canceled",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the status of a call whose last attempt ended with this outcome, if no other attempt follows.
    #[must_use]
    pub const fn final_status(self) -> CallStatus {
        match self {
            Self::Answered => CallStatus::Completed,
            Self::Expired => CallStatus::Expired,
            Self::Canceled => CallStatus::Canceled,
            Self::Unknown => CallStatus::Unknown,
            Self::Busy | Self::NoAnswer | Self::Congestion | Self::Unallocated | Self::Rejected | Self::Failed => {
                CallStatus::Failed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_is_waiting_live_or_ended_and_never_two() {
        for status in CallStatus::ALL {
            let kinds = [status.waits(), status.is_live(), status.has_ended()];
            assert_eq!(kinds.iter().filter(|&&kind| kind).count(), 1, "{status:?}");
            assert_eq!(status.waits(), CallStatus::WAITING.contains(status), "{status:?}");
            assert_eq!(status.is_live(), CallStatus::LIVE.contains(status), "{status:?}");
        }
    }

    #[test]
    fn a_code_is_read_back_as_the_same_status() {
        for status in CallStatus::ALL {
            assert_eq!(CallStatus::try_from(status.code()), Ok(*status));
        }
        assert!(CallStatus::try_from(0).is_err());
    }
}
