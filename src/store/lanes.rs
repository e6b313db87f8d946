//! What a lane reads: its queues, the calls that are due in them, and what was live when it took over.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::RunQueryDsl;

use super::calls::{Attempt, Call};
use super::db::{Conn, with_conn};
use super::error::Result;
use super::queues::Queue;
use super::schema::{attempts, calls, clients, grants, queue_lanes, queues, servers};
use super::status_sql::{WAITS, waits, waits_and};
use crate::domain::status::{QueueKind, QueueStatus};
use crate::domain::time::Millis;

/// A queue that has calls waiting for a server.
#[derive(Clone, Debug, Queryable)]
pub struct LaneQueue {
    /// The queue with its retry rules.
    pub queue: Queue,
    /// The queue's priority, 0 to 9.
    pub priority: i32,
    /// The queue's weight among those of its priority, 1 to 100.
    pub weight: i32,
    /// How many calls may be live on one server.
    pub max_live_calls: Option<i32>,
    /// How many calls may begin per second on one server.
    pub calls_per_second: Option<f64>,
    /// The queue's [`Windows`](crate::domain::window::Windows) as JSON; None: its calls may be dialed at any time.
    pub windows: Option<String>,
}

/// A client that may dial through a server.
#[derive(Clone, Debug, PartialEq, Queryable)]
pub struct LaneClient {
    /// The id of the client.
    pub id: i64,
    /// The client's own account code.
    pub account_code: String,
    /// The client's [`ClientLimits`](crate::domain::limits::ClientLimits) as JSON.
    pub limits: String,
    /// The client's [`Policy`](crate::domain::policy::Policy) as JSON.
    pub policy: String,
    /// How many calls may be live on the server.
    pub max_live_calls: Option<i32>,
    /// How many calls may begin per second on the server.
    pub calls_per_second: Option<f64>,
    /// The extensions that may be dialed besides numbers: a JSON list of [`Pattern`](crate::domain::extension::Pattern)s.
    pub extensions: String,
    /// True if none of its calls is dialed.
    pub disabled: bool,
}

/// The limits of a server, and what numbers mean on it.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = servers)]
pub struct ServerLimits {
    /// How many calls may be live at one time.
    pub max_channels: i32,
    /// How many calls may begin per second.
    pub calls_per_second: f64,
    /// A list of [`TrunkLimits`](crate::domain::limits::TrunkLimits) as JSON.
    pub trunks: String,
    /// The directories that recordings may go to, as a JSON list.
    pub recording_dirs: String,
    /// The [`Numbering`](crate::domain::number::Numbering) as JSON.
    pub numbering: String,
    /// How many seconds a call may take; None if only other limits apply.
    pub max_call_seconds: Option<i32>,
}

/// Where waiting calls are read: a server, a queue and a time zone.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The code of the server that the calls wait for.
    pub server: &'a str,
    /// The queue that the calls belong to.
    pub queue_id: i64,
    /// The time zone of the people called; `""` for calls without one.
    pub time_zone: &'a str,
}

/// How far the calls of a place were read: the last call's due time and its position.
pub type Mark = (i64, i64);

#[derive(diesel::QueryableByName)]
struct ZoneRow {
    #[diesel(sql_type = Text)]
    time_zone: String,
}

/// Returns the condition that a queue has waiting calls; written out for the reason that [`status_sql`](super::status_sql)
/// gives.
fn has_waiting() -> diesel::expression::SqlLiteral<Bool> {
    diesel::dsl::sql::<Bool>("queue_lanes.waiting > 0")
}

/// Lists the bulk queues that are in progress, between their start and their end, and have calls waiting for a server,
/// oldest first.
pub async fn runnable(conn: &mut Conn, server: &str, now: Millis) -> Result<Vec<LaneQueue>> {
    Ok(with_conn!(conn, |c| {
        queue_lanes::table
            .inner_join(queues::table)
            .filter(queue_lanes::server_code.eq(server).and(has_waiting()))
            .filter(queues::status.eq(QueueStatus::InProgress.code()).and(queues::kind.eq(QueueKind::Bulk.code())))
            .filter(queues::start_at.is_null().or(queues::start_at.le(now.0)))
            .filter(queues::end_at.is_null().or(queues::end_at.gt(now.0)))
            .order(queues::id)
            .select((
                Queue::as_select(),
                queues::priority,
                queues::weight,
                queues::max_live_calls,
                queues::calls_per_second,
                queues::windows,
            ))
            .load(c)
            .await
    })?)
}

/// Counts the calls that wait for each server, in all queues.
pub async fn waiting(conn: &mut Conn) -> Result<Vec<(String, i64)>> {
    // The SUM of BIGINTs is NUMERIC in PostgreSQL.
    let total = diesel::dsl::sql::<diesel::sql_types::BigInt>("CAST(SUM(queue_lanes.waiting) AS BIGINT)");
    Ok(with_conn!(conn, |c| {
        queue_lanes::table
            .filter(has_waiting())
            .group_by(queue_lanes::server_code)
            .select((queue_lanes::server_code, total))
            .load(c)
            .await
    })?)
}

/// Reads queues by their ids, for their retry rules.
pub async fn queues(conn: &mut Conn, ids: &[i64]) -> Result<Vec<Queue>> {
    Ok(with_conn!(conn, |c| queues::table.filter(queues::id.eq_any(ids)).select(Queue::as_select()).load(c).await)?)
}

