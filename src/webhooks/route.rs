//! What a webhook's row means: where to, signed with what, and which events.

use http::Uri;

use super::sign::{NoSecret, Signer};
use super::target::{self, UrlError};
use crate::store::StoreError;
use crate::store::events::Event;
use crate::store::secrets::{Sealer, SecretError};
use crate::store::webhooks::Webhook;

/// A webhook that can be posted to.
pub struct Route {
    /// Where to.
    pub url: Uri,
    /// Signs what goes there.
    pub signer: Signer,
    kinds: Vec<i16>,
}

/// Why nothing can be posted, though the row is there.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// An earlier version took a URL that this one does not.
    #[error("its URL {0}")]
    Url(#[from] UrlError),
    /// It was sealed with another key than this node's.
    #[error("its secret cannot be read: {0}")]
    Sealed(#[from] SecretError),
    /// It is no secret.
    #[error(transparent)]
    Secret(#[from] NoSecret),
    /// Its kinds of events cannot be read.
    #[error(transparent)]
    Row(#[from] StoreError),
}

impl Route {
    /// From the row.
    ///
    /// # Errors
    /// What in it cannot be used.
    pub fn of(webhook: &Webhook, sealer: &Sealer) -> Result<Self, RouteError> {
        let url = target::parse(&webhook.url)?;
        let signer = Signer::new(&sealer.open(&webhook.secret)?)?;
        Ok(Self { url, signer, kinds: webhook.kinds()? })
    }

    /// The event is of a kind that is to be posted.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&event.kind)
    }
}
