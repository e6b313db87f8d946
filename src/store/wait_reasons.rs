//! What waits in a queue on each server, and what is known of the reason.

use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;

use super::db::{Conn, with_conn};
use super::error::Result;
use super::lanes::{Place, next_due, time_zones};
use super::schema::{calls, grants, leases, queue_lanes};
use super::status_sql::waits;
use crate::domain::time::Millis;

/// A queue's calls on one server, with what decides whether they are dialed.
#[derive(Clone, Debug, Queryable)]
pub struct OnServer {
    /// The code of the server.
    pub server_code: String,
    /// How many calls wait for an attempt.
    pub waiting: i64,
    /// How many calls are live.
    pub live: i64,
    /// How many of the waiting calls wait for a further attempt.
    pub retrying: i64,
    /// The client that has a grant for the server; None if it has none, or none any more.
    pub grant: Option<i64>,
    /// The server's lane, if a node has ever owned it.
    pub lane: Option<Lane>,
}

/// The state of a lane, as its owner published it.
#[derive(Clone, Debug, Queryable)]
pub struct Lane {
    /// When the lease ends, in milliseconds since 1970. The lane has no owner after that.
    pub expires_at: i64,
    /// The code of a [`ServerStatus`](crate::domain::status::ServerStatus).
    pub status: i16,
    /// The lane's [`LaneWaits`](crate::domain::wait_reasons::LaneWaits) as JSON.
    pub held: Option<String>,
}

/// Lists the servers that calls of a client's queue wait for or are live on, by code.
pub async fn on_servers(conn: &mut Conn, client_id: i64, queue_id: i64) -> Result<Vec<OnServer>> {
    Ok(with_conn!(conn, |c| {
        let granted = grants::server_code.eq(queue_lanes::server_code).and(grants::client_id.eq(client_id));
        queue_lanes::table
            .left_join(grants::table.on(granted))
            .left_join(leases::table.on(leases::server_code.eq(queue_lanes::server_code)))
            .filter(queue_lanes::queue_id.eq(queue_id))
            .filter(queue_lanes::waiting.gt(0).or(queue_lanes::live.gt(0)))
            .order(queue_lanes::server_code)
            .select((
                queue_lanes::server_code,
                queue_lanes::waiting,
                queue_lanes::live,
                queue_lanes::retrying,
                grants::client_id.nullable(),
                (leases::expires_at, leases::status, leases::held).nullable(),
            ))
            .load(c)
            .await
    })?)
}

/// Returns when the first of a queue's calls on a server is due that is not due yet.
pub async fn first_due(conn: &mut Conn, server: &str, queue_id: i64, now: Millis) -> Result<Option<Millis>> {
    let mut first: Option<Millis> = None;
    for zone in time_zones(conn, server, queue_id).await? {
        let due = next_due(conn, Place { server, queue_id, time_zone: &zone }, now).await?;
        first = [first, due].into_iter().flatten().min();
    }
    Ok(first)
}

/// Reads how many calls of a queue on a server wait for their own earliest time, and when the first of these is.
///
/// They are counted in an index that contains only such calls.
pub async fn scheduled(conn: &mut Conn, server: &str, queue_id: i64, now: Millis) -> Result<Option<(i64, Millis)>> {
    use diesel::dsl::{count_star, min};
    let (count, first): (i64, Option<i64>) = with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(server).and(calls::queue_id.eq(queue_id)))
            // Written out, so that the planner sees that the partial index fits.
            .filter(diesel::dsl::sql::<Bool>(
                "calls.status = 1 AND NOT calls.another_day AND NOT calls.braked AND calls.due_at > calls.created_at",
            ))
            .filter(calls::due_at.gt(now.0))
            .select((count_star(), min(calls::due_at)))
            .first(c)
            .await
    })?;
    Ok(first.map(|first| (count, Millis(first))))
}

/// Counts the due calls of a queue on a server that are in these time zones.
///
/// They are counted along the index of waiting calls, and only if a queue has calls in several zones and some of these
/// are closed. Keeping a count for each zone would make every change of every call more expensive.
pub async fn due_in(conn: &mut Conn, server: &str, queue_id: i64, zones: &[&str], now: Millis) -> Result<i64> {
    Ok(with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(server).and(calls::queue_id.eq(queue_id)))
            .filter(waits())
            .filter(calls::time_zone.eq_any(zones).and(calls::due_at.le(now.0)))
            .count()
            .get_result(c)
            .await
    })?)
}
