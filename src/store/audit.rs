//! The audit: who changed what. Entries are only added, never changed or removed.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::audit;

/// A change that is about to be noted in the transaction that makes it.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = audit)]
pub struct NewEntry {
    /// When the change was made, in milliseconds since 1970.
    pub at: i64,
    /// The id of the key that was used.
    pub actor: String,
    /// The method, for example `UpdateServer`.
    pub action: String,
    /// What was changed, for example `servers/server1`.
    pub target: String,
    /// The IP address that the request came from, if it is known.
    pub remote_address: Option<String>,
    /// The request's id, as in `X-Request-Id`.
    pub request_id: String,
    /// The request as JSON, without secrets.
    pub detail: String,
}

/// A change as it is stored in the audit.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = audit)]
pub struct Entry {
    /// The entry's number, which rises with every entry.
    pub id: i64,
    /// When the change was made, in milliseconds since 1970.
    pub at: i64,
    /// The id of the key that was used.
    pub actor: String,
    /// The method that was called.
    pub action: String,
    /// What was changed, for example `servers/server1`.
    pub target: String,
    /// The IP address that the request came from, if it is known.
    pub remote_address: Option<String>,
    /// The id of the request.
    pub request_id: String,
    /// The request as JSON, without secrets.
    pub detail: String,
}

/// Adds an entry to the audit, in the transaction of the change.
pub async fn append(tx: &mut Tx, entry: &NewEntry) -> Result<()> {
    with_conn!(&mut **tx, |c| diesel::insert_into(audit::table).values(entry).execute(c).await)?;
    Ok(())
}

/// Reads the newest entries, newest first. With `before`, reads only entries older than that one.
pub async fn list(conn: &mut Conn, before: Option<i64>, limit: i64) -> Result<Vec<Entry>> {
    Ok(with_conn!(conn, |c| {
        audit::table
            .filter(audit::id.lt(before.unwrap_or(i64::MAX)))
            .order(audit::id.desc())
            .limit(limit)
            .select(Entry::as_select())
            .load(c)
            .await
    })?)
}
