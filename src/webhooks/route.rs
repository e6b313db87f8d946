//! Reads a webhook's row: the URL, the signing secret, and which events are posted.

use http::Uri;

use super::sign::{NoSecret, Signer};
use super::target::{Permitted, UrlError};
use crate::domain::time::Millis;
use crate::store::StoreError;
use crate::store::events::Event;
use crate::store::secrets::{Place, Sealer, SecretError};
use crate::store::webhooks::Webhook;

/// A webhook that can be posted to.
pub struct Route {
    /// The URL of the receiver.
    pub url: Uri,
    /// Signs the messages to the receiver.
    pub signer: Signer,
    kinds: Vec<i16>,
}

/// Why nothing can be posted for a webhook.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The URL was accepted once, and the settings of this server or this version do not permit it.
    #[error("its URL {0}")]
    Url(#[from] UrlError),
    /// The secret was sealed with another key than that of this node.
    #[error("its secret cannot be read: {0}")]
    Sealed(#[from] SecretError),
    /// The secret is malformed.
    #[error(transparent)]
    Secret(#[from] NoSecret),
    /// The kinds of events in the row cannot be read.
    #[error(transparent)]
    Row(#[from] StoreError),
}

impl Route {
    /// Reads the row of a webhook.
    ///
    /// # Errors
    /// Returns the first part of the row that cannot be used.
    pub fn of(webhook: &Webhook, permitted: &Permitted, sealer: &Sealer) -> Result<Self, RouteError> {
        let url = permitted.parse(&webhook.url)?;
        let mut signer = Signer::new(&sealer.open(&webhook.secret, &Place::Webhook(webhook.id))?)?;
        let until = Millis(webhook.old_secret_until);
        if let Some(old) = webhook.old_secret.as_ref().filter(|_| until > Millis::now()) {
            signer = signer.and_until(&sealer.open(old, &Place::EarlierWebhook(webhook.id))?, until)?;
        }
        Ok(Self { url, signer, kinds: webhook.kinds()? })
    }

    /// Returns true if the event is of a kind that is posted.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&event.kind)
    }
}
