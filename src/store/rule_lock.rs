//! The lock that makes a rule hold from its commit on. The commit that claims calls reads the kill switch, the
//! do-not-call lists and the queues, and none of them may change between that read and the commit's end.
//!
//! SQLite has one writer at a time, and needs no lock. On PostgreSQL it is an advisory lock that lasts until the
//! transaction ends: claims share it, and a change waits until those that began before it are committed. It also keeps
//! a queue's changed retry rule, which moves many calls, from locking rows in another order than lanes do.

use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx};
use super::error::Result;
use super::postgres::RULES_LOCK;

/// Keeps all rules unchanged until the transaction ends. It must be called before the rules are read, and before any
/// row is locked.
pub(super) async fn hold(tx: &mut Tx) -> Result<()> {
    take(tx, "SELECT pg_advisory_xact_lock_shared($1)").await
}

/// Waits until no commit relies on the rules, and keeps other commits from reading them until the transaction ends: the
/// next reader sees what it has changed.
///
/// It must be called before the transaction locks a row that a lane may wait for, a queue's or a call's.
pub(super) async fn change(tx: &mut Tx) -> Result<()> {
    take(tx, "SELECT pg_advisory_xact_lock($1)").await
}

async fn take(tx: &mut Tx, lock: &str) -> Result<()> {
    if let Conn::Postgres(conn) = &mut **tx {
        diesel::sql_query(lock).bind::<BigInt, _>(RULES_LOCK).execute(&mut **conn).await?;
    }
    Ok(())
}
