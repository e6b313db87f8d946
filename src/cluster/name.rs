//! What this process is called among the nodes: a name that no other goes by while it lives.
//!
//! A node takes the lanes of its own name back at once, for after a crash it is the same machine. So two that share a name,
//! two servers on one host, would take each lane from one another for ever. Each name is therefore a lock that goes with
//! its process, also with one that is killed.

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

/// How long a server that is just ending may keep the file: longer than it waits for its last answers.
const ENDING: Duration = Duration::from_secs(15);

/// How long PostgreSQL may take to notice that a process is gone which had the name.
const NOTICED: Duration = Duration::from_secs(1);

/// Between two looks whether the lock is free.
const LOOK: Duration = Duration::from_millis(100);

/// Between two tries to take a lost name again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a session may take to begin.
const ESTABLISH: Duration = Duration::from_secs(5);

/// The name, held until `stop` of [`Name::take`], and on SQLite until this is dropped.
#[derive(Debug)]
pub struct Name {
    name: String,
    _file: Option<File>,
}

/// Why there is no name to be had.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// SQLite: another process serves the file.
    #[error(
        "another server has {} open: a SQLite file has one server only, many nodes share a PostgreSQL (--database-url)",
        .0.display()
    )]
    Served(PathBuf),
    /// The lock's file cannot be made or locked.
    #[error("cannot lock {}: {error}", path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// PostgreSQL cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Name {
    /// Takes the name. Where another process on the same PostgreSQL has it, `wanted-2` or the next that is free.
    ///
    /// # Errors
    /// If another process serves the same SQLite file and does not end soon, or the store cannot be asked.
    pub async fn take(db: &Db, wanted: &str, stop: CancellationToken) -> Result<Self, NameError> {
        if let Some(path) = db.file() {
            return Ok(Self { name: wanted.to_owned(), _file: Some(lock(path, ENDING).await?) });
        }
        let url = db.shared_url().unwrap_or_default().to_owned();
        let (name, session) = free(&url, wanted).await?;
        if name != wanted {
            warn!(
                node = %name,
                "another process goes by the name {wanted}, so this node is {name}: \
                 TRUNKLINE_NODE_NAME gives each a name of its own"
            );
        }
        tokio::spawn(hold(url, name.clone(), session, stop));
        Ok(Self { name, _file: None })
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

/// Locks a file beside the database, and waits so long for a server that has it.
async fn lock(database: &Path, patience: Duration) -> Result<File, NameError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".node-lock");
    let path = PathBuf::from(path);
    let failed = |error| NameError::Lock { path: path.clone(), error };
    let file = File::options().create(true).write(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
    let deadline = Instant::now() + patience;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                return Err(NameError::Served(database.to_owned()));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if !told {
            told = true;
            warn!(path = %database.display(), "another server has the file open; waits until that has ended");
        }
        sleep(LOOK).await;
    }
}

/// The first of these names that nobody has, with the session that holds it.
async fn free(url: &str, wanted: &str) -> Result<(String, AsyncPgConnection), StoreError> {
    let mut session = session(url).await?;
    let deadline = Instant::now() + NOTICED;
    while !try_take(&mut session, wanted).await? {
        if Instant::now() < deadline {
            sleep(LOOK).await;
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

/// Holds the name until `stop`, in a new session where the last was lost.
async fn hold(url: String, name: String, mut session: AsyncPgConnection, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = until_lost(&mut session) => {}
        }
        warn!(node = %name, "the session that holds this node's name is lost; opens another");
        session = tokio::select! {
            () = stop.cancelled() => return,
            session = take_again(&url, &name) => session,
        };
        info!(node = %name, "holds its name again");
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
            Ok(None) => warn!(node = %name, "another process has taken this node's name meanwhile; tries again"),
            Err(error) => warn!(node = %name, %error, "cannot take this node's name again, and tries once more"),
        }
        sleep(AGAIN).await;
    }
}

/// Nobody notifies this session: its stream ends when the connection does.
async fn until_lost(session: &mut AsyncPgConnection) {
    let mut notifications = std::pin::pin!(session.notifications_stream());
    while let Some(Ok(_)) = notifications.next().await {}
}

async fn session(url: &str) -> Result<AsyncPgConnection, StoreError> {
    let unavailable = |why: &dyn std::fmt::Display| StoreError::Unavailable(why.to_string());
    let begun = timeout(ESTABLISH, AsyncPgConnection::establish(url)).await.map_err(|late| unavailable(&late))?;
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
        let (next, ()) = tokio::join!(lock(&database, ENDING), async { drop(first) });
        next.unwrap();
    }
}
