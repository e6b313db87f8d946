//! The store of keys that the authentication layer uses.

use std::time::Duration;

use tokio::time::timeout;

use crate::api::auth::{CallerKind, KeyStore, LookupFailed, StoredKey};
use crate::domain::limits::ClientLimits;
use crate::domain::time::Millis;
use crate::store::keys::Key;
use crate::store::{Db, Result, StoreError, keys};

/// The accuracy of `last_used_at`, in milliseconds. It limits the writes to one for each key and minute.
const USED_EXACT_TO: i64 = 60_000;

/// How long a request waits until the use of its key is stored.
const MAX_WRITE_WAIT: Duration = Duration::from_millis(20);

/// Finds API keys in the store.
pub struct Keys(pub Db);

#[tonic::async_trait]
impl KeyStore for Keys {
    async fn lookup(&self, key_id: &str) -> Result<Option<StoredKey>, LookupFailed> {
        let (db, key_id) = (self.0.clone(), key_id.to_owned());
        // The query runs in a task of its own, so that it is completed even if the caller hangs up.
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

/// Stores that a key was used, if possible. The request continues even if the store's writer is busy or unreachable.
async fn note_use(db: &Db, key: &Key) {
    let now = Millis::now();
    if key.last_used_at.is_some_and(|used| now.0 - used < USED_EXACT_TO) {
        return;
    }
    let (db, id) = (db.clone(), key.id.clone());
    let noted = tokio::spawn(async move {
        let noted = async {
            let mut tx = db.begin().await?;
            keys::touch(&mut tx, &id, now).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::debug!(%error, "could not store when a key was last used");
        }
    });
    // Unless the writer is busy, the next request to list keys shows this use.
    let _ = timeout(MAX_WRITE_WAIT, noted).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Policy;
    use crate::store::clients::{self, NewClient};
    use crate::store::migrate;

    #[tokio::test]
    async fn a_key_is_found_while_the_writer_is_busy_and_its_use_noted_after() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::store::open(&format!("sqlite://{}", dir.path().join("book.db").display())).unwrap();
        migrate::run(&db).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let new = NewClient {
            name: "acme".to_owned(),
            account_code: "1".to_owned(),
            limits: serde_json::to_string(&ClientLimits::default()).unwrap(),
            policy: serde_json::to_string(&Policy::default()).unwrap(),
            servers: vec![],
        };
        let key = Key {
            id: "key1".to_owned(),
            client_id: clients::create(&mut tx, &new, Millis::now()).await.unwrap(),
            secret_sha256: vec![7; 32],
            created_at: 0,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        keys::insert(&mut tx, &key).await.unwrap();
        tx.commit().await.unwrap();
        let used = async || keys::find(&mut db.read().await.unwrap(), "key1").await.unwrap().unwrap().0.last_used_at;

        let busy = db.begin().await.unwrap();
        let found = timeout(Duration::from_secs(10), Keys(db.clone()).lookup("key1")).await;
        assert!(found.expect("the lookup must not wait for the writer").unwrap().is_some());
        assert_eq!(used().await, None);
        busy.commit().await.unwrap();
        // The write of the use is first in the queue for the writer.
        db.begin().await.unwrap().commit().await.unwrap();
        assert!(used().await.is_some());
    }
}
