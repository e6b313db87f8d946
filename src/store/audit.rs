//! The audit: who changed what. Entries are only added, never changed or removed, and each has a hash that covers it and
//! all entries before it ([`audit_chain`]). The database refuses to change or delete an entry.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Db, Tx, with_conn};
use super::error::{Result, StoreError};
use super::schema::{audit, audit_head};
use crate::domain::audit_chain::{self, ANCHOR, Content, Hash, Link, Unchained};
use crate::domain::time::Millis;

/// How many entries without a hash are read at a time.
const PAGE: i64 = 1000;

/// The actor of the entries that no administrator causes.
pub(super) const SELF: &str = "trunkline";

/// The columns of the end of the chain.
macro_rules! head_columns {
    () => {
        (audit_head::seq, audit_head::hash, audit_head::anchored_id)
    };
}

/// A change that is about to be noted in the transaction that makes it.
#[derive(Clone, Debug, Default)]
pub struct NewEntry {
    /// When the change was made, in milliseconds since 1970.
    pub at: i64,
    /// The name of the key that was used.
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
    /// The changed fields as they were, as JSON without secrets. None if there was nothing before.
    pub before: Option<String>,
    /// The changed fields as they are since then, as JSON without secrets. None if nothing is left.
    pub after: Option<String>,
}

/// A change as it is stored in the audit.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
pub struct Entry {
    /// The entry's id, which rises with every entry and may have gaps.
    pub id: i64,
    /// When the change was made, in milliseconds since 1970.
    pub at: i64,
    /// The name of the key that was used.
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
    /// The number in the chain, from 1 and without gaps. None for an entry of a version without a chain.
    pub seq: Option<i64>,
    /// The changed fields as they were, as JSON.
    pub before: Option<String>,
    /// The changed fields as they are since then, as JSON.
    pub after: Option<String>,
    /// The hash of the entry before it in the chain.
    pub previous_hash: Option<String>,
    /// The hash of this entry.
    pub hash: Option<String>,
}

/// The end of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Head {
    /// The number of the last entry in the chain; 0 if there is none.
    pub seq: i64,
    /// The hash of that entry.
    pub hash: String,
    /// The id up to which an entry of the chain covers those without a hash.
    anchored_id: i64,
}

#[derive(QueryableByName)]
struct NextId {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl Entry {
    /// Returns what the hash of the entry covers.
    #[must_use]
    pub fn content(&self) -> Content<'_> {
        Content {
            id: self.id,
            seq: self.seq,
            at: self.at,
            actor: &self.actor,
            action: &self.action,
            target: &self.target,
            remote_address: self.remote_address.as_deref(),
            request_id: &self.request_id,
            detail: &self.detail,
            before: self.before.as_deref(),
            after: self.after.as_deref(),
        }
    }

    /// Returns the entry's hashes. None if one of them is missing or is no hash.
    #[must_use]
    pub fn link(&self) -> Option<Link> {
        let read = |hash: &Option<String>| hash.as_ref()?.parse().ok();
        Some(Link { previous: read(&self.previous_hash)?, hash: read(&self.hash)? })
    }
}

/// Keeps other writers of the audit waiting until the transaction ends.
pub async fn lock(tx: &mut Tx) -> Result<()> {
    lock_head(tx).await?;
    Ok(())
}

/// Adds an entry to the audit, in the transaction of the change. Other writers of the audit wait from here on until the
/// transaction ends.
pub async fn append(tx: &mut Tx, entry: &NewEntry) -> Result<()> {
    let mut head = lock_head(tx).await?;
    cover(tx, &mut head).await?;
    add(tx, &mut head, entry).await?;
    keep_head(tx, &head).await
}

/// Adds an entry that covers all entries which have no hash, if there are any: those of earlier versions.
pub async fn cover_unchained(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    let mut head = lock_head(&mut tx).await?;
    cover(&mut tx, &mut head).await?;
    keep_head(&mut tx, &head).await?;
    tx.commit().await
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

/// Reads the entries after the one with the id `after`, oldest first. With `before`, reads only entries older than that one.
pub async fn list_after(conn: &mut Conn, after: i64, before: Option<i64>, limit: i64) -> Result<Vec<Entry>> {
    let between = audit::id.gt(after).and(audit::id.lt(before.unwrap_or(i64::MAX)));
    Ok(with_conn!(conn, |c| {
        audit::table.filter(between).order(audit::id).limit(limit).select(Entry::as_select()).load(c).await
    })?)
}

/// Reads the end of the chain.
pub async fn head(conn: &mut Conn) -> Result<Head> {
    Ok(with_conn!(conn, |c| audit_head::table.select(head_columns!()).first(c).await)?)
}

/// Reads the end of the chain and keeps other writers waiting until the transaction ends.
async fn lock_head(tx: &mut Tx) -> Result<Head> {
    // An update locks the row on both engines, and returns it as the writer before has left it.
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(audit_head::table)
            .set(audit_head::seq.eq(audit_head::seq))
            .returning(head_columns!())
            .get_result(c)
            .await
    })?)
}

