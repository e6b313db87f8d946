//! What a first start makes: the data directory, and the keys that nobody configured.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use tracing::info;

use crate::api::auth::{AdminKey, ApiKey, KeyKind};
use crate::config::{Config, ConfigError};
use crate::store::secrets::Sealer;

/// Makes the data directory, for its owner alone.
pub fn make_data_dir(config: &Config) -> anyhow::Result<()> {
    let dir = &config.data_dir;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot make the data directory {}", dir.display()))
}

/// The bootstrap admin key; one is made, and its path logged, where none is configured.
pub fn admin_key(config: &Config) -> anyhow::Result<AdminKey> {
    let key = match config.admin_key() {
        Some(key) => key,
        None => {
            kept(&config.data_dir.join("admin.key"), "the admin key", || ApiKey::generate(KeyKind::Admin).plaintext)?
        }
    };
    Ok(AdminKey::new(&key).map_err(|error| ConfigError::Value(format!("admin_key: {error}")))?)
}

/// What seals secrets; with SQLite a key is made where none is configured.
pub fn sealer(config: &Config) -> anyhow::Result<Sealer> {
    let key = match config.secret_key() {
        Some(key) => key,
        None => kept(&config.data_dir.join("secret.key"), "the key of stored secrets", Sealer::new_key)?,
    };
    Ok(Sealer::from_base64(&key).map_err(|error| ConfigError::Value(format!("secret_key: {error}")))?)
}

/// What seals secrets, where there is such a key already.
pub fn existing_sealer(config: &Config) -> anyhow::Result<Option<Sealer>> {
    let path = config.data_dir.join("secret.key");
    if config.secret_key().is_some() || path.exists() { sealer(config).map(Some) } else { Ok(None) }
}

/// What is in the file, which is made where it is not there.
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
            info!(path = %path.display(), "{what} was made");
            Ok(secret)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
