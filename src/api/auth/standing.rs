//! Whether a key that was proven is still valid, for requests and for streams that are open.

use jiff::Timestamp;

use crate::api::Error;
use crate::api::auth::store::StoredKey;

/// Why a key is no longer valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The key was revoked.
    Revoked,
    /// The key has expired.
    Expired,
    /// The client of the key was disabled.
    ClientDisabled,
}

impl Ended {
    /// Returns why a key is no longer valid, or None if it is valid.
    #[must_use]
    pub fn of(key: &StoredKey, now: Timestamp) -> Option<Self> {
        if key.revoked {
            Some(Self::Revoked)
        } else if key.expires_at.is_some_and(|end| end <= now) {
            Some(Self::Expired)
        } else {
            key.client_disabled.then_some(Self::ClientDisabled)
        }
    }

    /// Returns the error for a request with the key. A revoked or expired key gets the text of one that is unknown.
    #[must_use]
    pub fn refusal(self) -> Error {
        match self {
            Self::Revoked | Self::Expired => Error::Unauthenticated,
            Self::ClientDisabled => Error::Forbidden("the client is disabled".to_owned()),
        }
    }

    /// Returns the error that ends a stream which was opened with the key.
    #[must_use]
    pub fn end_of_stream(self) -> Error {
        match self {
            Self::Revoked => Error::KeyEnded("the API key was revoked"),
            Self::Expired => Error::KeyEnded("the API key has expired"),
            Self::ClientDisabled => self.refusal(),
        }
    }
}
