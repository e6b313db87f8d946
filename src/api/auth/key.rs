//! Generates, formats and parses API keys.

use std::fmt;

use http::header::HeaderName;
use rand::RngExt as _;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The name of the header, or of the gRPC metadata, with the key.
pub const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The digits of a key id, a secret and a checksum. The value of a digit is its position.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The length of the key id in characters: 95 bits, so that no two keys ever have the same.
const KEY_ID: usize = 16;
/// The length of the secret in characters: 190 bits, which cannot be guessed, so that a plain SHA-256 protects it.
const SECRET: usize = 32;
/// The length of the CRC-32 over the rest of the key, in characters: 62^6 is more than 2^32.
const CHECKSUM: usize = 6;

/// What a key is for according to its prefix. What its holder may really do is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `tl_live_`: the key of a client.
    Live,
    /// `tl_test_`: the key of a client in the sandbox.
    Test,
    /// `tl_admin_`: the key of an administrator.
    Admin,
}

/// A key as a caller presents it: `tl_live_<key id>_<secret><checksum>`, well-formed and with a correct checksum.
pub struct ApiKey {
    /// What the prefix says that the key is for.
    pub kind: KeyKind,
    /// The public part of the key.
    pub key_id: String,
    /// SHA-256 of the secret part; the store has no more of the secret.
    pub secret_sha256: [u8; 32],
}

/// A key that was just generated.
pub struct NewKey {
    /// The whole key, which is shown once and stored nowhere.
    pub plaintext: SecretString,
    /// The public part of the key, to be stored.
    pub key_id: String,
    /// SHA-256 of the secret part, to be stored.
    pub secret_sha256: [u8; 32],
}

impl KeyKind {
    const ALL: [Self; 3] = [Self::Live, Self::Test, Self::Admin];

    /// Returns the prefix of keys of this kind.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Live => "tl_live_",
            Self::Test => "tl_test_",
            Self::Admin => "tl_admin_",
        }
    }
}

impl ApiKey {
    /// Generates a key from the operating system's randomness.
    #[must_use]
    pub fn generate(kind: KeyKind) -> NewKey {
        let (key_id, secret) = (random(KEY_ID), random(SECRET));
        let plaintext = SecretString::from(Self::text(kind, &key_id, &secret));
        NewKey { plaintext, key_id, secret_sha256: hash_secret(&secret) }
    }

    /// Writes a key with its checksum.
    pub(crate) fn text(kind: KeyKind, key_id: &str, secret: &str) -> String {
        let body = format!("{}{key_id}_{secret}", kind.prefix());
        format!("{body}{}", checksum(&body))
    }

    /// Parses a key. Returns None for a malformed key or one with a typing error, so that the store is not asked for
    /// those.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let kind = KeyKind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        let (body, found) = text.split_at_checked(text.len().checked_sub(CHECKSUM)?)?;
        let (key_id, secret) = body.strip_prefix(kind.prefix())?.split_once('_')?;
        let well_formed = is_base62(key_id, KEY_ID) && is_base62(secret, SECRET);
        (well_formed && checksum(body) == found).then(|| Self {
            kind,
            key_id: key_id.to_owned(),
            secret_sha256: hash_secret(secret),
        })
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiKey").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl NewKey {
    /// Returns the whole key, to be shown to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.plaintext.expose_secret()
    }
}

/// Returns the SHA-256 of a secret.
#[must_use]
pub fn hash_secret(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn random(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| char::from(BASE62[rng.random_range(0..BASE62.len())])).collect()
}

fn is_base62(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn checksum(body: &str) -> String {
    let mut rest = crc32fast::hash(body.as_bytes()) as usize;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[rest % 62];
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_documented_form_and_is_parsed_again_from_its_text() {
        for kind in KeyKind::ALL {
            let new = ApiKey::generate(kind);
            let text = new.expose();
            assert_eq!(text.len(), kind.prefix().len() + KEY_ID + 1 + SECRET + CHECKSUM);
            let parsed = ApiKey::parse(text).unwrap();
            assert_eq!((parsed.kind, &parsed.key_id), (kind, &new.key_id));
            assert_eq!(parsed.secret_sha256, new.secret_sha256);
        }
    }

    #[test]
    fn a_typing_error_anywhere_is_noticed() {
        let new = ApiKey::generate(KeyKind::Live);
        let text = new.expose();
        for (place, typed) in text.char_indices() {
            let other = if typed == 'x' { 'y' } else { 'x' };
            let wrong = format!("{}{other}{}", &text[..place], &text[place + 1..]);
            assert!(ApiKey::parse(&wrong).is_none(), "at {place}");
        }
    }

    #[test]
    fn a_malformed_key_is_refused() {
        for text in ["", "tl_live_", "tl_live_x_y", "your_api_key", "tl_live_äöü", "ключ"] {
            assert!(ApiKey::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_never_shows_its_secret_in_logs() {
        let new = ApiKey::generate(KeyKind::Admin);
        let shown = format!("{:?}", ApiKey::parse(new.expose()).unwrap());
        assert_eq!(shown, format!("ApiKey {{ key_id: {:?}, .. }}", new.key_id));
    }
}
