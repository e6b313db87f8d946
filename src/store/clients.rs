//! Clients, and their grants to dial through servers.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::{clients, grants, servers};
use crate::domain::extension::Pattern;
use crate::domain::number::Numbering;
use crate::domain::time::Millis;

/// A client as it is stored. `limits` and `policy` are the domain's types as JSON.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = clients)]
pub struct Client {
    /// The client's id, from 1.
    pub id: i64,
    /// The client's name, which is unique.
    pub name: String,
    /// The account code that the client's calls have by default.
    pub account_code: String,
    /// True if none of the client's keys is accepted and none of its calls is dialed.
    pub disabled: bool,
    /// The client's limits as JSON.
    pub limits: String,
    /// The client's dial policy as JSON.
    pub policy: String,
    /// When the client was created, in milliseconds since 1970.
    pub created_at: i64,
    /// When the client was last changed, in milliseconds since 1970.
    pub updated_at: i64,
}

/// A client that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// The client's name, which must be unique.
    pub name: String,
    /// The account code that the client's calls have by default.
    pub account_code: String,
    /// The client's limits as JSON.
    pub limits: String,
    /// The client's dial policy as JSON.
    pub policy: String,
    /// The codes of the servers that the client may dial through. Each server must exist.
    pub servers: Vec<String>,
}

/// A client's grant to dial through a server, as it is stored.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = grants)]
pub struct Grant {
    /// The client that has the grant.
    pub client_id: i64,
    /// The code of the server.
    pub server_code: String,
    /// How many calls may be live at one time; None: as many as the server takes.
    pub max_live_calls: Option<i32>,
    /// How many calls may begin per second; None: as many as the server takes.
    pub calls_per_second: Option<f64>,
    /// The extensions that may be dialed besides numbers: a JSON list of [`Pattern`]s.
    pub extensions: String,
}

impl Grant {
    /// Returns the extensions that the client may dial besides numbers.
    pub fn extensions(&self) -> Result<Vec<Pattern>> {
        Ok(serde_json::from_str(&self.extensions)?)
    }
}

/// Stores a client with its grants and returns its id.
pub async fn create(tx: &mut Tx, new: &NewClient, now: Millis) -> Result<i64> {
    let id: i64 = with_conn!(&mut **tx, |c| {
        diesel::insert_into(clients::table)
            .values((
                clients::name.eq(&new.name),
                clients::account_code.eq(&new.account_code),
                clients::limits.eq(&new.limits),
                clients::policy.eq(&new.policy),
                clients::created_at.eq(now.0),
                clients::updated_at.eq(now.0),
            ))
            .returning(clients::id)
            .get_result(c)
            .await
    })?;
    for code in &new.servers {
        grant(tx, id, code).await?;
    }
    Ok(id)
}

/// Changes everything of a client except its date. Its grants become those of `new.servers`; a grant that stays keeps
/// its limits. Returns false if there is no such client.
pub async fn update(tx: &mut Tx, id: i64, new: &NewClient, disabled: bool, now: Millis) -> Result<bool> {
    let updated = with_conn!(&mut **tx, |c| {
        diesel::update(clients::table.find(id))
            .set((
                clients::name.eq(&new.name),
                clients::account_code.eq(&new.account_code),
                clients::disabled.eq(disabled),
                clients::limits.eq(&new.limits),
                clients::policy.eq(&new.policy),
                clients::updated_at.eq(now.0),
            ))
            .execute(c)
            .await
    })?;
    if updated == 0 {
        return Ok(false);
    }
    with_conn!(&mut **tx, |c| {
        let taken_back = grants::table.filter(grants::client_id.eq(id).and(grants::server_code.ne_all(&new.servers)));
        diesel::delete(taken_back).execute(c).await
    })?;
    for code in &new.servers {
        grant(tx, id, code).await?;
    }
    Ok(true)
}

