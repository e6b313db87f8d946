//! API keys of administrators: the store keeps a key's id and the SHA-256 of its secret, never the secret.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::admin_keys;
use crate::domain::time::Millis;

/// An administrator's key as it is stored.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = admin_keys)]
pub struct AdminKey {
    /// The key's id, the part of the key that is not secret.
    pub id: String,
    /// The key's name, which no other key has or had.
    pub name: String,
    /// SHA-256 of the key's secret part.
    pub secret_sha256: Vec<u8>,
    /// The networks that the key can be used from, as a list of texts in JSON; empty: everywhere.
    pub networks: String,
    /// When the key was created, in milliseconds since 1970.
    pub created_at: i64,
    /// The key is accepted until this time; None: until it is revoked.
    pub expires_at: Option<i64>,
    /// When the key was revoked; it is not accepted since.
    pub revoked_at: Option<i64>,
    /// When the key was last used, to the minute.
    pub last_used_at: Option<i64>,
}

/// Stores an administrator's key. A second key with the same name is a duplicate.
pub async fn insert(tx: &mut Tx, key: &AdminKey) -> Result<()> {
    with_conn!(&mut **tx, |c| diesel::insert_into(admin_keys::table).values(key).execute(c).await)?;
    Ok(())
}

/// Reads the keys with these ids, in no particular order.
pub async fn find_all(conn: &mut Conn, ids: &[String]) -> Result<Vec<AdminKey>> {
    Ok(with_conn!(conn, |c| {
        admin_keys::table.filter(admin_keys::id.eq_any(ids)).select(AdminKey::as_select()).load(c).await
    })?)
}

/// Returns true if a key has that name, revoked keys included.
pub async fn has_name(conn: &mut Conn, name: &str) -> Result<bool> {
    let found: Option<String> = with_conn!(conn, |c| {
        admin_keys::table.filter(admin_keys::name.eq(name)).select(admin_keys::id).first(c).await.optional()
    })?;
    Ok(found.is_some())
}

/// Lists all keys of administrators, oldest first.
pub async fn list(conn: &mut Conn) -> Result<Vec<AdminKey>> {
    Ok(with_conn!(conn, |c| {
        admin_keys::table.order((admin_keys::created_at, admin_keys::id)).select(AdminKey::as_select()).load(c).await
    })?)
}

/// Revokes a key and returns it. Returns None if there is no such key. A second call keeps the time of the first
/// revocation.
pub async fn revoke(tx: &mut Tx, id: &str, now: Millis) -> Result<Option<AdminKey>> {
    with_conn!(&mut **tx, |c| {
        diesel::update(admin_keys::table.find(id))
            .filter(admin_keys::revoked_at.is_null())
            .set(admin_keys::revoked_at.eq(now.0))
            .execute(c)
            .await
    })?;
    Ok(find_all(tx, &[id.to_owned()]).await?.pop())
}

/// Notes that a key was used, unless a use since `unless_since` is noted already.
pub async fn touch(tx: &mut Tx, id: &str, now: Millis, unless_since: Millis) -> Result<()> {
    with_conn!(&mut **tx, |c| {
        let due = admin_keys::last_used_at.is_null().or(admin_keys::last_used_at.lt(unless_since.0));
        diesel::update(admin_keys::table.find(id).filter(due)).set(admin_keys::last_used_at.eq(now.0)).execute(c).await
    })?;
    Ok(())
}
