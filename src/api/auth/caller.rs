//! The caller of a request, as a service method sees it.

use tonic::{Request, Status};

use crate::api::Error;
use crate::api::field_violation::FieldViolation;

/// The field with which an administrator names the client that a request is for.
const CLIENT_ID: &str = "client_id";

/// The name under which the audit notes what the holder of the configured admin key does.
pub const BOOTSTRAP: &str = "bootstrap";

/// The holder of a valid key. It is in the extensions of every request that a service method receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What the caller may do.
    pub kind: CallerKind,
    /// The public part of the key, for logs, or `bootstrap` for the configured admin key.
    pub key_id: String,
    /// The name of an administrator's key. None for the configured admin key, and for the key of a client.
    pub name: Option<String>,
}

/// What the holder of a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// The caller may administer the platform.
    Admin,
    /// The caller may work with the calls of one client.
    Client {
        /// The id of that client.
        client_id: i64,
    },
}

impl Caller {
    /// Returns the caller of a request.
    ///
    /// # Errors
    /// Returns Unauthenticated if the request did not pass the authentication layer, so that nothing is served by
    /// mistake.
    pub fn of<T>(request: &Request<T>) -> Result<&Self, Status> {
        request.extensions().get().ok_or_else(|| Error::Unauthenticated.into())
    }

    /// Returns the client whose queues and calls the caller has access to; None for an administrator, who has access to
    /// those of all clients.
    #[must_use]
    pub const fn access(&self) -> Option<i64> {
        match self.kind {
            CallerKind::Client { client_id } => Some(client_id),
            CallerKind::Admin => None,
        }
    }

    /// Returns the client whose objects a request is limited to, which the request may name; None for those of all
    /// clients.
    ///
    /// # Errors
    /// Returns [`Error::PermissionDenied`] if a client names another one, and [`Error::InvalidArgument`] for what cannot
    /// be an id.
    pub fn limited_to(&self, named: Option<i64>) -> Result<Option<i64>, Error> {
        match (self.access(), named) {
            (_, Some(..=0)) => Err(Error::invalid(CLIENT_ID, "must be at least 1")),
            (Some(own), Some(named)) if own != named => Err(denied("only an administrator may name another client")),
            (own, named) => Ok(own.or(named)),
        }
    }

    /// Returns the client that a request is for: the caller's own, or the one that an administrator names.
    ///
    /// # Errors
    /// Returns [`Error::PermissionDenied`] if a client names another one, or an administrator none.
    pub fn acts_for(&self, named: Option<i64>) -> Result<i64, Error> {
        self.limited_to(named)?.ok_or_else(|| denied("required with an administrator's key"))
    }

    /// Returns the name under which the audit notes what the caller does.
    #[must_use]
    pub fn actor(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.key_id)
    }
}

fn denied(message: &str) -> Error {
    Error::PermissionDenied(vec![FieldViolation { field: CLIENT_ID.to_owned(), message: message.to_owned() }])
}
