//! Asterisk servers, and the status of their lanes.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::leases::Lease;
use super::schema::{grants, leases, nodes, queue_lanes, servers};
use crate::domain::limits::TrunkLimits;
use crate::domain::number::Numbering;
use crate::domain::time::Millis;

/// A server as it is stored.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = servers)]
pub struct Server {
    /// The code by which calls name the server.
    pub code: String,
    /// The host of its manager interface.
    pub host: String,
    /// The TCP port of its manager interface.
    pub port: i32,
    /// The name of the manager user.
    pub username: String,
    /// The manager user's secret, encrypted.
    pub secret: Vec<u8>,
    /// True to connect with TLS.
    pub tls: bool,
    /// How quick calls dial a number through the server.
    pub dial_template: String,
    /// How many calls may be live at one time.
    pub max_channels: i32,
    /// How many calls may begin per second.
    pub calls_per_second: f64,
    /// The recording directories as a JSON list, the default first.
    pub recording_dirs: String,
    /// When the server was created, in milliseconds since 1970.
    pub created_at: i64,
    /// When the server was last changed, in milliseconds since 1970.
    pub updated_at: i64,
    /// A JSON list of [`TrunkLimits`].
    pub trunks: String,
    /// A [`Numbering`] as JSON.
    pub numbering: String,
    /// How many seconds a call may take; None if only other limits apply.
    pub max_call_seconds: Option<i32>,
}

/// A server with its lane.
#[derive(Clone, Debug)]
pub struct ServerState {
    /// The server as it is configured.
    pub server: Server,
    /// The lease of its lane, once a node has dialed through it.
    pub lease: Option<Lease>,
    /// True if the lane's owner is drained: nothing new is dialed until another node owns the lane.
    pub draining: bool,
    /// How many calls are live on the server.
    pub live_calls: i64,
}

/// The result of removing a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The server was removed, with its grants and its lease.
    Done,
    /// There is no server with that code.
    NoSuchServer,
    /// The server has calls, so it was not removed.
    InUse {
        /// How many calls wait for the server.
        waiting: i64,
        /// How many calls are live on the server.
        live: i64,
    },
}

impl Server {
    /// Returns the recording directories, the default first.
    pub fn recording_dirs(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_str(&self.recording_dirs)?)
    }

    /// Returns the trunks that have limits of their own.
    pub fn trunks(&self) -> Result<Vec<TrunkLimits>> {
        Ok(serde_json::from_str(&self.trunks)?)
    }

    /// Returns what numbers mean on the server.
    pub fn numbering(&self) -> Result<Numbering> {
        Ok(serde_json::from_str(&self.numbering)?)
    }
}

/// Stores a server. A removed server with the same code is replaced.
pub async fn insert(tx: &mut Tx, server: &Server) -> Result<()> {
    if set(tx, server, true).await? == 1 {
        return Ok(());
    }
    with_conn!(&mut **tx, |c| diesel::insert_into(servers::table).values(server).execute(c).await)?;
    Ok(())
}

/// Changes everything of a server except its code and its date. Returns false if there is no such server.
pub async fn update(tx: &mut Tx, server: &Server) -> Result<bool> {
    Ok(set(tx, server, false).await? == 1)
}

/// Overwrites a server that exists, and is removed or not as `removed` says. Returns how many rows were changed.
async fn set(tx: &mut Tx, server: &Server, removed: bool) -> Result<usize> {
    let s = server;
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(servers::table.find(&s.code))
            .filter(servers::removed_at.is_not_null().eq(removed))
            .set((
                servers::host.eq(&s.host),
                servers::port.eq(s.port),
                servers::username.eq(&s.username),
                servers::secret.eq(&s.secret),
                servers::tls.eq(s.tls),
                servers::dial_template.eq(&s.dial_template),
                servers::max_channels.eq(s.max_channels),
                servers::calls_per_second.eq(s.calls_per_second),
                servers::recording_dirs.eq(&s.recording_dirs),
                servers::trunks.eq(&s.trunks),
                servers::numbering.eq(&s.numbering),
                servers::max_call_seconds.eq(s.max_call_seconds),
                removed.then_some(servers::created_at.eq(s.created_at)),
                servers::updated_at.eq(s.updated_at),
                servers::removed_at.eq(None::<i64>),
            ))
            .execute(c)
            .await
    })?)
}

