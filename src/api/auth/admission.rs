//! Finds out who holds a key, and whether it may be used.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::api::Error;
use crate::api::auth::caller::{BOOTSTRAP, Caller, CallerKind};
use crate::api::auth::guesses::Guesses;
use crate::api::auth::key::{ApiKey, X_API_KEY, hash_secret};
use crate::api::auth::open_streams::OpenStreams;
use crate::api::auth::origin::{self, Origin};
use crate::api::auth::standing::Ended;
use crate::api::auth::store::{KeyName, KeyStore, LookupFailed, StoredKey};
use crate::domain::networks::Networks;
use crate::domain::scope::Scope;

/// How long a key that was looked up is trusted. A revoked key must stop working within a second.
const CACHED_FOR: Duration = Duration::from_millis(500);
/// How often the keys of open streams are looked up. Their streams must end within a second.
const STREAMS_CHECKED_EVERY: Duration = Duration::from_millis(300);
/// How often the use of a key is recorded.
const NOTED_EVERY: Duration = Duration::from_secs(60);
/// How long a key that was proven is served even if its source has to wait because of wrong keys.
const PROVEN_FOR: Duration = Duration::from_secs(3600);
/// How many keys are cached at most, unknown ones included.
const CACHED_KEYS: u64 = 10_000;
/// The minimum length of a configured admin key, in characters.
const MIN_ADMIN_KEY: usize = 16;
/// When a client should try again if the store cannot be reached.
const STORE_AWAY: Duration = Duration::from_secs(1);

/// Finds out who holds a key. A clone shares the caches.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn KeyStore>,
    bootstrap: Option<AdminKey>,
    trusted_proxies: Networks,
    /// The keys that were looked up last; None for those that do not exist.
    cache: Cache<KeyName, Option<StoredKey>>,
    /// The keys whose use was recorded within the last minute.
    noted: Cache<KeyName, ()>,
    /// SHA-256 of the keys that were proven within the last hour.
    proven: Cache<[u8; 32], ()>,
    guesses: Guesses,
    streams: OpenStreams,
}

/// The caller of an admitted request, and what its key allows.
pub struct Admitted {
    /// The holder of the key.
    pub caller: Caller,
    /// What the key allows.
    pub scope: Scope,
    /// The limit on the caller's requests. None: there is no limit.
    pub requests_per_second: Option<RequestsPerSecond>,
    /// The key in the store. None for the configured admin key, which is valid as long as the server runs.
    pub key: Option<KeyName>,
}

/// How many requests a second a caller may make. It is in the extensions of a request beside the [`Caller`]; without
/// it, there is no limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestsPerSecond(pub f64);

/// The admin key from the configuration, which may have any form. Only its SHA-256 is kept.
pub struct AdminKey([u8; 32]);

/// The error about a configured admin key that is short enough to be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the admin key has {length} characters, but needs at least {MIN_ADMIN_KEY}")]
pub struct AdminKeyTooShort {
    length: usize,
}

impl AdminKey {
    /// Accepts a key of at least 16 characters.
    ///
    /// # Errors
    /// Returns an error if the key is shorter.
    pub fn new(key: &SecretString) -> Result<Self, AdminKeyTooShort> {
        let length = key.expose_secret().chars().count();
        if length < MIN_ADMIN_KEY {
            return Err(AdminKeyTooShort { length });
        }
        Ok(Self(hash_secret(key.expose_secret())))
    }
}

impl Auth {
    /// Admits the keys in `store`, and the configured admin key if there is one. Headers that say where a request came
    /// from are believed if the connection is from a trusted proxy.
    pub fn new(store: Arc<dyn KeyStore>, bootstrap: Option<AdminKey>, trusted_proxies: Networks) -> Self {
        let cache = Cache::builder().max_capacity(CACHED_KEYS).time_to_live(CACHED_FOR).build();
        let noted = Cache::builder().max_capacity(CACHED_KEYS).time_to_live(NOTED_EVERY).build();
        let proven = Cache::builder().max_capacity(CACHED_KEYS).time_to_live(PROVEN_FOR).build();
        let (guesses, streams) = (Guesses::default(), OpenStreams::default());
        Self { inner: Arc::new(Inner { store, bootstrap, trusted_proxies, cache, noted, proven, guesses, streams }) }
    }

    /// Returns where a request from `peer` came from.
    pub fn origin(&self, peer: std::net::IpAddr, headers: &HeaderMap) -> Origin {
        origin::of(peer, headers, &self.inner.trusted_proxies)
    }

    /// Finds out who holds the key in `headers`, and whether it may be used from `origin`.
    ///
    /// # Errors
    /// Returns the error to answer the request with.
    pub async fn admit(&self, headers: &HeaderMap, origin: Option<Origin>) -> Result<Admitted, Error> {
        let text = headers.get(X_API_KEY).and_then(|key| key.to_str().ok()).filter(|key| !key.is_empty());
        let text = text.ok_or(Error::Unauthenticated)?;
        let (sha256, key) = (hash_secret(text), ApiKey::parse(text));
        let source = origin.map(|origin| origin.address.into());
        if let Some(source) = source
            && let Some(retry_after) = self.inner.guesses.wait(source).await
            // A key in use must not stop working because of its neighbours. It cannot be guessed, unlike a configured
            // admin key, which may have any form.
            && !(key.is_some() && self.inner.proven.contains_key(&sha256))
        {
            return Err(Error::TooManyWrongKeys { retry_after });
        }
        if self.inner.bootstrap.as_ref().is_some_and(|AdminKey(bootstrap)| bool::from(bootstrap.ct_eq(&sha256))) {
            if key.is_some() {
                self.note_proven(sha256).await;
            }
            return Ok(Admitted::bootstrap());
        }
        match self.prove(key).await? {
            Some((name, stored)) => {
                self.note_proven(sha256).await;
                self.admit_proven(name, stored, origin).await
            }
            None => {
                if let Some(source) = source {
                    self.inner.guesses.count(source, &sha256).await;
                }
                Err(Error::Unauthenticated)
            }
        }
    }

