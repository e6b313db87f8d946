//! Keeps the data directory and the files in it from other users of the machine.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::Mode;
use rustix::process::umask;
use tracing::info;

use crate::config::Config;

/// The permissions of others, which nothing here may have.
const OTHERS: u32 = 0o077;

/// The permission of all users to add and replace files in a directory.
const OTHERS_WRITE: u32 = 0o002;

/// The keys that the first start and `secrets rotate` create in the data directory, and the lock of the latter.
const KEYS: [&str; 5] = ["admin.key", "secret.key", "secret.key.previous", "secret.key.new", "secret.key.lock"];

/// The name of the database in the data directory, if none is configured.
const DATABASE: &str = "trunkline.db";

/// Makes every file that the process creates from now on accessible to its owner alone. There is no moment in which a
/// file has other permissions.
pub fn keep_private() {
    umask(Mode::RWXG | Mode::RWXO);
}

/// Creates the data directory, or takes the permissions of other users from it and from the files of this server that
/// are in it. The database may be elsewhere.
///
/// # Errors
/// Returns an error if the directory cannot be created, or if other users have access to it, and it holds more than
/// the files of this server, so that somebody else may need that access.
pub fn prepare(config: &Config) -> anyhow::Result<()> {
    let dir = &config.data_dir;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("cannot create the data directory {}", dir.display()))?;
    let url = config.database_url();
    let database = url.strip_prefix("sqlite://").map(PathBuf::from);
    close_directory(dir, database.as_deref())?;
    for key in KEYS {
        close_file(&dir.join(key))?;
    }
    for file in database.iter().map(|database| files_of(database)).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
    {
        close_file(&file)?;
    }
    Ok(())
}

/// Returns the database and the files beside it, such as its log and its locks, whose names begin with its own.
fn files_of(database: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let dir = database.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = database.file_name() else { return Ok(Vec::new()) };
    // Without a directory there are no files, and the store says what is wrong with its path.
    let Ok(entries) = fs::read_dir(dir) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", dir.display()))?;
        if is_of(&entry.file_name(), name) {
            files.push(entry.path());
        }
    }
    Ok(files)
}

/// Returns true for the database `name` itself, and for the files that SQLite and this server put beside it.
fn is_of(file: &OsStr, name: &OsStr) -> bool {
    let rest = file.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'-' | b'.')))
}

fn close_directory(dir: &Path, database: Option<&Path>) -> anyhow::Result<()> {
    let cannot_read = || format!("cannot read the data directory {}", dir.display());
    let metadata = fs::metadata(dir).with_context(cannot_read)?;
    if metadata.mode() & OTHERS == 0 {
        return Ok(());
    }
    let mode = metadata.mode() & 0o777;
    let advice = "use a directory of its own for TRUNKLINE_DATA_DIR, which the start creates";
    if metadata.mode() & OTHERS_WRITE != 0 {
        bail!(
            "every user may write to the data directory {} (mode {mode:o}), and may have put files there: {advice}, or \
             check the files and run chmod 700",
            dir.display()
        );
    }
    if let Some(foreign) = foreign_file(dir, database).with_context(cannot_read)? {
        bail!(
            "the data directory {} is open to other users (mode {mode:o}) and holds other files, such as {}: {advice}, \
             or run chmod 700 if no one else needs it",
            dir.display(),
            foreign.display()
        );
    }
    close(dir, &metadata, 0o700)
}

/// Returns the name of a file in the directory that is not this server's.
fn foreign_file(dir: &Path, database: Option<&Path>) -> io::Result<Option<PathBuf>> {
    let database = database.and_then(Path::file_name).unwrap_or(OsStr::new(DATABASE));
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let is_ours = is_of(&name, database) || is_of(&name, OsStr::new(DATABASE));
        // The root of a file system has a directory of lost files.
        let is_known = KEYS.iter().chain(["lost+found"].iter()).any(|known| name == *known);
        if !is_ours && !is_known {
            return Ok(Some(PathBuf::from(name)));
        }
    }
    Ok(None)
}

fn close_file(path: &Path) -> anyhow::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.mode() & OTHERS != 0 => close(path, &metadata, 0o600),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn close(path: &Path, metadata: &Metadata, mode: u32) -> anyhow::Result<()> {
    let was = metadata.mode() & 0o777;
    fs::set_permissions(path, Permissions::from_mode(mode)).with_context(|| {
        format!("other users have access to {} (mode {was:o}), and chmod {mode:o} failed", path.display())
    })?;
    info!(path = %path.display(), "took the access of other users away: the mode was {was:o} and is {mode:o} now");
    Ok(())
}