/// Lets a client dial through a server. A grant that exists already stays as it is.
pub async fn grant(tx: &mut Tx, client_id: i64, code: &str) -> Result<()> {
    let grant = Grant {
        client_id,
        server_code: code.to_owned(),
        max_live_calls: None,
        calls_per_second: None,
        extensions: "[]".to_owned(),
    };
    with_conn!(&mut **tx, |c| {
        diesel::insert_into(grants::table).values(&grant).on_conflict_do_nothing().execute(c).await
    })?;
    Ok(())
}

/// Lets a client dial through a server within these limits, which replace those of an existing grant.
pub async fn set_grant(tx: &mut Tx, grant: &Grant) -> Result<()> {
    with_conn!(&mut **tx, |c| {
        diesel::insert_into(grants::table)
            .values(grant)
            .on_conflict((grants::client_id, grants::server_code))
            .do_update()
            .set((
                grants::max_live_calls.eq(grant.max_live_calls),
                grants::calls_per_second.eq(grant.calls_per_second),
                grants::extensions.eq(&grant.extensions),
            ))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Deletes a grant. Returns false if the client did not have it.
pub async fn revoke_grant(tx: &mut Tx, client_id: i64, code: &str) -> Result<bool> {
    let revoked = with_conn!(&mut **tx, |c| diesel::delete(grants::table.find((client_id, code))).execute(c).await)?;
    Ok(revoked == 1)
}

/// Lists a client's grants, by server code.
pub async fn grants(conn: &mut Conn, client_id: i64) -> Result<Vec<Grant>> {
    Ok(with_conn!(conn, |c| {
        grants::table
            .filter(grants::client_id.eq(client_id))
            .order(grants::server_code)
            .select(Grant::as_select())
            .load(c)
            .await
    })?)
}

/// Reads the client with this id.
pub async fn get(conn: &mut Conn, id: i64) -> Result<Option<Client>> {
    Ok(with_conn!(conn, |c| clients::table.find(id).select(Client::as_select()).first(c).await.optional())?)
}

/// Reads the client with that name.
pub async fn by_name(conn: &mut Conn, name: &str) -> Result<Option<Client>> {
    Ok(with_conn!(conn, |c| {
        clients::table.filter(clients::name.eq(name)).select(Client::as_select()).first(c).await.optional()
    })?)
}

/// Reads a page of all clients, oldest first, and how many clients there are.
pub async fn list(conn: &mut Conn, offset: i64, limit: i64) -> Result<(Vec<Client>, i64)> {
    let page = with_conn!(conn, |c| {
        clients::table.order(clients::id).offset(offset).limit(limit).select(Client::as_select()).load(c).await
    })?;
    // Clients are few, because people create them by hand.
    let count = with_conn!(conn, |c| clients::table.count().get_result(c).await)?;
    Ok((page, count))
}

/// Lists the codes of the servers that a client may dial through, sorted.
pub async fn granted(conn: &mut Conn, client_id: i64) -> Result<Vec<String>> {
    Ok(with_conn!(conn, |c| {
        grants::table
            .filter(grants::client_id.eq(client_id))
            .order(grants::server_code)
            .select(grants::server_code)
            .load(c)
            .await
    })?)
}

/// Lists the servers that a client may dial through, each with its grant.
pub async fn granted_servers(conn: &mut Conn, client_id: i64) -> Result<Vec<(super::servers::Server, Grant)>> {
    Ok(with_conn!(conn, |c| {
        grants::table
            .inner_join(servers::table.on(servers::code.eq(grants::server_code)))
            .filter(grants::client_id.eq(client_id))
            .select((super::servers::Server::as_select(), Grant::as_select()))
            .load(c)
            .await
    })?)
}

/// Reads what numbers mean on each server that a client may dial through, or on all servers, and where nothing is set.
pub async fn numberings(conn: &mut Conn, client_id: impl Into<Option<i64>>) -> Result<Vec<Numbering>> {
    let servers = match client_id.into() {
        Some(client_id) => granted_servers(conn, client_id).await?.into_iter().map(|(server, _)| server).collect(),
        None => super::servers::list(conn).await?,
    };
    let mut numberings = vec![Numbering::default()];
    for server in servers {
        numberings.push(server.numbering()?);
    }
    numberings.dedup();
    Ok(numberings)
}
