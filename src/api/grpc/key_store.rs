//! Where the authentication layer finds keys.

use crate::api::auth::{CallerKind, KeyStore, LookupFailed, StoredKey};
use crate::domain::limits::ClientLimits;
use crate::domain::time::Millis;
use crate::store::keys::Key;
use crate::store::{Db, Result, StoreError, keys};

/// How exact `last_used_at` is, in milliseconds: a write a minute and key, not one a request.
const USED_EXACT_TO: i64 = 60_000;

/// The keys in the store.
pub struct Keys(pub Db);

#[tonic::async_trait]
impl KeyStore for Keys {
    async fn lookup(&self, key_id: &str) -> Result<Option<StoredKey>, LookupFailed> {
        let (db, key_id) = (self.0.clone(), key_id.to_owned());
        // In a task of its own, so that a caller who hangs up leaves no query half-way.
        let found = tokio::spawn(async move { find(&db, &key_id).await }).await;
        found.map_err(|error| LookupFailed(error.into()))?.map_err(|error| LookupFailed(error.into()))
    }
}

async fn find(db: &Db, key_id: &str) -> Result<Option<StoredKey>> {
    let found = keys::find(&mut db.read().await?, key_id).await?;
    let Some((key, holder)) = found else { return Ok(None) };
    note_use(db, &key).await;
    let time = |millis: i64| {
        jiff::Timestamp::from_millisecond(millis).map_err(|error| StoreError::Unreadable(error.to_string()))
    };
    let secret_sha256 =
        key.secret_sha256.try_into().map_err(|_| StoreError::Unreadable(format!("key {key_id} has no SHA-256")))?;
    let limits: ClientLimits = serde_json::from_str(&holder.limits)?;
    Ok(Some(StoredKey {
        secret_sha256,
        kind: CallerKind::Client { client_id: key.client_id },
        expires_at: key.expires_at.map(time).transpose()?,
        revoked: key.revoked_at.is_some(),
        client_disabled: holder.disabled,
        requests_per_second: limits.requests_per_second,
    }))
}

/// Best effort: a store that cannot be written to must not keep readers out.
async fn note_use(db: &Db, key: &Key) {
    let now = Millis::now();
    if key.last_used_at.is_some_and(|used| now.0 - used < USED_EXACT_TO) {
        return;
    }
    let noted = async {
        let mut tx = db.begin().await?;
        keys::touch(&mut tx, &key.id, now).await?;
        tx.commit().await
    };
    if let Err(error) = noted.await {
        tracing::debug!(%error, "cannot note that a key was used");
    }
}
