//! API keys: how they are made, written and taken apart.

use std::fmt;

use rand::RngExt as _;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What a key id, a secret and a checksum are written in; a digit's value is its place.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Characters of the part that names the key: 95 bits, so that no two ever meet.
const KEY_ID: usize = 16;
/// Characters of the part that proves it: 190 bits, which cannot be guessed, so that a plain SHA-256 keeps it safe.
const SECRET: usize = 32;
/// Characters of the CRC-32 over all that stands before: 62^6 is more than 2^32.
const CHECKSUM: usize = 6;

/// What a key says it is for, in its prefix. What it may really do is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// `tl_live_`: a client's.
    Live,
    /// `tl_test_`: a client's, in the sandbox.
    Test,
    /// `tl_admin_`: for administration.
    Admin,
}

/// A key as a caller presents it: `tl_live_<key id>_<secret><checksum>`, well-formed and with a right checksum.
pub struct ApiKey {
    /// What it says it is for.
    pub kind: KeyKind,
    /// The part that is no secret.
    pub key_id: String,
    /// SHA-256 of the secret part, which is all that the store keeps of it.
    pub secret_sha256: [u8; 32],
}

/// A key just made.
pub struct NewKey {
    /// The whole key; shown once, kept nowhere.
    pub plaintext: SecretString,
    /// To be stored.
    pub key_id: String,
    /// To be stored.
    pub secret_sha256: [u8; 32],
}

impl KeyKind {
    const ALL: [Self; 3] = [Self::Live, Self::Test, Self::Admin];

    /// What its keys begin with.
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
    /// A new key from the system's randomness.
    #[must_use]
    pub fn generate(kind: KeyKind) -> NewKey {
        let (key_id, secret) = (random(KEY_ID), random(SECRET));
        let body = format!("{}{key_id}_{secret}", kind.prefix());
        let plaintext = SecretString::from(format!("{body}{}", checksum(&body)));
        NewKey { plaintext, key_id, secret_sha256: hash_secret(&secret) }
    }

    /// Takes a key apart. None for what is no key or has a typing error: the store is not asked for those.
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
    /// The whole key, to be shown to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.plaintext.expose_secret()
    }
}

/// SHA-256 of a secret.
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
    fn a_key_has_the_documented_form_and_comes_back_from_its_text() {
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
    fn what_is_no_key_is_refused() {
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
