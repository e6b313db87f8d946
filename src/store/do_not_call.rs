//! Do-not-call lists of the platform and of clients. A number is stored in its canonical form (`domain::number`).

use std::collections::HashSet;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::rule_lock;
use super::schema::do_not_call;
use crate::domain::time::Millis;

/// The client id that stands for the platform's list, which holds for all clients.
pub const PLATFORM: i64 = 0;

/// The detail of the event that ends a call because its number is on a list.
pub const DETAIL: &str = "on the do-not-call list";

/// A number on a list.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = do_not_call)]
pub struct Entry {
    /// The client whose list it is; [`PLATFORM`] for the platform's list.
    pub client_id: i64,
    /// The canonical form of the number.
    pub number: String,
    /// Why the number is on the list.
    pub reason: Option<String>,
    /// When the number was added, in milliseconds since 1970.
    pub added_at: i64,
}

/// Adds numbers to a list, and returns how many were not on it before. They hold from the transaction's commit on.
pub async fn add(tx: &mut Tx, client_id: i64, numbers: &[(String, Option<String>)], now: Millis) -> Result<usize> {
    let mut added = 0;
    for (number, reason) in numbers {
        let entry = Entry { client_id, number: number.clone(), reason: reason.clone(), added_at: now.0 };
        added += with_conn!(&mut **tx, |c| {
            diesel::insert_into(do_not_call::table).values(&entry).on_conflict_do_nothing().execute(c).await
        })?;
    }
    // The lock is taken last, so that lanes wait for the commit alone.
    rule_lock::change(tx).await?;
    Ok(added)
}

/// Removes a number from a list. Returns false if it was not on it.
pub async fn remove(tx: &mut Tx, client_id: i64, number: &str) -> Result<bool> {
    let entries = do_not_call::table
        .filter(do_not_call::client_id.eq(client_id).and(do_not_call::number.eq_any(stored_forms(number))));
    Ok(with_conn!(&mut **tx, |c| diesel::delete(entries).execute(c).await)? > 0)
}

/// Reads a page of a list, by number, and how many numbers are on the list.
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

/// Returns the entry of a number on a list, if it is on it: in the form in which it was stored.
pub async fn find(conn: &mut Conn, client_id: i64, number: &str) -> Result<Vec<Entry>> {
    let entries = do_not_call::table
        .filter(do_not_call::client_id.eq(client_id).and(do_not_call::number.eq_any(stored_forms(number))));
    Ok(with_conn!(conn, |c| entries.order(do_not_call::number).select(Entry::as_select()).load(c).await)?)
}

/// Returns the forms in which a number may be stored: earlier versions kept its international prefix.
fn stored_forms(number: &str) -> [String; 3] {
    [number.to_owned(), format!("00{number}"), format!("011{number}")]
}

/// Returns those of these forms of numbers that the client may not call, by its own list or by the platform's.
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

/// Returns true if there is a number on some list.
pub async fn any(conn: &mut Conn) -> Result<bool> {
    let first: Option<i64> =
        with_conn!(conn, |c| do_not_call::table.select(do_not_call::client_id).first(c).await.optional())?;
    Ok(first.is_some())
}
