//! Connections and transactions of either engine as one type, so that each query is written once.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel::connection::AnsiTransactionManager;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::{AsyncConnection, AsyncPgConnection, TransactionManager};
use tokio::sync::Notify;

use super::blocking::{SqliteConn, Thread};
use super::error::Result;

/// Compiles a Diesel expression once for each engine, and runs the one for the engine of `$conn`.
macro_rules! with_conn {
    ($conn:expr, |$c:ident| $body:expr) => {
        match $conn {
            $crate::store::db::Conn::Sqlite($c) => {
                let $c = &mut **$c;
                $body
            }
            $crate::store::db::Conn::Postgres($c) => {
                let $c = &mut **$c;
                $body
            }
        }
    };
}
pub(super) use with_conn;

/// The database that holds everything which must outlive the process.
#[derive(Clone)]
pub struct Db {
    pub(super) engine: Engine,
    /// Notified when this process has committed events.
    events: Arc<Notify>,
}

/// The engine of a database.
#[derive(Clone)]
pub(super) enum Engine {
    /// SQLite: one file, one writer, any number of readers.
    Sqlite {
        /// A pool with a single connection: SQLite has one writer at a time, and waiting here is fairer than being told
        /// that it is busy.
        writer: Pool<SqliteConn>,
        /// The path of the file.
        path: PathBuf,
        /// The thread on which transactions of many statements run, one after the other.
        transactions: Thread,
        /// The readers, which never wait for the writer (WAL).
        readers: Pool<SqliteConn>,
    },
    /// PostgreSQL: a server that many nodes share.
    Postgres {
        /// The pool of connections to the server.
        pool: Pool<AsyncPgConnection>,
        /// The URL, for connections outside the pool.
        url: String,
    },
}

/// A connection from the pool of either engine.
#[expect(clippy::large_enum_variant, reason = "held for one query: a box would cost an allocation each time")]
pub enum Conn {
    /// A connection to the SQLite file.
    Sqlite(Object<SqliteConn>),
    /// A connection to the PostgreSQL server.
    Postgres(Object<AsyncPgConnection>),
}

impl Db {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, events: Arc::default() }
    }

    /// Returns what is notified when this process has committed events.
    #[must_use]
    pub fn events_appended(&self) -> Arc<Notify> {
        Arc::clone(&self.events)
    }

    /// Returns the URL to listen at for the commits of other nodes; None if there can be no other nodes.
    #[must_use]
    pub fn shared_url(&self) -> Option<&str> {
        match &self.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres { url, .. } => Some(url),
        }
    }

    /// Returns the path of the database file; None if the database is on a server.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.engine {
            Engine::Sqlite { path, .. } => Some(path),
            Engine::Postgres { .. } => None,
        }
    }

    /// Returns a connection to read from, outside any transaction.
    pub async fn read(&self) -> Result<Conn> {
        Ok(match &self.engine {
            Engine::Sqlite { readers, .. } => Conn::Sqlite(readers.get().await?),
            Engine::Postgres { pool, .. } => Conn::Postgres(pool.get().await?),
        })
    }

    /// Runs a transaction of many statements on the thread where it costs least.
    pub async fn run<F>(&self, transaction: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite { transactions, .. } => transactions.run(transaction).await,
            Engine::Postgres { .. } => transaction.await,
        }
    }

    /// Begins a transaction to write in. Nothing of it is kept without [`Tx::commit`]. It waits for the writer of another
    /// process: SQLite does not wait if a transaction that has read becomes one that writes.
    pub async fn begin(&self) -> Result<Tx> {
        let conn = match &self.engine {
            Engine::Sqlite { writer, .. } => Conn::Sqlite(writer.get().await?),
            Engine::Postgres { pool, .. } => Conn::Postgres(pool.get().await?),
        };
        // If its begin is given up, the connection does not return to the pool.
        let mut tx = Tx { conn: Some(conn), has_events: false, events: self.events_appended() };
        match &mut *tx {
            Conn::Sqlite(conn) => {
                conn.spawn_blocking(|conn| AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE"))
                    .await?;
            }
            Conn::Postgres(conn) => begin(&mut **conn).await?,
        }
        Ok(tx)
    }
}

/// An open transaction. Dropping it closes its connection, which rolls the transaction back, so that no path through
/// the code can forget to. The connection does not return to the pool, where it would keep its locks until it is used
/// again.
pub struct Tx {
    /// The connection; None once the transaction is committed or rolled back.
    conn: Option<Conn>,
    has_events: bool,
    events: Arc<Notify>,
}

impl Tx {
    /// Notes that the transaction writes events.
    pub(super) fn note_events(&mut self) {
        self.has_events = true;
    }

    /// Commits the transaction, which makes everything durable that was done in it.
    pub async fn commit(mut self) -> Result<()> {
        with_conn!(&mut *self, |c| commit(c).await)?;
        self.conn = None;
        if self.has_events {
            self.events.notify_one();
        }
        Ok(())
    }

    /// Rolls the transaction back and keeps the connection. It is meant for requests that are refused in normal
    /// operation.
    pub async fn rollback(mut self) -> Result<()> {
        with_conn!(&mut *self, |c| rollback(c).await)?;
        self.conn = None;
        Ok(())
    }
}

impl Deref for Tx {
    type Target = Conn;

    #[expect(clippy::expect_used, reason = "whatever takes the connection ends the transaction")]
    fn deref(&self) -> &Conn {
        self.conn.as_ref().expect("an open transaction")
    }
}

impl DerefMut for Tx {
    #[expect(clippy::expect_used, reason = "as above")]
    fn deref_mut(&mut self) -> &mut Conn {
        self.conn.as_mut().expect("an open transaction")
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        match self.conn.take() {
            Some(Conn::Sqlite(conn)) => drop(Object::take(conn)),
            Some(Conn::Postgres(conn)) => drop(Object::take(conn)),
            None => {}
        }
    }
}

async fn begin<C: AsyncConnection>(conn: &mut C) -> Result<()> {
    Ok(C::TransactionManager::begin_transaction(conn).await?)
}

async fn commit<C: AsyncConnection>(conn: &mut C) -> Result<()> {
    Ok(C::TransactionManager::commit_transaction(conn).await?)
}

async fn rollback<C: AsyncConnection>(conn: &mut C) -> Result<()> {
    Ok(C::TransactionManager::rollback_transaction(conn).await?)
}

#[cfg(test)]
mod tests {
    use crate::domain::time::Millis;
    use crate::store::clients::{self, NewClient};
    use crate::store::{migrate, open};

    /// The other connection is what a command beside the running server has.
    #[tokio::test]
    async fn a_transaction_that_has_read_waits_for_the_writer_of_another_process() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", dir.path().join("store.db").display());
        let (server, command) = (open(&url).unwrap(), open(&url).unwrap());
        migrate::run(&server).await.unwrap();
        let writes = [(&server, "a"), (&command, "b")].map(|(db, name)| async move {
            for number in 0..20 {
                let mut tx = db.begin().await?;
                clients::list(&mut tx, 0, 10).await?;
                tokio::task::yield_now().await;
                let (name, text) = (format!("{name}{number}"), || "{}".to_owned());
                let account_code = name.clone();
                let new = NewClient { name, account_code, limits: text(), policy: text(), servers: Vec::new() };
                clients::create(&mut tx, &new, Millis::now()).await?;
                tx.commit().await?;
            }
            crate::store::Result::<()>::Ok(())
        });
        for written in futures_util::future::join_all(writes).await {
            written.unwrap();
        }
    }
}