/// Removes a server that has neither waiting nor live calls, with its grants and its lease. Its name stays, so that
/// past calls keep their code; its secret does not.
pub async fn remove(tx: &mut Tx, code: &str, now: Millis) -> Result<Removal> {
    // The row is locked from here on, so that of two removals one finds the server gone.
    let removed = with_conn!(&mut **tx, |c| {
        diesel::update(servers::table.find(code))
            .filter(servers::removed_at.is_null())
            .set((servers::removed_at.eq(now.0), servers::secret.eq(Vec::new())))
            .execute(c)
            .await
    })?;
    if removed == 0 {
        return Ok(Removal::NoSuchServer);
    }
    let (waiting, live) = open_calls(tx, code).await?;
    if waiting + live > 0 {
        return Ok(Removal::InUse { waiting, live });
    }
    let granted = grants::table.filter(grants::server_code.eq(code));
    with_conn!(&mut **tx, |c| diesel::delete(granted).execute(c).await)?;
    with_conn!(&mut **tx, |c| diesel::delete(leases::table.find(code)).execute(c).await)?;
    Ok(Removal::Done)
}

/// Counts the calls that wait for a server, and those that are live on it.
pub async fn open_calls(conn: &mut Conn, code: &str) -> Result<(i64, i64)> {
    let lanes = queue_lanes::table.filter(queue_lanes::server_code.eq(code));
    // The SUM of BIGINTs is NUMERIC in PostgreSQL, and NULL if there is nothing to add up.
    Ok(with_conn!(conn, |c| {
        lanes
            .select((
                diesel::dsl::sql::<BigInt>("CAST(COALESCE(SUM(waiting), 0) AS BIGINT)"),
                diesel::dsl::sql::<BigInt>("CAST(COALESCE(SUM(live), 0) AS BIGINT)"),
            ))
            .first(c)
            .await
    })?)
}

/// Lists all servers by code.
pub async fn list(conn: &mut Conn) -> Result<Vec<Server>> {
    Ok(with_conn!(conn, |c| {
        servers::table
            .filter(servers::removed_at.is_null())
            .order(servers::code)
            .select(Server::as_select())
            .load(c)
            .await
    })?)
}

/// Reads the server with this code.
pub async fn get(conn: &mut Conn, code: &str) -> Result<Option<Server>> {
    Ok(with_conn!(conn, |c| {
        servers::table
            .find(code)
            .filter(servers::removed_at.is_null())
            .select(Server::as_select())
            .first(c)
            .await
            .optional()
    })?)
}

/// Lists all servers with their lanes, by code, or only the server with that code.
pub async fn states(conn: &mut Conn, code: Option<&str>) -> Result<Vec<ServerState>> {
    let all: Vec<(Server, Option<Lease>, Option<bool>)> = with_conn!(conn, |c| {
        let mut query = servers::table
            .left_join(leases::table.on(leases::server_code.eq(servers::code)))
            .left_join(nodes::table.on(nodes::name.eq(leases::node)))
            .filter(servers::removed_at.is_null())
            .select((Server::as_select(), Option::<Lease>::as_select(), nodes::draining.nullable()))
            .into_boxed();
        if let Some(code) = code {
            query = query.filter(servers::code.eq(code));
        }
        query.order(servers::code).load(c).await
    })?;
    // The SUM of BIGINTs is NUMERIC in PostgreSQL.
    let total = "CAST(SUM(queue_lanes.live) AS BIGINT)";
    let live: Vec<(String, i64)> = with_conn!(conn, |c| {
        queue_lanes::table
            // Written out and not bound, so that the planner sees that the partial index fits.
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("queue_lanes.live > 0"))
            .group_by(queue_lanes::server_code)
            .select((queue_lanes::server_code, diesel::dsl::sql::<BigInt>(total)))
            .load(c)
            .await
    })?;
    Ok(all
        .into_iter()
        .map(|(server, lease, draining)| {
            let live_calls = live.iter().find(|(code, _)| *code == server.code).map_or(0, |(_, total)| *total);
            ServerState { live_calls, server, lease, draining: draining.unwrap_or(false) }
        })
        .collect())
}
