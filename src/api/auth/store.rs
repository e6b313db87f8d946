//! What authentication needs from the store.

use std::error::Error as StdError;

use crate::api::auth::caller::CallerKind;

/// A key in the store, with the state of its client.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// SHA-256 of the key's secret part.
    pub secret_sha256: [u8; 32],
    /// What the holder of the key may do.
    pub kind: CallerKind,
    /// When the key expires. None: it is valid until it is revoked.
    pub expires_at: Option<jiff::Timestamp>,
    /// True if the key is no longer valid.
    pub revoked: bool,
    /// True if the client of the key may not do anything.
    pub client_disabled: bool,
    /// How many API requests a second the client may make, above 0. None: there is no limit.
    pub requests_per_second: Option<f64>,
}

/// The error if the store cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("cannot look up an API key")]
pub struct LookupFailed(#[source] pub Box<dyn StdError + Send + Sync>);

/// The store of API keys.
#[tonic::async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// Returns the key with this id, also if it is revoked or expired.
    ///
    /// Each key in use is looked up about twice a second, however often it is used, so this is the place to record its
    /// use.
    ///
    /// # Errors
    /// Returns an error if the store cannot be reached.
    async fn lookup(&self, key_id: &str) -> Result<Option<StoredKey>, LookupFailed>;
}
