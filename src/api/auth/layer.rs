//! The layer that admits requests with a valid key, before the body is read.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::HeaderName;
use moka::future::Cache;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::api::auth::caller::{Caller, CallerKind};
use crate::api::auth::key::{ApiKey, hash_secret};
use crate::api::auth::store::{KeyStore, LookupFailed, StoredKey};
use crate::api::rest::{BASE, OLD_BASE};
use crate::api::{Error, fault};

/// The name of the header, or of the gRPC metadata, with the key.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The prefix of gRPC paths that need an admin key. The build script checks that no other method does.
const ADMIN_RPC: &str = "/trunkline.v1.AdminService/";
/// The prefix, below a REST base, of REST paths that need an admin key.
const ADMIN_REST: &str = "admin/";

/// How long a key that was looked up is trusted. A revoked key must stop working within a second.
const CACHED_FOR: Duration = Duration::from_millis(500);
/// How many keys are cached at most, unknown ones included.
const CACHED_KEYS: u64 = 10_000;
/// The minimum length of a configured admin key, in characters.
const MIN_ADMIN_KEY: usize = 16;
/// When a client should try again if the store cannot be reached.
const STORE_AWAY: Duration = Duration::from_secs(1);

/// Finds out who holds a key. A clone shares the cache.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn KeyStore>,
    admin: Option<AdminKey>,
    cache: Cache<String, Option<StoredKey>>,
}

/// The caller of an admitted request, and the limit on its requests.
struct Admitted {
    caller: Caller,
    requests_per_second: Option<RequestsPerSecond>,
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
    /// Admits the keys in `store`, and the configured admin key if there is one.
    pub fn new(store: Arc<dyn KeyStore>, admin: Option<AdminKey>) -> Self {
        let cache = Cache::builder().max_capacity(CACHED_KEYS).time_to_live(CACHED_FOR).build();
        Self { inner: Arc::new(Inner { store, admin, cache }) }
    }

    /// Finds out who holds the key in `headers`.
    async fn admit(&self, headers: &HeaderMap) -> Result<Admitted, Error> {
        let key = headers.get(X_API_KEY).and_then(|key| key.to_str().ok()).ok_or(Error::Unauthenticated)?;
        if let Some(AdminKey(admin)) = &self.inner.admin
            && bool::from(admin.ct_eq(&hash_secret(key)))
        {
            let caller = Caller { kind: CallerKind::Admin, key_id: "bootstrap".to_owned() };
            return Ok(Admitted { caller, requests_per_second: None });
        }
        let key = ApiKey::parse(key).ok_or(Error::Unauthenticated)?;
        let stored = self.lookup(&key.key_id).await?.ok_or(Error::Unauthenticated)?;
        let proven = bool::from(stored.secret_sha256.ct_eq(&key.secret_sha256));
        let expired = stored.expires_at.is_some_and(|end| end <= jiff::Timestamp::now());
        if !proven || stored.revoked || expired {
            return Err(Error::Unauthenticated);
        }
        if stored.client_disabled {
            return Err(Error::Forbidden("the client is disabled".to_owned()));
        }
        Ok(Admitted {
            caller: Caller { kind: stored.kind, key_id: key.key_id },
            requests_per_second: stored.requests_per_second.map(RequestsPerSecond),
        })
    }

    async fn lookup(&self, key_id: &str) -> Result<Option<StoredKey>, Error> {
        let Inner { store, cache, .. } = &*self.inner;
        // Concurrent requests with the same key share one look-up.
        let found = cache.try_get_with_by_ref(key_id, store.lookup(key_id)).await;
        found.map_err(|error: Arc<LookupFailed>| {
            tracing::warn!(error = error.0.as_ref() as &dyn std::error::Error, "cannot look up an API key");
            Error::Unavailable { message: "the store cannot be reached".to_owned(), retry_after: STORE_AWAY }
        })
    }
}

/// Puts the [`Caller`] and its [`RequestsPerSecond`] into the extensions of the request, and removes the key from its
/// headers. Refuses the request if it has no valid key, or no admin key although it needs one.
pub async fn authenticate(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let Admitted { caller, requests_per_second } = match auth.admit(request.headers()).await {
        Ok(admitted) => admitted,
        Err(error) => return fault::respond(error),
    };
    if needs_admin(request.uri().path()) && !caller.is_admin() {
        return fault::respond(Error::Forbidden("needs an admin key".to_owned()));
    }
    tracing::debug!(key_id = caller.key_id, "authenticated");
    request.headers_mut().remove(X_API_KEY);
    request.extensions_mut().insert(caller);
    if let Some(rate) = requests_per_second {
        request.extensions_mut().insert(rate);
    }
    next.run(request).await
}

fn needs_admin(path: &str) -> bool {
    let rest = path.strip_prefix(BASE).or_else(|| path.strip_prefix(OLD_BASE));
    path.starts_with(ADMIN_RPC) || rest.is_some_and(|path| path.starts_with(ADMIN_REST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::rest::ENDPOINTS;

    #[test]
    fn each_admin_method_needs_an_admin_key_at_each_of_its_paths_and_no_other_does() {
        for endpoint in &ENDPOINTS {
            assert_eq!(needs_admin(&format!("/{}", endpoint.rpc)), endpoint.admin, "{}", endpoint.rpc);
            for path in endpoint.paths() {
                assert_eq!(needs_admin(&path), endpoint.admin, "{path}");
            }
        }
    }

    #[test]
    fn a_short_admin_key_is_refused() {
        let short = AdminKey::new(&SecretString::from("fifteen letters"));
        assert_eq!(short.err(), Some(AdminKeyTooShort { length: 15 }));
        assert!(AdminKey::new(&SecretString::from("sixteen letters!")).is_ok());
    }
}
