//! What authentication needs from the store.

use std::collections::HashMap;
use std::error::Error as StdError;

use crate::api::auth::caller::CallerKind;
use crate::api::auth::key::{ApiKey, KeyKind};
use crate::domain::networks::Networks;
use crate::domain::scope::Scope;

/// What identifies a key in the store, which keeps the keys of clients and of administrators apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyName {
    /// True if the key is an administrator's.
    pub is_admin: bool,
    /// The public part of the key.
    pub key_id: String,
}

/// A key in the store, with the state of its client.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// SHA-256 of the key's secret part.
    pub secret_sha256: [u8; 32],
    /// What the holder of the key may do.
    pub kind: CallerKind,
    /// The name of an administrator's key, for the audit. None for the key of a client.
    pub name: Option<String>,
    /// What the key allows.
    pub scope: Scope,
    /// The networks that the key can be used from. Empty: everywhere.
    pub networks: Networks,
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
    /// Returns those of the keys that exist, also if they are revoked or expired.
    ///
    /// # Errors
    /// Returns an error if the store cannot be reached.
    async fn lookup(&self, keys: &[KeyName]) -> Result<HashMap<KeyName, StoredKey>, LookupFailed>;

    /// Records that a key was used. It is called about once a minute for each key that is in use, and only after the
    /// caller has proven to have the secret.
    async fn note_use(&self, key: &KeyName);
}

impl From<&ApiKey> for KeyName {
    fn from(key: &ApiKey) -> Self {
        Self { is_admin: key.kind == KeyKind::Admin, key_id: key.key_id.clone() }
    }
}
