//! The errors of the store.

use crate::domain::status::UnknownCode;
use crate::domain::transitions::IllegalTransition;

/// Why the store did not do what was asked. What was not committed has not happened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached. The same request may work later.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The URL belongs to neither engine.
    #[error("the database URL must begin with sqlite:// or postgres://")]
    UnknownUrl,
    /// The store was reached, and refused or failed.
    #[error("the store failed: {0}")]
    Query(#[source] diesel::result::Error),
    /// A row cannot be read by this version.
    #[error("the store holds a value that this version cannot read: {0}")]
    Unreadable(String),
    /// The migrations could not be applied.
    #[error("the migrations could not be applied: {0}")]
    Migration(String),
    /// Another node owns the lane now, so the writes of this one are refused.
    #[error("another node owns the lane of server {server}: its epoch is later than {epoch}")]
    Fenced { server: String, epoch: i64 },
    /// A call was to be moved against the list of transitions. This is an error in the program, so trying again does
    /// not help.
    #[error("the call was not moved: {0}")]
    IllegalTransition(#[from] IllegalTransition),
}

impl StoreError {
    /// Returns true if the same request may work later, unchanged.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Returns true if a row with the same key exists already.
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
            // After a fail-over, the former primary takes writes again, or another server does.
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

/// Returns true for PostgreSQL's last message on a connection that it closes, and for its first one on a connection
/// that it does not accept yet. Diesel keeps only the message, not the SQLSTATE (57P01 to 57P03).
fn says_goodbye(message: &str) -> bool {
    message.starts_with("terminating connection ") || message.starts_with("the database system is ")
}

/// The result of a query.
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
