//! Creates API keys of clients, and writes the terms of a key as the store keeps them.

use crate::api::Error;
use crate::api::auth::{ApiKey, NewKey};
use crate::api::grpc::change::{Audited, Change};
use crate::domain::networks::Networks;
use crate::domain::scope::Scope;
use crate::domain::time::Millis;
use crate::store::keys::{self, Key};

/// What a client's key allows, until when and from where.
pub struct Terms {
    /// When the key expires. None: it is valid until it is revoked.
    pub expires_at: Option<Millis>,
    /// What the key allows.
    pub scope: Scope,
    /// The networks that the key can be used from. Empty: everywhere.
    pub networks: Networks,
}

impl Default for Terms {
    /// Returns the terms of a client's first key: it can write, from everywhere, until it is revoked.
    fn default() -> Self {
        Self { expires_at: None, scope: Scope::Write, networks: Networks::default() }
    }
}

/// Generates an API key for a client and stores its hash.
pub async fn make(change: &Change, tx: &mut Audited, client_id: i64, terms: &Terms) -> Result<(NewKey, Key), Error> {
    let new = ApiKey::generate(change.app.client_keys);
    let key = Key {
        id: new.key_id.clone(),
        client_id,
        secret_sha256: new.secret_sha256.to_vec(),
        created_at: change.now.0,
        expires_at: terms.expires_at.map(|end| end.0),
        revoked_at: None,
        last_used_at: None,
        scope: terms.scope.code(),
        networks: json(&terms.networks)?,
    };
    keys::insert(tx, &key).await?;
    Ok((new, key))
}

/// Returns networks as the store keeps them.
///
/// # Errors
/// Returns an internal error if they cannot be written as JSON, which does not happen.
pub fn json(networks: &Networks) -> Result<String, Error> {
    serde_json::to_string(&networks.texts()).map_err(Error::internal)
}
