//! The store of keys that the authentication layer uses.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::timeout;

use crate::api::auth::{CallerKind, KeyName, KeyStore, LookupFailed, StoredKey};
use crate::domain::limits::ClientLimits;
use crate::domain::networks::Networks;
use crate::domain::scope::Scope;
use crate::domain::time::Millis;
use crate::store::admin_keys::{self, AdminKey};
use crate::store::keys::{self, Holder, Key};
use crate::store::{Db, Result, StoreError};

/// The accuracy of `last_used_at`, in milliseconds. Each node writes at most once for each key and minute.
const USED_EXACT_TO: i64 = 60_000;

/// How long a request waits until the use of its key is stored.
const MAX_WRITE_WAIT: Duration = Duration::from_millis(20);

/// How many keys are read at once at most.
const CHUNK: usize = 500;

/// Finds API keys in the store.
pub struct Keys(pub Db);

#[tonic::async_trait]
impl KeyStore for Keys {
    async fn lookup(&self, keys: &[KeyName]) -> Result<HashMap<KeyName, StoredKey>, LookupFailed> {
        let (db, keys) = (self.0.clone(), keys.to_vec());
        // The query runs in a task of its own, so that it is completed even if the caller hangs up.
        let found = tokio::spawn(async move { find_all(&db, &keys).await }).await;
        found.map_err(|error| LookupFailed(error.into()))?.map_err(|error| LookupFailed(error.into()))
    }

    /// The request continues even if the store's writer is busy or unreachable.
    async fn note_use(&self, key: &KeyName) {
        let (db, key) = (self.0.clone(), key.clone());
        let noted = tokio::spawn(async move {
            if let Err(error) = touch(&db, &key).await {
                tracing::debug!(%error, "could not store when a key was last used");
            }
        });
        // Unless the writer is busy, the next request to list keys shows this use.
        let _ = timeout(MAX_WRITE_WAIT, noted).await;
    }
}

async fn find_all(db: &Db, names: &[KeyName]) -> Result<HashMap<KeyName, StoredKey>> {
    let mut conn = db.read().await?;
    let (of_admins, of_clients): (Vec<&KeyName>, Vec<&KeyName>) = names.iter().partition(|name| name.is_admin);
    let ids = |names: &[&KeyName]| names.iter().map(|name| name.key_id.clone()).collect::<Vec<_>>();
    let mut found = HashMap::with_capacity(names.len());
    for chunk in of_clients.chunks(CHUNK) {
        for (key, holder) in keys::find_all(&mut conn, &ids(chunk)).await? {
            found.insert(KeyName { is_admin: false, key_id: key.id.clone() }, of_client(key, &holder)?);
        }
    }
    for chunk in of_admins.chunks(CHUNK) {
        for key in admin_keys::find_all(&mut conn, &ids(chunk)).await? {
            found.insert(KeyName { is_admin: true, key_id: key.id.clone() }, of_admin(key)?);
        }
    }
    Ok(found)
}

fn of_client(key: Key, holder: &Holder) -> Result<StoredKey> {
    let limits: ClientLimits = serde_json::from_str(&holder.limits)?;
    let unknown = || StoreError::Unreadable(format!("key {} has the unknown scope {}", key.id, key.scope));
    Ok(StoredKey {
        scope: Scope::from_code(key.scope).ok_or_else(unknown)?,
        secret_sha256: sha256(&key.id, key.secret_sha256)?,
        kind: CallerKind::Client { client_id: key.client_id },
        name: None,
        networks: networks(&key.id, &key.networks)?,
        expires_at: key.expires_at.map(time).transpose()?,
        revoked: key.revoked_at.is_some(),
        client_disabled: holder.disabled,
        requests_per_second: limits.requests_per_second,
    })
}

fn of_admin(key: AdminKey) -> Result<StoredKey> {
    Ok(StoredKey {
        scope: Scope::Admin,
        secret_sha256: sha256(&key.id, key.secret_sha256)?,
        kind: CallerKind::Admin,
        name: Some(key.name),
        networks: networks(&key.id, &key.networks)?,
        expires_at: key.expires_at.map(time).transpose()?,
        revoked: key.revoked_at.is_some(),
        client_disabled: false,
        requests_per_second: None,
    })
}

fn sha256(id: &str, bytes: Vec<u8>) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| StoreError::Unreadable(format!("key {id} has no SHA-256")))
}

fn networks(id: &str, json: &str) -> Result<Networks> {
    let texts: Vec<String> = serde_json::from_str(json)?;
    let unreadable = |(place, why)| StoreError::Unreadable(format!("key {id}: network {place} {why}"));
    Networks::parse(texts).map_err(unreadable)
}

fn time(millis: i64) -> Result<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(millis).map_err(|error| StoreError::Unreadable(error.to_string()))
}

async fn touch(db: &Db, key: &KeyName) -> Result<()> {
    let now = Millis::now();
    let since = Millis(now.0 - USED_EXACT_TO);
    let mut tx = db.begin().await?;
    if key.is_admin {
        admin_keys::touch(&mut tx, &key.key_id, now, since).await?;
    } else {
        keys::touch(&mut tx, &key.key_id, now, since).await?;
    }
    tx.commit().await
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
            scope: Scope::Write.code(),
            networks: "[]".to_owned(),
        };
        keys::insert(&mut tx, &key).await.unwrap();
        tx.commit().await.unwrap();
        let name = KeyName { is_admin: false, key_id: "key1".to_owned() };
        let used = async || keys::find(&mut db.read().await.unwrap(), "key1").await.unwrap().unwrap().0.last_used_at;

        let busy = db.begin().await.unwrap();
        let found = timeout(Duration::from_secs(10), Keys(db.clone()).lookup(std::slice::from_ref(&name))).await;
        assert!(found.expect("the lookup must not wait for the writer").unwrap().contains_key(&name));
        let noted = timeout(Duration::from_secs(10), Keys(db.clone()).note_use(&name)).await;
        assert!(noted.is_ok(), "a request must not wait for the writer");
        assert_eq!(used().await, None);
        busy.commit().await.unwrap();
        // The write of the use is first in the queue for the writer.
        db.begin().await.unwrap().commit().await.unwrap();
        assert!(used().await.is_some());
    }
}
