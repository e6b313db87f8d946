//! Numbers that are not to be called, by anybody or by one client. A number is its digits (`domain::number`).

use std::collections::HashSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::rule_lock;
use super::schema::do_not_call;
use crate::domain::time::Millis;

/// Stands for all clients where a list's client is named.
pub const PLATFORM: i64 = 0;

/// What the event says that ends a call to a number on a list.
pub const DETAIL: &str = "on the do-not-call list";

/// A number on a list.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = do_not_call)]
pub struct Entry {
    /// Whose list; [`PLATFORM`] for everybody's.
    pub client_id: i64,
    /// Digits.
    pub number: String,
    /// Why.
    pub reason: Option<String>,
    /// Milliseconds since 1970.
    pub added_at: i64,
}

/// Adds numbers to a client's list, and answers how many were not on it before. They hold from the transaction's commit on.
pub async fn add(tx: &mut Tx, client_id: i64, numbers: &[(String, Option<String>)], now: Millis) -> Result<usize> {
    let mut added = 0;
    for (number, reason) in numbers {
        let entry = Entry { client_id, number: number.clone(), reason: reason.clone(), added_at: now.0 };
        added += with_conn!(&mut **tx, |c| {
            diesel::insert_into(do_not_call::table).values(&entry).on_conflict_do_nothing().execute(c).await
        })?;
    }
    // Last, so that lanes wait for the commit alone.
    rule_lock::change(tx).await?;
    Ok(added)
}

/// Takes a number off a client's list; false where it was not on it.
pub async fn remove(tx: &mut Tx, client_id: i64, number: &str) -> Result<bool> {
    let removed =
        with_conn!(&mut **tx, |c| diesel::delete(do_not_call::table.find((client_id, number))).execute(c).await)?;
    Ok(removed == 1)
}

/// A page of a client's list, by number, and how many are on it.
pub async fn list(conn: &mut Conn, client_id: i64, offset: i64, limit: i64) -> Result<(Vec<Entry>, i64)> {
    let page = with_conn!(conn, |c| {
        do_not_call::table
            .filter(do_not_call::client_id.eq(client_id))
            .order(do_not_call::number)
            .offset(offset)
            .limit(limit)
            .select(Entry::as_select())
            .load(c)
            .await
    })?;
    let count = with_conn!(conn, |c| {
        do_not_call::table.filter(do_not_call::client_id.eq(client_id)).count().get_result(c).await
    })?;
    Ok((page, count))
}

/// Which of these numbers the client may not have called, by its own list or by everybody's.
pub async fn listed(conn: &mut Conn, client_id: i64, numbers: &[String]) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    // SQLite binds at most 32,766 values.
    for some in numbers.chunks(10_000) {
        let listed: Vec<String> = with_conn!(conn, |c| {
            do_not_call::table
                .filter(do_not_call::client_id.eq_any([PLATFORM, client_id]).and(do_not_call::number.eq_any(some)))
                .select(do_not_call::number)
                .load(c)
                .await
        })?;
        found.extend(listed);
    }
    Ok(found)
}

/// There is a number on some list.
pub async fn any(conn: &mut Conn) -> Result<bool> {
    let first: Option<i64> =
        with_conn!(conn, |c| do_not_call::table.select(do_not_call::client_id).first(c).await.optional())?;
    Ok(first.is_some())
}
