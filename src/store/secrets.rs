//! Secrets at rest: AES-256-GCM with a fresh nonce for each.
//!
//! A sealed secret is a mark, the id of its key, a nonce and the encrypted bytes, which are bound to the row that they are
//! in. Earlier versions stored only the nonce and the encrypted bytes, bound to nothing: those still open, with any key.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The first bytes of a sealed secret that carries the id of its key.
const MARK: [u8; 4] = *b"tls\x01";

/// The length of the id of a key, in bytes.
const ID_LEN: usize = 8;

/// How often the keys are read again at most because the key of a secret is missing.
const REREAD: Duration = Duration::from_secs(1);

/// Why a secret could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// `TRUNKLINE_SECRET_KEY` has the wrong form.
    #[error("the secret key must be 32 bytes in base64")]
    Key,
    /// The secret was sealed with another key, or was altered.
    #[error("a stored secret cannot be opened with this secret key: it was sealed with another one, or altered")]
    Sealed,
    /// The secret was sealed with a key that is not there.
    #[error(
        "a stored secret is sealed with the secret key {0}, which is not configured here: add that key to \
         previous_secret_keys (TRUNKLINE_PREVIOUS_SECRET_KEYS)"
    )]
    MissingKey(KeyId),
    /// The secret was sealed with this key, and cannot be opened as the secret of its row.
    #[error("a stored secret was altered, or belongs to another row: set it again. Its secret key is {0}")]
    Altered(KeyId),
}

/// The id of a key: the first bytes of a hash of it, which says nothing about the key. It is written in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; ID_LEN]);

/// The row that a secret belongs to. What is sealed for one row does not open as the secret of another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The secret of a server's manager user, by the server's code.
    Server(String),
    /// The signing secret of a webhook, by its id.
    Webhook(i64),
    /// The signing secret of a webhook before its last rotation.
    EarlierWebhook(i64),
}

/// The keys that secrets are opened with. The first is the current one, which also seals.
#[derive(Clone)]
pub struct Keyring(Vec<Key>);

/// A key with its id.
#[derive(Clone)]
struct Key {
    id: KeyId,
    key: Arc<LessSafeKey>,
}

/// Reads the configured keys again. An error says why they cannot be read.
pub type Source = Arc<dyn Fn() -> Result<Keyring, String> + Send + Sync>;

/// Seals and opens the secrets in the store.
#[derive(Clone)]
pub struct Sealer(Arc<Shared>);

struct Shared {
    keys: RwLock<Keyring>,
    source: Option<Source>,
    /// When the keys were last read again because one was missing.
    reread: Mutex<Option<Instant>>,
}

impl Keyring {
    /// Reads the current key and previous ones, each of 32 bytes in base64.
    ///
    /// # Errors
    /// Returns [`SecretError::Key`] if one of them has another form.
    pub fn from_base64<'k>(
        current: &SecretString,
        previous: impl IntoIterator<Item = &'k SecretString>,
    ) -> Result<Self, SecretError> {
        let mut keys = Self(vec![Key::from_base64(current)?]);
        for key in previous {
            keys.add(Key::from_base64(key)?);
        }
        Ok(keys)
    }

    /// Returns the id of the key that seals.
    #[must_use]
    pub fn current(&self) -> Option<KeyId> {
        self.0.first().map(|key| key.id)
    }

    /// Returns the ids of all keys, the current one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().map(|key| key.id)
    }

    fn add(&mut self, key: Key) {
        if self.ids().all(|id| id != key.id) {
            self.0.push(key);
        }
    }
}

impl Key {
    fn from_base64(key: &SecretString) -> Result<Self, SecretError> {
        let bytes = BASE64_STANDARD.decode(key.expose_secret().trim()).map_err(|_| SecretError::Key)?;
        let bytes = Zeroizing::new(bytes);
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| SecretError::Key)?;
        let hash = Sha256::new().chain_update(b"trunkline secret key id\n").chain_update(bytes.as_slice()).finalize();
        let mut id = [0; ID_LEN];
        id.copy_from_slice(&hash[..ID_LEN]);
        Ok(Self { id: KeyId(id), key: Arc::new(LessSafeKey::new(key)) })
    }

    /// Opens a nonce and the encrypted bytes after it. Returns None if they were not sealed so.
    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Option<SecretString> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let secret = self.key.open_in_place(nonce, Aad::from(bound_to), &mut sealed).ok()?;
        std::str::from_utf8(secret).ok().map(Into::into)
    }
}

