//! What the first start creates in the data directory: the keys that are not configured.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use tracing::{error, info};

use super::key_files::{KeyFiles, keyring};
use crate::api::auth::{AdminKey, ApiKey, KeyKind};
use crate::config::{Config, ConfigError, Flags};
use crate::store::secrets::Sealer;
use crate::store::{self, Db, sealed};

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

/// Returns what seals secrets. If no key is configured, creates one, which happens with SQLite only. The configuration is
/// loaded again with the same flags when the keys may have changed.
///
/// # Errors
/// Returns an error if a key is not valid, or a file cannot be read or written.
pub fn sealer(config: &Config, flags: &Flags) -> anyhow::Result<Sealer> {
    if config.secret_key().is_none() {
        kept(&KeyFiles::of(config).current_path(), "the key of stored secrets", Sealer::new_key)?;
    }
    let keys = keyring(config)?.context("the key of stored secrets is gone")?;
    let flags = flags.clone();
    let source = move || {
        let config = Config::load(&flags).map_err(|error| error.to_string())?;
        let keys = keyring(&config).map_err(|error| format!("{error:#}"))?;
        keys.ok_or_else(|| "the key of stored secrets is gone".to_owned())
    };
    Ok(Sealer::with_source(keys, Arc::new(source)))
}

/// Logs every key that stored secrets are sealed with and that is not configured. Everything that does not need these
/// secrets works.
///
/// # Errors
/// Returns an error if the store cannot be read.
pub async fn report_missing_keys(db: &Db, sealer: &Sealer) -> store::Result<()> {
    let counts = sealed::by_key(&mut db.read().await?).await?;
    for (key, count) in sealed::missing(&counts, &sealer.keys()) {
        error!(
            key_id = %key, servers = count.servers, webhooks = count.webhooks,
            "stored secrets cannot be opened without this secret key; add it to previous_secret_keys"
        );
    }
    Ok(())
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
