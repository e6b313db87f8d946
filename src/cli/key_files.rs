//! The secret keys of the configuration, and the files of secret keys in the data directory: the current key, and the keys
//! before it that may still be needed.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

use crate::config::{Config, ConfigError};
use crate::store::secrets::{Keyring, SecretError};

/// The files of secret keys in a data directory. They are used unless `secret_key` is configured.
pub struct KeyFiles {
    dir: PathBuf,
}

impl KeyFiles {
    /// Names the files of the data directory. Nothing is read yet.
    pub fn of(config: &Config) -> Self {
        Self { dir: config.data_dir.clone() }
    }

    /// Returns the path of the file with the current key.
    pub fn current_path(&self) -> PathBuf {
        self.dir.join("secret.key")
    }

    /// Returns the path of the file with the earlier keys, one a line, the newest first.
    pub fn previous_path(&self) -> PathBuf {
        self.dir.join("secret.key.previous")
    }

    /// Reads the current key. Returns None if there is no file.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub fn current(&self) -> anyhow::Result<Option<SecretString>> {
        Ok(read(&self.current_path())?.map(|text| text.expose_secret().trim().into()))
    }

    /// Reads the earlier keys.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub fn previous(&self) -> anyhow::Result<Vec<SecretString>> {
        let text = read(&self.previous_path())?;
        Ok(text.iter().flat_map(|text| text.expose_secret().split_whitespace()).map(Into::into).collect())
    }

    /// Keeps other processes from changing the files until the result is dropped.
    ///
    /// # Errors
    /// Returns an error if the file of the lock cannot be created, or another process has the lock.
    pub fn lock(&self) -> anyhow::Result<File> {
        let path = self.dir.join("secret.key.lock");
        let file = File::options().create(true).write(true).truncate(false).mode(0o600).open(&path);
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        file.try_lock().with_context(|| format!("cannot lock {}: is another rotation running?", path.display()))?;
        Ok(file)
    }

    /// Makes `current` the current key, and `previous` the earlier ones. The earlier keys are on the disk before the new one
    /// is used, so that an interruption loses none.
    ///
    /// # Errors
    /// Returns an error if a file cannot be written.
    pub fn replace(&self, current: &SecretString, previous: &[SecretString]) -> anyhow::Result<()> {
        let lines: String = previous.iter().map(|key| format!("{}\n", key.expose_secret())).collect();
        self.write(&self.previous_path(), &lines.into())?;
        self.write(&self.current_path(), &format!("{}\n", current.expose_secret()).into())
    }

    /// Replaces the text of a file as a whole.
    fn write(&self, path: &Path, text: &SecretString) -> anyhow::Result<()> {
        let new = self.dir.join("secret.key.new");
        let written = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new);
        let written = written.and_then(|mut file| {
            file.write_all(text.expose_secret().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, path)?;
            File::open(&self.dir)?.sync_all()
        });
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Reads the keys of the configuration, or else those in the data directory. Returns None if there is no key yet.
///
/// # Errors
/// Returns an error if a key is not valid, or a file cannot be read.
pub fn keyring(config: &Config) -> anyhow::Result<Option<Keyring>> {
    let files = KeyFiles::of(config);
    let (current, mut previous) = match (config.secret_key(), files.current()?) {
        (Some(key), _) => (key, Vec::new()),
        // The current key was read first: a rotation writes it last.
        (None, Some(key)) => (key, files.previous()?),
        (None, None) => return Ok(None),
    };
    let wrong = |setting: &str, error: SecretError| ConfigError::Value(format!("{setting}: {error}"));
    Keyring::from_base64(&current, []).map_err(|error| wrong("secret_key", error))?;
    previous.extend(config.previous_secret_keys());
    Ok(Some(Keyring::from_base64(&current, &previous).map_err(|error| wrong("previous_secret_keys", error))?))
}

fn read(path: &Path) -> anyhow::Result<Option<SecretString>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