impl Sealer {
    /// Makes one that knows these keys alone.
    #[must_use]
    pub fn new(keys: Keyring) -> Self {
        Self(Arc::new(Shared { keys: RwLock::new(keys), source: None, reread: Mutex::new(None) }))
    }

    /// Makes one that reads its keys again with `source`: before it seals, so that it uses a key that became the current
    /// one meanwhile, and when a key is missing. A key that it has known is not forgotten.
    #[must_use]
    pub fn with_source(keys: Keyring, source: Source) -> Self {
        Self(Arc::new(Shared { keys: RwLock::new(keys), source: Some(source), reread: Mutex::new(None) }))
    }

    /// Makes one with a single key of 32 bytes in base64.
    ///
    /// # Errors
    /// Returns [`SecretError::Key`] if the key has another form.
    pub fn from_base64(key: &SecretString) -> Result<Self, SecretError> {
        Ok(Self::new(Keyring::from_base64(key, [])?))
    }

    /// Generates a new key, in the form that [`Keyring::from_base64`] takes.
    #[must_use]
    pub fn new_key() -> SecretString {
        let key = Zeroizing::new(rand::random::<[u8; 32]>());
        BASE64_STANDARD.encode(key.as_slice()).into()
    }

    /// Returns the keys that are known now.
    #[must_use]
    pub fn keys(&self) -> Keyring {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Seals the secret of a row with the current key.
    ///
    /// In a transaction, this must be called after [`audit::lock`](super::audit::lock): then a rotation, which takes the
    /// same lock, finds every secret that is sealed with an earlier key.
    ///
    /// # Errors
    /// Returns [`SecretError::Key`] if there is no key.
    pub fn seal(&self, secret: &SecretString, place: &Place) -> Result<Vec<u8>, SecretError> {
        self.read_again();
        let keys = self.keys();
        let key = keys.0.first().ok_or(SecretError::Key)?;
        let nonce: [u8; NONCE_LEN] = rand::random();
        let secret = secret.expose_secret().as_bytes();
        // With room for the tag, so that the secret is not left behind in memory when the buffer grows.
        let mut sealed = Zeroizing::new(Vec::with_capacity(secret.len() + AES_256_GCM.tag_len()));
        sealed.extend_from_slice(secret);
        key.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.bytes()), &mut *sealed)
            .map_err(|_| SecretError::Key)?;
        Ok([&MARK[..], &key.id.0, &nonce, &sealed].concat())
    }

    /// Opens what [`Sealer::seal`] returned for the same row, or what an earlier version sealed for any.
    ///
    /// # Errors
    /// Says whether the key is missing, or the secret was altered.
    pub fn open(&self, sealed: &[u8], place: &Place) -> Result<SecretString, SecretError> {
        let marked = split_marked(sealed);
        if let Some((id, _)) = marked
            && self.keys().ids().all(|known| known != id)
        {
            self.read_again_if_due();
        }
        let keys = self.keys();
        let mut error = SecretError::Sealed;
        if let Some((id, rest)) = marked {
            error = SecretError::MissingKey(id);
            if let Some(key) = keys.0.iter().find(|key| key.id == id) {
                match key.open(rest, &place.bytes()) {
                    Some(secret) => return Ok(secret),
                    None => error = SecretError::Altered(id),
                }
            }
        }
        // Without a mark, or with a nonce that looks like one.
        keys.0.iter().find_map(|key| key.open(sealed, &[])).ok_or(error)
    }

    fn read_again_if_due(&self) {
        let mut last = self.0.reread.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= REREAD) {
            *last = Some(Instant::now());
            self.read_again();
        }
    }

    /// Reads the keys again. Keys that were known before are kept, because a secret that was read before may need them.
    fn read_again(&self) {
        let Some(source) = &self.0.source else { return };
        match source() {
            Ok(mut read) => {
                let mut keys = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
                for key in keys.0.drain(..) {
                    read.add(key);
                }
                *keys = read;
            }
            Err(error) => tracing::warn!(error, "cannot read the secret keys again; those that are known stay in use"),
        }
    }
}

