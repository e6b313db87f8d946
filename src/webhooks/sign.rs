//! Signs messages as Standard Webhooks 1.0.0 specifies (`standard-webhooks/standard-webhooks`,
//! `spec/standard-webhooks.md`).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::domain::time::Millis;

/// The prefix of every secret.
const PREFIX: &str = "whsec_";

/// How many random bytes a new secret has. The specification requires 24 to 64.
const BYTES: usize = 32;

/// Signs messages with a secret and, until a time after a rotation, with the secret before it as well.
pub struct Signer {
    secret: Hmac<Sha256>,
    old: Option<(Hmac<Sha256>, Millis)>,
}

/// The error about a secret that is not `whsec_` followed by base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret must be {PREFIX} followed by base64")]
pub struct NoSecret;

/// Generates a random secret.
#[must_use]
pub fn new_secret() -> SecretString {
    format!("{PREFIX}{}", BASE64_STANDARD.encode(rand::random::<[u8; BYTES]>())).into()
}

impl Signer {
    /// Builds a signer from a secret in the form that [`new_secret`] returns.
    ///
    /// # Errors
    /// Returns [`NoSecret`] if the secret has another form.
    pub fn new(secret: &SecretString) -> Result<Self, NoSecret> {
        Ok(Self { secret: key(secret)?, old: None })
    }

    /// Returns a signer that also signs with the secret before the last rotation, until the given time.
    ///
    /// # Errors
    /// Returns [`NoSecret`] if the secret has another form than [`new_secret`] returns.
    pub fn and_until(self, old: &SecretString, until: Millis) -> Result<Self, NoSecret> {
        Ok(Self { old: Some((key(old)?, until)), ..self })
    }

    /// Returns the value of `webhook-signature` for a message with this id and body that is sent at `seconds` since
    /// 1970: one signature for each secret that is valid then, the newest first, with a space in between.
    #[must_use]
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let old = self.old.as_ref().filter(|(_, until)| seconds < until.0 / 1000).map(|(secret, _)| secret);
        let signatures = std::iter::once(&self.secret).chain(old).map(|secret| {
            let mut mac = secret.clone();
            mac.update(format!("{id}.{seconds}.").as_bytes());
            mac.update(body);
            format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key(secret: &SecretString) -> Result<Hmac<Sha256>, NoSecret> {
    let encoded = secret.expose_secret().strip_prefix(PREFIX).ok_or(NoSecret)?;
    let key = BASE64_STANDARD.decode(encoded).map_err(|_| NoSecret)?;
    Hmac::new_from_slice(&key).map_err(|_| NoSecret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_signed_as_the_reference_libraries_sign_it() {
        // The message that the tests of the reference libraries share.
        let signer = Signer::new(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).unwrap();
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_part_of_a_message_is_signed() {
        let signer = Signer::new(&new_secret()).unwrap();
        let signed = signer.sign("wh_1_2", 3, b"{}");
        assert_ne!(signer.sign("wh_1_3", 3, b"{}"), signed);
        assert_ne!(signer.sign("wh_1_2", 4, b"{}"), signed);
        assert_ne!(signer.sign("wh_1_2", 3, b"[]"), signed);
        assert_ne!(Signer::new(&new_secret()).unwrap().sign("wh_1_2", 3, b"{}"), signed);
    }

    #[test]
    fn the_secret_before_a_rotation_signs_until_its_time_after_the_new_one() {
        let (old, new) = (new_secret(), new_secret());
        let by = |secret, seconds| Signer::new(secret).unwrap().sign("wh_1_2", seconds, b"{}");
        let both = Signer::new(&new).unwrap().and_until(&old, Millis(10_000)).unwrap();
        assert_eq!(both.sign("wh_1_2", 9, b"{}"), format!("{} {}", by(&new, 9), by(&old, 9)));
        assert_eq!(both.sign("wh_1_2", 10, b"{}"), by(&new, 10));
    }

    #[test]
    fn a_malformed_secret_is_refused() {
        for wrong in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_no base64"] {
            assert!(Signer::new(&wrong.into()).is_err(), "{wrong}");
        }
    }
}
