//! What is specific to SQLite: opening the file, and rows as one parameter.

use std::path::{Path, PathBuf};
use std::time::Duration;

use deadpool::managed::QueueMode;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::blocking::{SqliteConn, Thread};
use super::columns::{Column, Kind};
use super::db::{Db, Engine};
use super::error::{Result, StoreError};

/// The migrations of SQLite.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// The number of readers beside the one writer: pages, watchers and feeders read at the same time.
const READERS: usize = 4;

/// How long a statement waits for another process.
pub(super) const BUSY_TIMEOUT: &str = "PRAGMA busy_timeout = 5000";

/// `synchronous=FULL` makes a commit durable before it is acknowledged, even if the power fails.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;";

/// How much of the database the writer keeps in memory, in KiB. The system's cache holds the rest. A database of many
/// millions of calls must not make the server grow with it, so the file is not mapped into memory either.
const WRITER_CACHE: u32 = 32_768;

/// How much of the database each reader keeps in memory, in KiB.
const READER_CACHE: u32 = 8_192;

/// Opens the file at `path`, which is created if it does not exist.
pub fn open(path: &Path) -> Result<Db> {
    let path = path.to_str().ok_or_else(|| StoreError::Unavailable(format!("{} is no UTF-8 path", path.display())))?;
    Ok(Db::new(Engine::Sqlite {
        writer: pool(path, 1, WRITER_CACHE)?,
        readers: pool(path, READERS, READER_CACHE)?,
        path: path.into(),
        transactions: Thread::start().map_err(|error| StoreError::Unavailable(error.to_string()))?,
    }))
}

/// Returns the path of a file beside the database: the database's whole name and a suffix.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn pool(path: &str, size: usize, cache: u32) -> Result<Pool<SqliteConn>> {
    let mut config = ManagerConfig::<SqliteConn>::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |path| {
        Box::pin(async move {
            let mut conn = SqliteConn::establish(path).await?;
            let pragmas = format!("{BUSY_TIMEOUT}; {PRAGMAS} PRAGMA cache_size = -{cache};");
            conn.batch_execute(&pragmas).await.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            Ok(conn)
        })
    });
    let manager = AsyncDieselConnectionManager::<SqliteConn>::new_with_config(path, config);
    Pool::builder(manager)
        .max_size(size)
        // The connection that was used last has the most in its cache, and connections that are never needed take no
        // memory.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(Duration::from_secs(30)))
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Returns the rows of the JSON array in parameter 1 as a table expression.
#[must_use]
pub fn rows(columns: &[Column]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|Column { name, kind }| match kind {
            Kind::Uuid => format!("unhex(value ->> '{name}') AS {name}"),
            Kind::BigInt | Kind::Integer | Kind::SmallInt | Kind::Bool | Kind::Text => {
                format!("value ->> '{name}' AS {name}")
            }
        })
        .collect();
    // The limit keeps SQLite from merging the two queries: it would convert each row to text once for each column.
    format!("(SELECT {} FROM (SELECT value FROM json_each(?1) LIMIT -1))", columns.join(", "))
}
