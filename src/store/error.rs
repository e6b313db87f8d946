//! What can go wrong between Trunkline and its store.

use crate::domain::status::UnknownCode;
use crate::domain::transitions::IllegalTransition;

/// A query that did not do what was asked. Anything not committed is as if it had never been asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached; the same request may work later.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// A URL of neither engine.
    #[error("the database URL must begin with sqlite:// or postgres://")]
    UnknownUrl,
    /// The store is reached, and refuses or fails.
    #[error("the store failed: {0}")]
    Query(#[source] diesel::result::Error),
    /// A row that this version cannot read.
    #[error("the store holds what cannot be read: {0}")]
    Unreadable(String),
    /// The migrations could not be applied.
    #[error("the migrations could not be applied: {0}")]
    Migration(String),
    /// Another node owns the lane now, so this one's writes are refused.
    #[error("the lane of server {server} is at a later epoch than {epoch}")]
    Fenced { server: String, epoch: i64 },
    /// A call was to be moved against the list of transitions. It is an error in this program, so trying again is of no
    /// use.
    #[error("the store does not move the call: {0}")]
    IllegalTransition(#[from] IllegalTransition),
}

impl StoreError {
    /// The same request may work later, unchanged.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// A row with the same key is there already.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        use diesel::result::{DatabaseErrorKind, Error};
        matches!(self, Self::Query(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)))
    }
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind, Error};
        match &error {
            Error::DatabaseError(DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand, why) => {
                Self::Unavailable(why.message().to_owned())
            }
            // What was the primary takes writes again, or another server does, after a fail-over.
            Error::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, why) => {
                Self::Unavailable(why.message().to_owned())
            }
            Error::DatabaseError(DatabaseErrorKind::Unknown, why) if says_goodbye(why.message()) => {
                Self::Unavailable(why.message().to_owned())
            }
            Error::BrokenTransactionManager => Self::Unavailable(error.to_string()),
            _ => Self::Query(error),
        }
    }
}

impl From<diesel_async::pooled_connection::deadpool::PoolError> for StoreError {
    fn from(error: diesel_async::pooled_connection::deadpool::PoolError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<UnknownCode> for StoreError {
    fn from(error: UnknownCode) -> Self {
        Self::Unreadable(error.to_string())
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// PostgreSQL's last word on a connection that it closes, or its first on one that it does not take yet. Diesel keeps the
/// message only, not the SQLSTATE (57P01 to 57P03).
fn says_goodbye(message: &str) -> bool {
    message.starts_with("terminating connection ") || message.starts_with("the database system is ")
}

/// What every query answers.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use diesel::result::{DatabaseErrorKind, Error};

    use super::*;

    fn is_unavailable(kind: DatabaseErrorKind, message: &str) -> bool {
        StoreError::from(Error::DatabaseError(kind, Box::new(message.to_owned()))).is_unavailable()
    }

    #[test]
    fn a_server_that_stops_or_starts_is_unavailable() {
        for message in [
            "terminating connection due to administrator command",
            "terminating connection because of crash of another server process",
            "the database system is shutting down",
            "the database system is starting up",
            "the database system is in recovery mode",
        ] {
            assert!(is_unavailable(DatabaseErrorKind::Unknown, message), "{message}");
        }
        let read_only = "cannot execute UPDATE in a read-only transaction";
        assert!(is_unavailable(DatabaseErrorKind::ReadOnlyTransaction, read_only));
    }

    #[test]
    fn a_query_that_is_refused_is_no_store_that_is_away() {
        assert!(!is_unavailable(DatabaseErrorKind::Unknown, "division by zero"));
        assert!(!is_unavailable(DatabaseErrorKind::UniqueViolation, "terminating connection "));
    }
}