async fn keep_head(tx: &mut Tx, head: &Head) -> Result<()> {
    with_conn!(&mut **tx, |c| {
        diesel::update(audit_head::table)
            .set((
                audit_head::seq.eq(head.seq),
                audit_head::hash.eq(&head.hash),
                audit_head::anchored_id.eq(head.anchored_id),
            ))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Adds an anchor if there are entries without a hash that no anchor covers. A server of an earlier version, which may
/// still run on another node, writes such entries.
async fn cover(tx: &mut Tx, head: &mut Head) -> Result<()> {
    if unchained(tx, head.anchored_id, 1).await?.is_empty() {
        return Ok(());
    }
    if let Conn::Postgres(c) = &mut **tx {
        // Waits for transactions that have added an entry with a lower id and are not committed yet.
        diesel::sql_query("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE").execute(c).await?;
    }
    let mut covered: Option<Unchained> = None;
    loop {
        let after = covered.map_or(head.anchored_id, |covered| covered.last_id());
        let page = unchained(tx, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        covered = page.iter().fold(covered, |covered, entry| Some(Unchained::with(covered, &entry.content())));
    }
    let Some(covered) = covered else { return Ok(()) };
    let entry = NewEntry {
        at: Millis::now().0,
        actor: SELF.to_owned(),
        action: ANCHOR.to_owned(),
        target: "audit".to_owned(),
        detail: serde_json::to_string(&covered.anchor())?,
        ..NewEntry::default()
    };
    head.anchored_id = covered.last_id();
    add(tx, head, &entry).await
}

async fn unchained(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<Entry>> {
    Ok(with_conn!(&mut **tx, |c| {
        audit::table
            .filter(audit::seq.is_null().and(audit::id.gt(after)))
            .order(audit::id)
            .limit(limit)
            .select(Entry::as_select())
            .load(c)
            .await
    })?)
}

/// Adds an entry after the end of the chain, and moves the end.
async fn add(tx: &mut Tx, head: &mut Head, new: &NewEntry) -> Result<()> {
    let previous: Hash = head
        .hash
        .parse()
        .map_err(|error: audit_chain::NoHash| StoreError::Unreadable(format!("audit_head: {error}")))?;
    let new = new.clone();
    let mut entry = Entry {
        id: next_id(tx).await?,
        at: new.at,
        actor: new.actor,
        action: new.action,
        target: new.target,
        remote_address: new.remote_address,
        request_id: new.request_id,
        detail: new.detail,
        seq: Some(head.seq + 1),
        before: new.before,
        after: new.after,
        previous_hash: Some(previous.to_string()),
        hash: None,
    };
    let hash = Hash::of(previous, &entry.content()).to_string();
    entry.hash = Some(hash.clone());
    with_conn!(&mut **tx, |c| diesel::insert_into(audit::table).values(&entry).execute(c).await)?;
    (head.seq, head.hash) = (head.seq + 1, hash);
    Ok(())
}

/// Takes the id of the next entry, which its hash covers. Ids rise in the order of the chain, because the end of the chain
/// is locked.
async fn next_id(tx: &mut Tx) -> Result<i64> {
    let next: NextId = match &mut **tx {
        Conn::Sqlite(c) => {
            // An entry with this id moves SQLite's own count on.
            let sql = "SELECT COALESCE(MAX(seq), 0) + 1 AS id FROM sqlite_sequence WHERE name = 'audit'";
            diesel::sql_query(sql).get_result(c).await?
        }
        Conn::Postgres(c) => {
            let sql = "SELECT nextval(pg_get_serial_sequence('audit', 'id')) AS id";
            diesel::sql_query(sql).get_result(c).await?
        }
    };
    Ok(next.id)
}
