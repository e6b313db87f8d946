//! What authentication needs of the store.

use std::error::Error as StdError;

use crate::api::auth::caller::CallerKind;

/// A key as the store has it, with the state of its client.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// SHA-256 of the key's secret part.
    pub secret_sha256: [u8; 32],
    /// What it may do.
    pub kind: CallerKind,
    /// It works until then; none: until it is revoked.
    pub expires_at: Option<jiff::Timestamp>,
    /// It works no more.
    pub revoked: bool,
    /// Its client may not do anything.
    pub client_disabled: bool,
    /// API requests a second that its client may make, above 0; none: any number.
    pub requests_per_second: Option<f64>,
}

/// The store cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("keys cannot be looked up")]
pub struct LookupFailed(#[source] pub Box<dyn StdError + Send + Sync>);

/// Where keys are kept.
#[tonic::async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// The key of that id, revoked and expired ones included.
    ///
    /// Each key in use is looked up about twice a second, however often it is used, so that this is the place to note when.
    async fn lookup(&self, key_id: &str) -> Result<Option<StoredKey>, LookupFailed>;
}
