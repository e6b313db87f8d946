//! Keeps SQLite's write-ahead log short.
//!
//! SQLite copies the log into the file by itself, but begins it anew only in a moment when nobody reads. Reads that overlap
//! leave none: beside some that took half a second, ten millions of calls that came in made it grow to 25 GB, and the
//! memory for its index with it.

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

/// How often the log is looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Bytes above which it is begun anew. SQLite copies it from 4 MB on.
const LONG: u64 = 64 * 1024 * 1024;

/// How long writers wait at most for those who read at that moment.
const PATIENCE: &str = "PRAGMA busy_timeout = 500";

#[derive(diesel::QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    busy: i32,
}

/// Looks after the log until it is stopped; at once where there is none.
pub async fn keep_short(db: Db, stop: CancellationToken) {
    let Engine::Sqlite { writer, path, .. } = &db.engine else { return };
    let log = sqlite::beside(path, "-wal");
    let mut tick = interval(POLL_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if length(&log).await <= LONG {
            continue;
        }
        match begin_anew(writer).await {
            Ok(true) => debug!("the write-ahead log is begun anew"),
            // Somebody read all the while: the next look tries again.
            Ok(false) => {}
            Err(error) => warn!(%error, "the write-ahead log cannot be begun anew"),
        }
    }
}

async fn length(log: &Path) -> u64 {
    fs::metadata(log).await.map_or(0, |data| data.len())
}

/// Copies all of the log, waits for whoever still reads it, and truncates it. False where that took too long.
async fn begin_anew(writer: &Pool<SqliteConn>) -> Result<bool> {
    let mut conn = writer.get().await?;
    conn.batch_execute(PATIENCE).await?;
    let done: Result<Checkpoint, _> = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(&mut *conn).await;
    conn.batch_execute(sqlite::BUSY_TIMEOUT).await?;
    Ok(done?.busy == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Conn;

    #[tokio::test]
    async fn the_log_is_begun_anew_as_soon_as_nobody_reads_an_older_state() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::store::open(&format!("sqlite://{}", dir.path().join("book.db").display())).unwrap();
        let (Engine::Sqlite { writer, path, .. }, Conn::Sqlite(mut reader)) = (&db.engine, db.read().await.unwrap())
        else {
            panic!("another engine")
        };
        let log = sqlite::beside(path, "-wal");
        let write = async |sql: &str| writer.get().await.unwrap().batch_execute(sql).await.unwrap();
        write("CREATE TABLE t (x); INSERT INTO t VALUES (1)").await;
        reader.batch_execute("BEGIN; SELECT x FROM t").await.unwrap();
        write("INSERT INTO t VALUES (2)").await;
        assert!(!begin_anew(writer).await.unwrap());
        assert!(length(&log).await > 0);
        reader.batch_execute("COMMIT").await.unwrap();
        assert!(begin_anew(writer).await.unwrap());
        assert_eq!(length(&log).await, 0);
    }
}
