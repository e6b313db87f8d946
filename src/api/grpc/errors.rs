//! The errors that several services answer with.

use std::time::Duration;

use crate::api::{Error, Reason};
use crate::store::StoreError;
use crate::store::secrets::SecretError;

/// When a client should try again while the store cannot be reached.
pub const STORE_AWAY: Duration = Duration::from_secs(1);

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(%error, "the store cannot be reached");
            return Self::Unavailable { message: "the store cannot be reached".to_owned(), retry_after: STORE_AWAY };
        }
        Self::internal(error)
    }
}

impl From<SecretError> for Error {
    fn from(error: SecretError) -> Self {
        Self::internal(error)
    }
}

/// Returns the error for a queue that does not exist, or belongs to another client.
pub fn no_queue(id: i64) -> Error {
    Error::NotFound(format!("queue {id}"))
}

/// Returns the error for calls that are sent to a queue which its client has completed.
pub fn queue_completed(id: i64) -> Error {
    let message = format!("queue {id} was completed by its client");
    Error::FailedPrecondition { reason: Reason::QueueCompleted, message }
}

/// Returns the error for calls that are sent to the queue of a quick call.
pub fn quick_queue(id: i64) -> Error {
    let message = format!("queue {id} belongs to a quick call and takes no other calls");
    Error::FailedPrecondition { reason: Reason::QueueKind, message }
}

/// Returns the error for changes of a queue that was deleted.
pub fn queue_deleted(id: i64) -> Error {
    Error::FailedPrecondition { reason: Reason::QueueDeleted, message: format!("queue {id} was deleted") }
}
