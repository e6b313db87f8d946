//! Secrets at rest: AES-256-GCM with a fresh nonce for each.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretString};

/// Why a secret could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// `TRUNKLINE_SECRET_KEY` has the wrong form.
    #[error("the secret key must be 32 bytes in base64")]
    Key,
    /// The secret was sealed with another key, or was altered.
    #[error("a stored secret cannot be opened with this secret key: it was sealed with another one, or altered")]
    Sealed,
}

/// Seals and opens the secrets in the store.
#[derive(Clone)]
pub struct Sealer(Arc<LessSafeKey>);

impl Sealer {
    /// Reads a key of 32 bytes in base64.
    pub fn from_base64(key: &SecretString) -> Result<Self, SecretError> {
        let bytes = BASE64_STANDARD.decode(key.expose_secret().trim()).map_err(|_| SecretError::Key)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| SecretError::Key)?;
        Ok(Self(Arc::new(LessSafeKey::new(key))))
    }

    /// Generates a new key, in the form that [`Sealer::from_base64`] takes.
    #[must_use]
    pub fn new_key() -> SecretString {
        BASE64_STANDARD.encode(rand::random::<[u8; 32]>()).into()
    }

    /// Seals a secret: returns the nonce and the sealed bytes.
    pub fn seal(&self, secret: &SecretString) -> Result<Vec<u8>, SecretError> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = secret.expose_secret().as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .map_err(|_| SecretError::Sealed)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens what [`Sealer::seal`] returned.
    pub fn open(&self, sealed: &[u8]) -> Result<SecretString, SecretError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SecretError::Sealed)?;
        let mut sealed = sealed.to_vec();
        let secret = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut sealed)
            .map_err(|_| SecretError::Sealed)?;
        String::from_utf8(secret.to_vec()).map(Into::into).map_err(|_| SecretError::Sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_key_alone() {
        let sealer = Sealer::from_base64(&Sealer::new_key()).unwrap();
        let sealed = sealer.seal(&"dialer-secret".into()).unwrap();
        assert_eq!(sealer.open(&sealed).unwrap().expose_secret(), "dialer-secret");
        let other = Sealer::from_base64(&Sealer::new_key()).unwrap();
        assert!(matches!(other.open(&sealed), Err(SecretError::Sealed)));
        assert!(matches!(sealer.open(&sealed[..5]), Err(SecretError::Sealed)));
    }

    #[test]
    fn a_secret_that_an_earlier_version_sealed_opens() {
        let sealer = Sealer::from_base64(&BASE64_STANDARD.encode([7; 32]).into()).unwrap();
        let sealed = BASE64_STANDARD.decode("AAECAwQFBgcICQoLfOiIHHh79DoS0Zf5ll+8DXkOguM0eM9SPQ72R0Y=").unwrap();
        assert_eq!(sealer.open(&sealed).unwrap().expose_secret(), "dialer-secret");
    }
}
