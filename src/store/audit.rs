//! Who changed what. Rows are only ever added.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::audit;

/// A change that is about to be noted, in the transaction that makes it.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = audit)]
pub struct NewEntry {
    /// Milliseconds since 1970.
    pub at: i64,
    /// A key id.
    pub actor: String,
    /// A method, as `UpdateServer`.
    pub action: String,
    /// As `servers/server1`.
    pub target: String,
    /// An IP address, where one is known.
    pub remote_address: Option<String>,
    /// As in `X-Request-Id`.
    pub request_id: String,
    /// JSON, without secrets.
    pub detail: String,
}

/// A change as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = audit)]
pub struct Entry {
    /// Rises with every entry.
    pub id: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// A key id.
    pub actor: String,
    /// A method.
    pub action: String,
    /// What was changed.
    pub target: String,
    /// From where.
    pub remote_address: Option<String>,
    /// By which request.
    pub request_id: String,
    /// JSON.
    pub detail: String,
}

/// Notes a change.
pub async fn append(tx: &mut Tx, entry: &NewEntry) -> Result<()> {
    with_conn!(&mut **tx, |c| diesel::insert_into(audit::table).values(entry).execute(c).await)?;
    Ok(())
}

/// The newest entries, newest first; only those older than `before`, where one is named.
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
