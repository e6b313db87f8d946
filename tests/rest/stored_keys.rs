//! A store of API keys without a database.

use std::collections::HashMap;
use std::sync::Mutex;

use trunkline::api::auth::{ApiKey, CallerKind, KeyKind, KeyName, KeyStore, LookupFailed, StoredKey};
use trunkline::domain::networks::Networks;
use trunkline::domain::scope::Scope;

/// A key store in memory.
#[derive(Default)]
pub struct Keys {
    pub stored: Mutex<HashMap<KeyName, StoredKey>>,
    pub is_away: Mutex<bool>,
    pub lookups: Mutex<usize>,
    /// The ids of the keys whose use was noted.
    pub used: Mutex<Vec<String>>,
}

#[tonic::async_trait]
impl KeyStore for Keys {
    async fn lookup(&self, keys: &[KeyName]) -> Result<HashMap<KeyName, StoredKey>, LookupFailed> {
        *self.lookups.lock().unwrap() += 1;
        if *self.is_away.lock().unwrap() {
            return Err(LookupFailed("connection refused".into()));
        }
        let stored = self.stored.lock().unwrap();
        Ok(keys.iter().filter_map(|name| Some((name.clone(), stored.get(name)?.clone()))).collect())
    }

    async fn note_use(&self, key: &KeyName) {
        self.used.lock().unwrap().push(key.key_id.clone());
    }
}

impl Keys {
    /// Stores a new valid key after `change` has changed it, and returns its text.
    pub fn add(&self, kind: CallerKind, change: impl FnOnce(&mut StoredKey)) -> String {
        let is_admin = kind == CallerKind::Admin;
        let new = ApiKey::generate(if is_admin { KeyKind::Admin } else { KeyKind::Live });
        let mut key = StoredKey {
            secret_sha256: new.secret_sha256,
            kind,
            name: is_admin.then(|| "alice".to_owned()),
            scope: if is_admin { Scope::Admin } else { Scope::Write },
            networks: Networks::default(),
            expires_at: None,
            revoked: false,
            client_disabled: false,
            requests_per_second: None,
        };
        change(&mut key);
        self.stored.lock().unwrap().insert(KeyName { is_admin, key_id: new.key_id.clone() }, key);
        new.expose().to_owned()
    }
}
