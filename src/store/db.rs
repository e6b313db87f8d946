//! Connections and transactions of either engine behind one type, so that a query is written once.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::{AsyncConnection, AsyncPgConnection, TransactionManager};
use tokio::sync::Notify;

use super::blocking::{SqliteConn, Thread};
use super::error::Result;

/// Compiles a Diesel expression once for each engine and runs the one that `conn` is of.
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

/// Where the book is kept.
#[derive(Clone)]
pub struct Db {
    pub(super) engine: Engine,
    /// Notified when this process has committed events.
    events: Arc<Notify>,
}

/// The engine behind it.
#[derive(Clone)]
pub(super) enum Engine {
    /// One file, one writer, any number of readers.
    Sqlite {
        /// Holds a single connection: SQLite has one writer at a time, and waiting here is fairer than being told busy.
        writer: Pool<SqliteConn>,
        /// The file.
        path: PathBuf,
        /// Where transactions of many statements are carried out, one after the other.
        transactions: Thread,
        /// Never waits for the writer (WAL).
        readers: Pool<SqliteConn>,
    },
    /// A server that many nodes share.
    Postgres {
        /// Its connections.
        pool: Pool<AsyncPgConnection>,
        /// For a connection of one's own.
        url: String,
    },
}

/// A connection from the pool of either engine.
#[expect(clippy::large_enum_variant, reason = "held for one query: a box would cost an allocation each time")]
pub enum Conn {
    /// To the file.
    Sqlite(Object<SqliteConn>),
    /// To the server.
    Postgres(Object<AsyncPgConnection>),
}

impl Db {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, events: Arc::default() }
    }

    /// Is notified when this process has committed events.
    #[must_use]
    pub fn events_appended(&self) -> Arc<Notify> {
        Arc::clone(&self.events)
    }

    /// Where to listen for the commits of other nodes; None where there can be none.
    #[must_use]
    pub fn shared_url(&self) -> Option<&str> {
        match &self.engine {
            Engine::Sqlite { .. } => None,
            Engine::Postgres { url, .. } => Some(url),
        }
    }

    /// The file that it is kept in; None where it is on a server.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.engine {
            Engine::Sqlite { path, .. } => Some(path),
            Engine::Postgres { .. } => None,
        }
    }

    /// A connection to read from, outside any transaction.
    pub async fn read(&self) -> Result<Conn> {
        Ok(match &self.engine {
            Engine::Sqlite { readers, .. } => Conn::Sqlite(readers.get().await?),
            Engine::Postgres { pool, .. } => Conn::Postgres(pool.get().await?),
        })
    }

    /// Carries out a transaction of many statements where it costs least.
    pub async fn run<F>(&self, transaction: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite { transactions, .. } => transactions.run(transaction).await,
            Engine::Postgres { .. } => transaction.await,
        }
    }

    /// A transaction to write in. Without [`Tx::commit`] nothing of it is kept.
    pub async fn begin(&self) -> Result<Tx> {
        let mut conn = match &self.engine {
            Engine::Sqlite { writer, .. } => Conn::Sqlite(writer.get().await?),
            Engine::Postgres { pool, .. } => Conn::Postgres(pool.get().await?),
        };
        with_conn!(&mut conn, |c| begin(c).await)?;
        Ok(Tx { conn: Some(conn), tells: false, events: self.events_appended() })
    }
}

/// An open transaction. When it is dropped, its connection is closed, which rolls it back: no path through the code can
/// forget to. It does not go back to the pool, where it would lie with its locks until somebody happens to take it up.
pub struct Tx {
    /// None once it is committed or rolled back.
    conn: Option<Conn>,
    tells: bool,
    events: Arc<Notify>,
}

impl Tx {
    /// There are events in it.
    pub(super) fn tells(&mut self) {
        self.tells = true;
    }

    /// Makes everything durable that was done in it.
    pub async fn commit(mut self) -> Result<()> {
        with_conn!(&mut *self, |c| commit(c).await)?;
        self.conn = None;
        if self.tells {
            self.events.notify_one();
        }
        Ok(())
    }

    /// Undoes everything that was done in it, and keeps the connection: for what is refused in the course of things.
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
