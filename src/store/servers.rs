//! Asterisk servers, and how their lanes stand.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::leases::Lease;
use super::schema::{leases, queue_lanes, servers};

/// A server as it is stored.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = servers)]
pub struct Server {
    /// The name that calls use.
    pub code: String,
    /// Of its manager interface.
    pub host: String,
    /// TCP.
    pub port: i32,
    /// The manager user.
    pub username: String,
    /// Encrypted.
    pub secret: Vec<u8>,
    /// AMI over TLS.
    pub tls: bool,
    /// How quick calls dial a number.
    pub dial_template: String,
    /// Live calls at one time.
    pub max_channels: i32,
    /// Calls begun a second.
    pub calls_per_second: f64,
    /// A JSON list.
    pub recording_dirs: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    /// Milliseconds since 1970.
    pub updated_at: i64,
}

/// A server with its lane.
#[derive(Clone, Debug)]
pub struct ServerState {
    /// What was set.
    pub server: Server,
    /// Who dials through it, once somebody has.
    pub lease: Option<Lease>,
    /// Calls that hold a channel.
    pub live_calls: i64,
}

impl Server {
    /// The recording directories, the default first.
    pub fn recording_dirs(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_str(&self.recording_dirs)?)
    }
}

/// Stores a server.
pub async fn insert(tx: &mut Tx, server: &Server) -> Result<()> {
    with_conn!(&mut **tx, |c| diesel::insert_into(servers::table).values(server).execute(c).await)?;
    Ok(())
}

/// Changes everything but the code and the date of a server that exists.
pub async fn update(tx: &mut Tx, server: &Server) -> Result<()> {
    let s = server;
    with_conn!(&mut **tx, |c| {
        diesel::update(servers::table.find(&s.code))
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
                servers::updated_at.eq(s.updated_at),
            ))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// All servers, by code.
pub async fn list(conn: &mut Conn) -> Result<Vec<Server>> {
    Ok(with_conn!(conn, |c| servers::table.order(servers::code).select(Server::as_select()).load(c).await)?)
}

/// All servers with their lanes, by code; or only the one of that code.
pub async fn states(conn: &mut Conn, code: Option<&str>) -> Result<Vec<ServerState>> {
    let all: Vec<(Server, Option<Lease>)> = with_conn!(conn, |c| {
        let mut query = servers::table
            .left_join(leases::table.on(leases::server_code.eq(servers::code)))
            .select((Server::as_select(), Option::<Lease>::as_select()))
            .into_boxed();
        if let Some(code) = code {
            query = query.filter(servers::code.eq(code));
        }
        query.order(servers::code).load(c).await
    })?;
    // SUM of BIGINTs is NUMERIC in PostgreSQL.
    let total = "CAST(SUM(queue_lanes.live) AS BIGINT)";
    let live: Vec<(String, i64)> = with_conn!(conn, |c| {
        queue_lanes::table
            .filter(queue_lanes::live.gt(0))
            .group_by(queue_lanes::server_code)
            .select((queue_lanes::server_code, diesel::dsl::sql::<BigInt>(total)))
            .load(c)
            .await
    })?;
    Ok(all
        .into_iter()
        .map(|(server, lease)| {
            let live_calls = live.iter().find(|(code, _)| *code == server.code).map_or(0, |(_, total)| *total);
            ServerState { live_calls, server, lease }
        })
        .collect())
}
