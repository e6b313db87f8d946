//! Creates API keys of clients.

use super::audit::{Audited, Change};
use crate::api::Error;
use crate::api::auth::{ApiKey, NewKey};
use crate::domain::time::Millis;
use crate::store::keys::{self, Key};

/// Generates an API key for a client and stores its hash.
pub async fn make(
    change: &Change,
    tx: &mut Audited,
    client_id: i64,
    expires_at: Option<Millis>,
) -> Result<NewKey, Error> {
    let new = ApiKey::generate(change.app.client_keys);
    keys::insert(tx, &stored(&new, client_id, expires_at, change.now)).await?;
    Ok(new)
}

/// Returns a new key as the store keeps it.
pub fn stored(new: &NewKey, client_id: i64, expires_at: Option<Millis>, now: Millis) -> Key {
    Key {
        id: new.key_id.clone(),
        client_id,
        secret_sha256: new.secret_sha256.to_vec(),
        created_at: now.0,
        expires_at: expires_at.map(|end| end.0),
        revoked_at: None,
        last_used_at: None,
    }
}
