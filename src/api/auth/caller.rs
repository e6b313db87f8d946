//! The caller of a request, as a service method sees it.

use tonic::{Request, Status};

use crate::api::Error;

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

    /// Returns the id of the caller's client.
    ///
    /// # Errors
    /// Returns [`Error::Forbidden`] for an admin key, which belongs to no client.
    pub fn client_id(&self) -> Result<i64, Error> {
        match self.kind {
            CallerKind::Client { client_id } => Ok(client_id),
            CallerKind::Admin => Err(Error::Forbidden("needs a client's key, not an admin key".to_owned())),
        }
    }

    /// Returns the name under which the audit notes what the caller does.
    #[must_use]
    pub fn actor(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.key_id)
    }
}
