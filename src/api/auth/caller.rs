//! Who is calling, as a service method sees it.

use tonic::{Request, Status};

use crate::api::Error;

/// The holder of a valid key. It is in the extensions of every request that a service method gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// What it may do.
    pub kind: CallerKind,
    /// The part of its key that is no secret, for logs and audit; `bootstrap` for the configured admin key.
    pub key_id: String,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerKind {
    /// Administration.
    Admin,
    /// One client's calls.
    Client {
        /// Whose.
        client_id: i64,
    },
}

impl Caller {
    /// The caller of a request.
    ///
    /// # Errors
    /// Unauthenticated where the request did not pass the authentication layer, so that nothing is served by mistake.
    pub fn of<T>(request: &Request<T>) -> Result<&Self, Status> {
        request.extensions().get().ok_or_else(|| Error::Unauthenticated.into())
    }

    /// The client whose calls these are.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for an admin key, which has no calls.
    pub fn client_id(&self) -> Result<i64, Error> {
        match self.kind {
            CallerKind::Client { client_id } => Ok(client_id),
            CallerKind::Admin => Err(Error::Forbidden("needs a client's key, not an admin key".to_owned())),
        }
    }

    /// Whether it holds an admin key.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.kind == CallerKind::Admin
    }
}
