//! Keeps SQLite's write-ahead log short.
//!
//! SQLite copies the log into the database by itself, but starts it again from its beginning only at a moment without
//! any reader. Reads that overlap leave no such moment: with reads of half a second, inserting ten million calls made
//! the log grow to 25 GB, and the memory for its index with it.

use std::path::Path;
use std::time::Duration;

use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use tokio::fs;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::blocking::SqliteConn;
use super::db::{Db, Engine};
use super::error::Result;
use super::sqlite;

/// How often the length of the log is checked.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The length in bytes above which the log is truncated. SQLite copies it into the database from 4 MB on.
const MAX_LENGTH: u64 = 64 * 1024 * 1024;

/// How long the truncation, and the writers with it, wait for readers.
const TRUNCATE_TIMEOUT: &str = "PRAGMA busy_timeout = 500";

/// Truncates SQLite's write-ahead log when it is long.
pub struct WalUpkeep {
    db: Db,
}

#[derive(diesel::QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    busy: i32,
}

impl WalUpkeep {
    /// Returns None if the store is not SQLite, which alone has such a log.
    #[must_use]
    pub fn new(db: &Db) -> Option<Self> {
        matches!(db.engine, Engine::Sqlite { .. }).then(|| Self { db: db.clone() })
    }

    /// Keeps the log short until `stop` is cancelled.
    pub async fn run(self, stop: CancellationToken) {
        let Engine::Sqlite { writer, path, .. } = &self.db.engine else { return };
        let log = sqlite::beside(path, "-wal");
        let mut tick = interval(POLL_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            if length(&log).await <= MAX_LENGTH {
                continue;
            }
            match truncate(writer).await {
                Ok(true) => debug!("truncated the write-ahead log"),
                // There were readers all the time: the next tick tries again.
                Ok(false) => {}
                Err(error) => warn!(%error, "cannot truncate the write-ahead log; trying again in {POLL_INTERVAL:?}"),
            }
        }
    }
}

async fn length(log: &Path) -> u64 {
    fs::metadata(log).await.map_or(0, |data| data.len())
}

/// Copies all of the log into the database, waits for its readers, and truncates it. Returns false if readers took too
/// long.
async fn truncate(writer: &Pool<SqliteConn>) -> Result<bool> {
    let mut conn = writer.get().await?;
    conn.batch_execute(TRUNCATE_TIMEOUT).await?;
    let done: Result<Checkpoint, _> = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(&mut *conn).await;
    conn.batch_execute(sqlite::BUSY_TIMEOUT).await?;
    Ok(done?.busy == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Conn;

    #[tokio::test]
    async fn the_log_is_truncated_as_soon_as_no_reader_needs_an_older_state() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::store::open(&format!("sqlite://{}", dir.path().join("trunkline.db").display())).unwrap();
        let (Engine::Sqlite { writer, path, .. }, Conn::Sqlite(mut reader)) = (&db.engine, db.read().await.unwrap())
        else {
            panic!("the store is not SQLite")
        };
        let log = sqlite::beside(path, "-wal");
        let write = async |sql: &str| writer.get().await.unwrap().batch_execute(sql).await.unwrap();
        write("CREATE TABLE t (x); INSERT INTO t VALUES (1)").await;
        reader.batch_execute("BEGIN; SELECT x FROM t").await.unwrap();
        write("INSERT INTO t VALUES (2)").await;
        assert!(!truncate(writer).await.unwrap());
        assert!(length(&log).await > 0);
        reader.batch_execute("COMMIT").await.unwrap();
        assert!(truncate(writer).await.unwrap());
        assert_eq!(length(&log).await, 0);
    }
}
