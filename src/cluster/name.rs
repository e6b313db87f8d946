//! The name of this process among the nodes, which no other process has while this one runs.
//!
//! A node takes back the lanes of its own name at once, because after a crash it is the same machine. Two nodes with
//! one name, such as two servers on one host, would therefore take each lane from one another for ever. So each name is
//! a lock that is released when its process ends, also if the process is killed.

use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::StreamExt;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::store::{Db, StoreError};

/// How long to wait for a server that has the file and is stopping. That server waits up to 12 seconds for its last
/// tasks.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// How long PostgreSQL may take to notice that the process which had the name has ended.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// How often to try a lock that another process has.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How often to try to take a lost name again.
const RETRY: Duration = Duration::from_secs(1);

/// How long a session with PostgreSQL may take to begin.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The name of this node. The lock is held until this is dropped; on PostgreSQL, [`Name::run`] restores a lost one.
pub struct Name {
    name: String,
    lock: Lock,
}

enum Lock {
    /// SQLite: a locked file beside the database.
    File(File),
    /// PostgreSQL: a session with an advisory lock.
    Session { url: String, session: Box<AsyncPgConnection> },
}

/// Why no name could be taken.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// Another process serves the SQLite file.
    #[error(
        "another server has {} open: a SQLite file has one server only; to run several nodes, share a PostgreSQL \
         (--database-url)",
        .0.display()
    )]
    Served(PathBuf),
    /// The lock file cannot be created or locked.
    #[error("cannot lock {}: {error}", path.display())]
    Lock {
        /// Path of the lock file.
        path: PathBuf,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// PostgreSQL cannot be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Name {
    /// Takes the name `wanted`. If another process on the same PostgreSQL has it, takes `wanted-2` or the next free
    /// one.
    ///
    /// # Errors
    /// Returns an error if another process serves the same SQLite file and does not end within 15 seconds, or the store
    /// cannot be reached.
    pub async fn take(db: &Db, wanted: &str) -> Result<Self, NameError> {
        if let Some(path) = db.file() {
            return Ok(Self { name: wanted.to_owned(), lock: Lock::File(lock(path, STOP_TIMEOUT).await?) });
        }
        let url = db.shared_url().unwrap_or_default().to_owned();
        let (name, session) = free(&url, wanted).await?;
        if name != wanted {
            warn!(
                node = %name,
                "another process has the name {wanted}, so this node is {name}; \
                 set TRUNKLINE_NODE_NAME to give each a name of its own"
            );
        }
        Ok(Self { name, lock: Lock::Session { url, session: Box::new(session) } })
    }

    /// Keeps the name until `stop` is cancelled. If the session with PostgreSQL is lost, takes the name again in a new
    /// one.
    pub async fn run(self, stop: CancellationToken) {
        match self.lock {
            Lock::File(_locked) => stop.cancelled().await,
            Lock::Session { url, session } => keep(url, self.name, *session, stop).await,
        }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

/// Locks a file beside the database. Waits up to `patience` for a server that has locked it.
async fn lock(database: &Path, patience: Duration) -> Result<File, NameError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".node-lock");
    let path = PathBuf::from(path);
    let failed = |error| NameError::Lock { path: path.clone(), error };
    let file = File::options().create(true).write(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
    let deadline = Instant::now() + patience;
    let mut warned = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(NameError::Served(database.to_owned()));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !warned {
            warned = true;
            warn!(path = %database.display(), "another server has the database open; waiting for it to end");
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Returns the first of `wanted`, `wanted-2` and so on that no process has, and the session that has locked it.
async fn free(url: &str, wanted: &str) -> Result<(String, AsyncPgConnection), StoreError> {
    let mut session = session(url).await?;
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    while !try_take(&mut session, wanted).await? {
        if Instant::now() < deadline {
            sleep(POLL_INTERVAL).await;
            continue;
        }
        let mut number = 2;
        loop {
            let name = format!("{wanted}-{number}");
            if try_take(&mut session, &name).await? {
                return Ok((name, session));
            }
            number += 1;
        }
    }
    Ok((wanted.to_owned(), session))
}

async fn keep(url: String, name: String, mut session: AsyncPgConnection, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = until_lost(&mut session) => {}
        }
        warn!(node = %name, "lost the session that locks this node's name; opening another");
        session = tokio::select! {
            () = stop.cancelled() => return,
            session = take_again(&url, &name) => session,
        };
        info!(node = %name, "locked this node's name again");
    }
}

async fn take_again(url: &str, name: &str) -> AsyncPgConnection {
    loop {
        let taken = async {
            let mut session = session(url).await?;
            Ok::<_, StoreError>(try_take(&mut session, name).await?.then_some(session))
        };
        match taken.await {
            Ok(Some(session)) => return session,
            Ok(None) => warn!(node = %name, "another process has taken this node's name; trying again"),
            Err(error) => warn!(node = %name, %error, "cannot lock this node's name; trying again"),
        }
        sleep(RETRY).await;
    }
}

/// Waits for the end of the connection. This session listens to no channel, so that its stream ends only then.
async fn until_lost(session: &mut AsyncPgConnection) {
    let mut notifications = std::pin::pin!(session.notifications_stream());
    while let Some(Ok(_)) = notifications.next().await {}
}

async fn session(url: &str) -> Result<AsyncPgConnection, StoreError> {
    let unavailable = |why: &dyn std::fmt::Display| StoreError::Unavailable(why.to_string());
    let begun = timeout(CONNECT_TIMEOUT, AsyncPgConnection::establish(url)).await.map_err(|late| unavailable(&late))?;
    begun.map_err(|error| unavailable(&error))
}

async fn try_take(session: &mut AsyncPgConnection, name: &str) -> Result<bool, StoreError> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Bool)]
        taken: bool,
    }
    let lock = "SELECT pg_try_advisory_lock(hashtextextended('trunkline node ' || $1, 0)) AS taken";
    let row: Row = diesel::sql_query(lock).bind::<Text, _>(name).get_result(session).await?;
    Ok(row.taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sqlite_file_has_one_server_until_that_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("trunkline.db");
        let first = lock(&database, Duration::ZERO).await.unwrap();
        let refused = lock(&database, Duration::ZERO).await.unwrap_err();
        assert!(matches!(&refused, NameError::Served(path) if *path == database), "{refused}");
        let (next, ()) = tokio::join!(lock(&database, STOP_TIMEOUT), async { drop(first) });
        next.unwrap();
    }
}