/// Lists the clients that were granted a server, including those that are disabled.
pub async fn clients(conn: &mut Conn, server: &str) -> Result<Vec<LaneClient>> {
    Ok(with_conn!(conn, |c| {
        grants::table
            .inner_join(clients::table.on(clients::id.eq(grants::client_id)))
            .filter(grants::server_code.eq(server))
            .order(clients::id)
            .select((
                clients::id,
                clients::account_code,
                clients::limits,
                clients::policy,
                grants::max_live_calls,
                grants::calls_per_second,
                grants::extensions,
                clients::disabled,
            ))
            .load(c)
            .await
    })?)
}

/// Reads the limits of a server; None if it was removed.
pub async fn server_limits(conn: &mut Conn, server: &str) -> Result<Option<ServerLimits>> {
    Ok(with_conn!(conn, |c| {
        servers::table.find(server).select(ServerLimits::as_select()).first(c).await.optional()
    })?)
}

/// Lists the time zones of a queue's waiting calls on a server; `""` stands for calls without one.
pub async fn time_zones(conn: &mut Conn, server: &str, queue_id: i64) -> Result<Vec<String>> {
    // One step through the index for each zone, however many calls lie between.
    let next = format!(
        "SELECT MIN(calls.time_zone) FROM calls WHERE calls.server_code = $1 AND calls.queue_id = $2 AND {waits}",
        waits = *WAITS
    );
    let zones = format!(
        "WITH RECURSIVE zones (time_zone) AS (SELECT ({next}) UNION ALL \
         SELECT ({next} AND calls.time_zone > zones.time_zone) FROM zones WHERE zones.time_zone IS NOT NULL) \
         SELECT time_zone FROM zones WHERE time_zone IS NOT NULL"
    );
    let rows: Vec<ZoneRow> = with_conn!(conn, |c| {
        diesel::sql_query(zones).bind::<Text, _>(server).bind::<BigInt, _>(queue_id).load(c).await
    })?;
    Ok(rows.into_iter().map(|row| row.time_zone).collect())
}

/// Reads the next calls of a queue in one time zone that are due on a server, in their order. With `after`, reads only
/// those after that mark.
pub async fn due(conn: &mut Conn, place: Place<'_>, after: Option<Mark>, now: Millis, limit: i64) -> Result<Vec<Call>> {
    let (due_at, position) = after.unwrap_or((i64::MIN, i64::MIN));
    // Compared as a pair, which both engines find in the index: the calls of one batch are all due at the same time.
    let beyond = diesel::dsl::sql::<Bool>("(calls.due_at, calls.position) > (")
        .bind::<BigInt, _>(due_at)
        .sql(", ")
        .bind::<BigInt, _>(position)
        .sql(")");
    Ok(with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(place.server).and(calls::queue_id.eq(place.queue_id)))
            .filter(calls::time_zone.eq(place.time_zone).and(waits()))
            .filter(calls::due_at.le(now.0).and(beyond))
            .order((calls::due_at, calls::position))
            .limit(limit)
            .select(Call::as_select())
            .load(c)
            .await
    })?)
}

/// Returns when the first of a queue's calls in one time zone is due that is not due yet.
pub async fn next_due(conn: &mut Conn, place: Place<'_>, now: Millis) -> Result<Option<Millis>> {
    let due: Option<i64> = with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(place.server).and(calls::queue_id.eq(place.queue_id)))
            .filter(calls::time_zone.eq(place.time_zone).and(waits()))
            // Calls that wait for another day and those that are held are reported separately.
            // So are calls whose own earliest time has not come: those have had no attempt.
            .filter(calls::due_at.gt(now.0).and(calls::another_day.eq(false)).and(calls::braked.eq(false)))
            .filter(calls::attempts.gt(0))
            .order(calls::due_at)
            .select(calls::due_at)
            .first(c)
            .await
            .optional()
    })?;
    Ok(due.map(Millis))
}

/// Reads the next quick calls that are due on a server, oldest first.
pub async fn due_quick(conn: &mut Conn, server: &str, now: Millis, limit: i64) -> Result<Vec<(Call, Option<String>)>> {
    // Not as a bare column: SQLite would then scan all calls that wait for the server, which may be millions of bulk
    // calls, instead of going through the few queues of quick calls.
    let on_server = diesel::dsl::sql::<Text>("calls.server_code || ''").eq(server);
    Ok(with_conn!(conn, |c| {
        queue_lanes::table
            .inner_join(queues::table)
            .inner_join(calls::table.on(calls::queue_id.eq(queue_lanes::queue_id)))
            .filter(queue_lanes::server_code.eq(server).and(has_waiting()))
            .filter(queues::kind.eq(QueueKind::Quick.code()).and(queues::status.eq(QueueStatus::InProgress.code())))
            .filter(on_server.and(waits()).and(calls::due_at.le(now.0)))
            .order((calls::due_at, calls::queue_id))
            .limit(limit)
            .select((Call::as_select(), queues::windows))
            .load(c)
            .await
    })?)
}

/// Reads waiting calls of a server whose deadline has passed, in any queue.
pub async fn overdue(conn: &mut Conn, server: &str, now: Millis, limit: i64) -> Result<Vec<Call>> {
    Ok(with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(server))
            .filter(waits_and("calls.deadline IS NOT NULL"))
            .filter(calls::deadline.le(now.0))
            .order(calls::deadline)
            .limit(limit)
            .select(Call::as_select())
            .load(c)
            .await
    })?)
}

/// Reads the attempts of a server that have not ended, with their calls: what must be looked for after a crash.
pub async fn live_attempts(conn: &mut Conn, server: &str) -> Result<Vec<(Attempt, Call)>> {
    Ok(with_conn!(conn, |c| {
        attempts::table
            .inner_join(calls::table)
            .filter(attempts::server_code.eq(server).and(attempts::ended_at.is_null()))
            .order(attempts::started_at)
            .select((Attempt::as_select(), Call::as_select()))
            .load(c)
            .await
    })?)
}
