//! What the first start creates in the data directory: the keys that are not configured.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use tracing::info;

use crate::api::auth::{AdminKey, ApiKey, KeyKind};
use crate::config::{Config, ConfigError};
use crate::store::secrets::Sealer;

/// Returns the bootstrap admin key. If none is configured, creates one and logs its path.
///
/// # Errors
/// Returns an error if the key is too short, or its file cannot be read or written.
pub fn admin_key(config: &Config) -> anyhow::Result<AdminKey> {
    let key = match config.admin_key() {
        Some(key) => key,
        None => {
            kept(&config.data_dir.join("admin.key"), "the admin key", || ApiKey::generate(KeyKind::Admin).plaintext)?
        }
    };
    Ok(AdminKey::new(&key).map_err(|error| ConfigError::Value(format!("admin_key: {error}")))?)
}

/// Returns what seals secrets. If no key is configured, creates one, which happens with SQLite only.
///
/// # Errors
/// Returns an error if the key is not valid, or its file cannot be read or written.
pub fn sealer(config: &Config) -> anyhow::Result<Sealer> {
    let key = match config.secret_key() {
        Some(key) => key,
        None => kept(&config.data_dir.join("secret.key"), "the key of stored secrets", Sealer::new_key)?,
    };
    Ok(Sealer::from_base64(&key).map_err(|error| ConfigError::Value(format!("secret_key: {error}")))?)
}

/// Returns what seals secrets, or None if there is no key yet.
///
/// # Errors
/// Returns an error if the key is not valid, or its file cannot be read.
pub fn existing_sealer(config: &Config) -> anyhow::Result<Option<Sealer>> {
    let path = config.data_dir.join("secret.key");
    if config.secret_key().is_some() || path.exists() { sealer(config).map(Some) } else { Ok(None) }
}

/// Returns the text of the file, which is created if it does not exist.
fn kept(path: &Path, what: &str, make: impl FnOnce() -> SecretString) -> anyhow::Result<SecretString> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned().into()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let secret = make();
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let written = file.and_then(|mut file| {
                writeln!(file, "{}", secret.expose_secret())?;
                file.sync_all()
            });
            written.with_context(|| format!("cannot write {}", path.display()))?;
            info!(path = %path.display(), "created {what}");
            Ok(secret)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