impl Place {
    /// Returns the text that is bound to the encrypted bytes.
    fn bytes(&self) -> Vec<u8> {
        format!("{self}/secret").into_bytes()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(code) => write!(f, "servers/{code}"),
            // The same, because a rotation moves the sealed secret as it is.
            Self::Webhook(id) | Self::EarlierWebhook(id) => write!(f, "webhooks/{id}"),
        }
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Returns the id of the key that a secret is sealed with. None if an earlier version sealed it.
#[must_use]
pub fn key_of(sealed: &[u8]) -> Option<KeyId> {
    split_marked(sealed).map(|(id, _)| id)
}

fn split_marked(sealed: &[u8]) -> Option<(KeyId, &[u8])> {
    let (id, rest) = sealed.strip_prefix(&MARK)?.split_first_chunk::<ID_LEN>()?;
    Some((KeyId(*id), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Place {
        Place::Server("server1".into())
    }

    fn key() -> SecretString {
        Sealer::new_key()
    }

    #[test]
    fn a_secret_opens_with_its_key_alone() {
        let sealer = Sealer::from_base64(&key()).unwrap();
        let sealed = sealer.seal(&"dialer-secret".into(), &server()).unwrap();
        assert_eq!(sealer.open(&sealed, &server()).unwrap().expose_secret(), "dialer-secret");
        let other = Sealer::from_base64(&key()).unwrap();
        let id = sealer.keys().current().unwrap();
        let error = other.open(&sealed, &server()).unwrap_err();
        assert_eq!(error, SecretError::MissingKey(id));
        assert!(error.to_string().contains(&id.to_string()), "{error}");
        assert!(matches!(sealer.open(&sealed[..5], &server()), Err(SecretError::Sealed)));
        let mut altered = sealed;
        *altered.last_mut().unwrap() ^= 1;
        assert!(matches!(sealer.open(&altered, &server()), Err(SecretError::Altered(_))));
    }

    #[test]
    fn a_secret_opens_in_its_own_row_alone() {
        let sealer = Sealer::from_base64(&key()).unwrap();
        let sealed = sealer.seal(&"dialer-secret".into(), &server()).unwrap();
        for place in [Place::Server("server2".into()), Place::Webhook(1)] {
            assert!(
                matches!(sealer.open(&sealed, &place), Err(SecretError::Altered(_))),
                "it opens as that of {place}"
            );
        }
    }

    #[test]
    fn a_secret_that_an_earlier_version_sealed_opens() {
        let current = key();
        let keys = Keyring::from_base64(&current, &[BASE64_STANDARD.encode([7; 32]).into()]).unwrap();
        let sealed = BASE64_STANDARD.decode("AAECAwQFBgcICQoLfOiIHHh79DoS0Zf5ll+8DXkOguM0eM9SPQ72R0Y=").unwrap();
        let opened = Sealer::new(keys).open(&sealed, &server()).unwrap();
        assert_eq!(opened.expose_secret(), "dialer-secret");
        assert_eq!(key_of(&sealed), None);
        let without = Sealer::from_base64(&current).unwrap().open(&sealed, &server());
        assert!(matches!(without, Err(SecretError::Sealed)));
    }

    #[test]
    fn an_earlier_secret_whose_nonce_looks_like_a_mark_opens() {
        let key = Key::from_base64(&BASE64_STANDARD.encode([7; 32]).into()).unwrap();
        let mut nonce = [9; NONCE_LEN];
        nonce[..4].copy_from_slice(&MARK);
        let mut bytes = b"dialer-secret".to_vec();
        key.key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes).unwrap();
        let sealed = [&nonce[..], &bytes].concat();
        assert_eq!(Sealer::new(Keyring(vec![key])).open(&sealed, &server()).unwrap().expose_secret(), "dialer-secret");
    }

    #[test]
    fn a_new_key_is_used_without_a_restart_and_an_old_one_is_not_forgotten() {
        let (first, second) = (key(), key());
        let now = Arc::new(Mutex::new(first.clone()));
        let source: Source = {
            let now = Arc::clone(&now);
            Arc::new(move || Keyring::from_base64(&now.lock().unwrap(), []).map_err(|error| error.to_string()))
        };
        let sealer = Sealer::with_source(Keyring::from_base64(&first, []).unwrap(), source);
        let before = sealer.seal(&"one".into(), &server()).unwrap();
        *now.lock().unwrap() = second.clone();
        let by_another = Sealer::from_base64(&second).unwrap().seal(&"two".into(), &server()).unwrap();
        assert_eq!(sealer.open(&by_another, &server()).unwrap().expose_secret(), "two");
        assert_eq!(sealer.open(&before, &server()).unwrap().expose_secret(), "one");
        let after = sealer.seal(&"three".into(), &server()).unwrap();
        assert_eq!(key_of(&after), Keyring::from_base64(&second, []).unwrap().current());
    }
}
