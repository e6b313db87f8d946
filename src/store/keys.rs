//! API keys of clients: the store keeps a key's id and the SHA-256 of its secret, never the secret.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::{api_keys, clients};
use crate::domain::time::Millis;

/// An API key as it is stored.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
pub struct Key {
    /// The key's id, the part of the key that is not secret.
    pub id: String,
    /// The client that the key belongs to.
    pub client_id: i64,
    /// SHA-256 of the key's secret part.
    pub secret_sha256: Vec<u8>,
    /// When the key was created, in milliseconds since 1970.
    pub created_at: i64,
    /// The key is accepted until this time; None: until it is revoked.
    pub expires_at: Option<i64>,
    /// When the key was revoked; it is not accepted since.
    pub revoked_at: Option<i64>,
    /// When the key was last used, to the minute.
    pub last_used_at: Option<i64>,
    /// The code of what the key allows.
    pub scope: i16,
    /// The networks that the key can be used from, as a list of texts in JSON; empty: everywhere.
    pub networks: String,
}

/// What the use of a key depends on besides the key.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = clients)]
pub struct Holder {
    /// True if none of the client's keys is accepted.
    pub disabled: bool,
    /// The client's limits as JSON.
    pub limits: String,
}

/// Stores an API key.
pub async fn insert(tx: &mut Tx, key: &Key) -> Result<()> {
    with_conn!(&mut **tx, |c| diesel::insert_into(api_keys::table).values(key).execute(c).await)?;
    Ok(())
}

/// Reads the key with that id, and the state of its client.
pub async fn find(conn: &mut Conn, id: &str) -> Result<Option<(Key, Holder)>> {
    Ok(find_all(conn, &[id.to_owned()]).await?.pop())
}

/// Reads the keys with these ids, and the states of their clients, in no particular order.
pub async fn find_all(conn: &mut Conn, ids: &[String]) -> Result<Vec<(Key, Holder)>> {
    Ok(with_conn!(conn, |c| {
        api_keys::table
            .inner_join(clients::table.on(clients::id.eq(api_keys::client_id)))
            .filter(api_keys::id.eq_any(ids))
            .select((Key::as_select(), Holder::as_select()))
            .load(c)
            .await
    })?)
}

/// Lists a client's keys, oldest first.
pub async fn list(conn: &mut Conn, client_id: i64) -> Result<Vec<Key>> {
    Ok(with_conn!(conn, |c| {
        api_keys::table
            .filter(api_keys::client_id.eq(client_id))
            .order((api_keys::created_at, api_keys::id))
            .select(Key::as_select())
            .load(c)
            .await
    })?)
}

/// Revokes a client's key and returns it. Returns None if the client has no such key. A second call keeps the time of
/// the first revocation.
pub async fn revoke(tx: &mut Tx, client_id: i64, id: &str, now: Millis) -> Result<Option<Key>> {
    with_conn!(&mut **tx, |c| {
        diesel::update(api_keys::table.find(id))
            .filter(api_keys::client_id.eq(client_id).and(api_keys::revoked_at.is_null()))
            .set(api_keys::revoked_at.eq(now.0))
            .execute(c)
            .await
    })?;
    Ok(with_conn!(&mut **tx, |c| {
        api_keys::table
            .find(id)
            .filter(api_keys::client_id.eq(client_id))
            .select(Key::as_select())
            .first(c)
            .await
            .optional()
    })?)
}

/// Notes that a key was used, unless a use since `unless_since` is noted already.
pub async fn touch(tx: &mut Tx, id: &str, now: Millis, unless_since: Millis) -> Result<()> {
    with_conn!(&mut **tx, |c| {
        let due = api_keys::last_used_at.is_null().or(api_keys::last_used_at.lt(unless_since.0));
        diesel::update(api_keys::table.find(id).filter(due)).set(api_keys::last_used_at.eq(now.0)).execute(c).await
    })?;
    Ok(())
}
