//! What makes a rule hold from its commit on: the commit that claims calls reads the kill switch, the do-not-call lists
//! and the queues, and none of them may change between that look and its end.
//!
//! SQLite has one writer at a time, and so this by itself. On PostgreSQL it is an advisory lock that lasts to the end of
//! the transaction: claims share it, and a change waits until those that began before it are committed. It also keeps a
//! queue's changed retry rule, which moves many calls, from locking rows in another order than lanes do.

use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx};
use super::error::Result;
use super::postgres::RULES_LOCK;

/// No rule changes until the transaction ends. It must come before the rules are read, and before any row is locked.
pub(super) async fn hold(tx: &mut Tx) -> Result<()> {
    take(tx, "SELECT pg_advisory_xact_lock_shared($1)").await
}

/// Nobody holds the rules from here to the end of the transaction: whoever looks next sees what it has changed.
///
/// Where a lane may wait for a row that the transaction locks, a queue's or a call's, it must come before that row.
pub(super) async fn change(tx: &mut Tx) -> Result<()> {
    take(tx, "SELECT pg_advisory_xact_lock($1)").await
}

async fn take(tx: &mut Tx, lock: &str) -> Result<()> {
    if let Conn::Postgres(conn) = &mut **tx {
        diesel::sql_query(lock).bind::<BigInt, _>(RULES_LOCK).execute(&mut **conn).await?;
    }
    Ok(())
}
