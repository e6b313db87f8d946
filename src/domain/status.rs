//! Where calls, attempts and queues can stand, with the codes that the store keeps.

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallStatus {
    /// Waits for its first try.
    Queued = 1,
    /// Originated, and no more is known.
    Dialing = 2,
    /// The far end rings.
    Ringing = 3,
    /// Answered and live.
    Answered = 4,
    /// Waits for a further try.
    Retrying = 5,
    /// Ended after an answer.
    Completed = 6,
    /// Ended without an answer.
    Failed = 7,
    /// Not dialed by its deadline.
    Expired = 8,
    /// Ended by the client before it was dialed.
    Canceled = 9,
    /// In doubt, and not dialed again.
    Unknown = 10,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The A leg answered.
    Answered = 1,
    /// Busy.
    Busy = 2,
    /// Nobody answered in time.
    NoAnswer = 3,
    /// No way through the network or the trunk.
    Congestion = 4,
    /// The number does not exist.
    Unallocated = 5,
    /// Asterisk refused the Originate.
    Rejected = 6,
    /// Anything else that kept it from an answer.
    Failed = 7,
    /// Not dialed by the deadline.
    Expired = 8,
    /// Ended by the client.
    Canceled = 9,
    /// Nobody can tell.
    Unknown = 10,
}

/// How a queue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueStatus {
    /// Its calls are dialed.
    InProgress = 1,
    /// Nothing new is dialed.
    Paused = 2,
    /// All has ended, or the client stopped it.
    Completed = 3,
}

/// What a queue was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueKind {
    /// Batches.
    Bulk = 1,
    /// One quick call, ahead of all batches.
    Quick = 2,
}

/// How a server's lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ServerStatus {
    /// Connected and logged in.
    Online = 1,
    /// On the way there.
    Connecting = 2,
    /// Not to be reached.
    Offline = 3,
    /// Live calls go on, nothing new is dialed.
    Draining = 4,
    /// It refuses the login.
    Unauthorized = 5,
}

/// A code in the store that no variant has: the row was written by a later version, or is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this version knows no {what} with the code {code}")]
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
            /// Every variant, in the order of the codes.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The number that the store keeps; it never changes its meaning.
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

    /// Returns true if an attempt of the call holds a channel, or may.
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
    /// As in the API.
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
    /// As in the API.
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

    /// A further try may do better: busy, no answer, congestion, failed.
    ///
    /// An answered call, a refused one, an unallocated number and one in doubt are never tried again.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Busy | Self::NoAnswer | Self::Congestion | Self::Failed)
    }

    /// The status of a call whose last attempt ended so, with no tries left.
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
    fn codes_survive_the_store() {
        for status in CallStatus::ALL {
            assert_eq!(CallStatus::try_from(status.code()), Ok(*status));
        }
        assert!(CallStatus::try_from(0).is_err());
    }
}