    /// Returns the stored key of which the caller has the secret, also if it is no longer valid.
    async fn prove(&self, key: Option<ApiKey>) -> Result<Option<(KeyName, StoredKey)>, Error> {
        let Some(key) = key else { return Ok(None) };
        let name = KeyName::from(&key);
        let stored = self.lookup(&name).await?;
        let proven = stored.filter(|stored| bool::from(stored.secret_sha256.ct_eq(&key.secret_sha256)));
        Ok(proven.map(|stored| (name, stored)))
    }

    async fn note_proven(&self, sha256: [u8; 32]) {
        if !self.inner.proven.contains_key(&sha256) {
            self.inner.proven.insert(sha256, ()).await;
        }
    }

    async fn admit_proven(&self, name: KeyName, key: StoredKey, origin: Option<Origin>) -> Result<Admitted, Error> {
        if let Some(ended) = Ended::of(&key, Timestamp::now()) {
            return Err(ended.refusal());
        }
        check_origin(&key.networks, origin)?;
        if !self.inner.noted.contains_key(&name) {
            // Concurrent requests with the same key record it once.
            self.inner.noted.entry_by_ref(&name).or_insert_with(self.inner.store.note_use(&name)).await;
        }
        Ok(Admitted {
            caller: Caller { kind: key.kind, key_id: name.key_id.clone(), name: key.name },
            scope: key.scope,
            requests_per_second: key.requests_per_second.map(RequestsPerSecond),
            key: Some(name),
        })
    }

    async fn lookup(&self, name: &KeyName) -> Result<Option<StoredKey>, Error> {
        let Inner { store, cache, .. } = &*self.inner;
        let read = async { Ok(store.lookup(std::slice::from_ref(name)).await?.remove(name)) };
        // Concurrent requests with the same key share one look-up.
        cache.try_get_with_by_ref(name, read).await.map_err(|error: Arc<LookupFailed>| {
            tracing::warn!(error = error.0.as_ref() as &dyn std::error::Error, "cannot look up an API key");
            Error::Unavailable { message: "the store cannot be reached".to_owned(), retry_after: STORE_AWAY }
        })
    }

    /// Returns what waits until a key is no longer valid, for a stream that was opened with it.
    pub fn end_of(&self, key: Option<&KeyName>) -> impl Future<Output = Error> + Send + use<> {
        let end = key.map(|key| self.inner.streams.open(key));
        async move {
            match end {
                Some(end) => end.ended().await.end_of_stream(),
                None => std::future::pending().await,
            }
        }
    }

    /// Ends streams whose keys are no longer valid, until `stop` is cancelled. While the store cannot be reached, no
    /// stream ends.
    pub async fn watch_streams(self, stop: CancellationToken) {
        let mut ticks = interval(STREAMS_CHECKED_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let in_use = self.inner.streams.in_use();
            if in_use.is_empty() {
                continue;
            }
            match self.inner.store.lookup(&in_use).await {
                Ok(found) => {
                    let now = Timestamp::now();
                    for name in in_use {
                        let ended = found.get(&name).map_or(Some(Ended::Revoked), |key| Ended::of(key, now));
                        if let Some(why) = ended {
                            self.inner.streams.end(&name, why);
                        }
                    }
                }
                Err(error) => {
                    let error = error.0.as_ref() as &dyn std::error::Error;
                    tracing::warn!(error, "cannot look up the API keys of open streams; trying again");
                }
            }
        }
    }
}

impl Admitted {
    fn bootstrap() -> Self {
        let caller = Caller { kind: CallerKind::Admin, key_id: BOOTSTRAP.to_owned(), name: None };
        Self { caller, scope: Scope::Admin, requests_per_second: None, key: None }
    }
}

/// Refuses a request from outside of the networks of its key.
fn check_origin(networks: &Networks, origin: Option<Origin>) -> Result<(), Error> {
    if networks.is_empty() {
        return Ok(());
    }
    let why = match origin {
        Some(Origin { address, is_certain: true }) if networks.contains(address) => return Ok(()),
        Some(Origin { address, is_certain: true }) => format!("may not be used from {address}"),
        Some(Origin { address, is_certain: false }) => {
            format!("may be used from certain networks only, and the proxy {address} does not say whom it speaks for")
        }
        None => "may be used from certain networks only, and it is unknown where the request came from".to_owned(),
    };
    Err(Error::Forbidden(format!("the API key {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_admin_key_is_refused() {
        let short = AdminKey::new(&SecretString::from("fifteen letters"));
        assert_eq!(short.err(), Some(AdminKeyTooShort { length: 15 }));
        assert!(AdminKey::new(&SecretString::from("sixteen letters!")).is_ok());
    }
}
