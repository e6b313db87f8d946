//! What a lane reads: its queues, what is due in them, and what was live when it took over.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::calls::{Attempt, Call};
use super::db::{Conn, with_conn};
use super::error::Result;
use super::queues::Queue;
use super::schema::{attempts, calls, clients, queue_lanes, queues};
use crate::domain::status::{QueueKind, QueueStatus};
use crate::domain::time::Millis;

/// The bulk queues that have calls waiting for a server and may be dialed, oldest first.
pub async fn runnable(conn: &mut Conn, server: &str) -> Result<Vec<Queue>> {
    Ok(with_conn!(conn, |c| {
        queue_lanes::table
            .inner_join(queues::table)
            .inner_join(clients::table.on(clients::id.eq(queues::client_id)))
            .filter(queue_lanes::server_code.eq(server).and(queue_lanes::waiting.gt(0)))
            .filter(queues::status.eq(QueueStatus::InProgress.code()).and(queues::kind.eq(QueueKind::Bulk.code())))
            .filter(clients::disabled.eq(false))
            .order(queues::id)
            .select(Queue::as_select())
            .load(c)
            .await
    })?)
}

/// These queues, to learn their rules anew.
pub async fn queues(conn: &mut Conn, ids: &[i64]) -> Result<Vec<Queue>> {
    Ok(with_conn!(conn, |c| queues::table.filter(queues::id.eq_any(ids)).select(Queue::as_select()).load(c).await)?)
}

/// The next calls of a queue that are due on a server, in their order.
pub async fn due(conn: &mut Conn, server: &str, queue_id: i64, now: Millis, limit: i64) -> Result<Vec<Call>> {
    Ok(with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(server).and(calls::queue_id.eq(queue_id)))
            // Written out, not bound, so that the planner knows the partial index to fit.
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("calls.status IN (1, 5)"))
            .filter(calls::due_at.le(now.0))
            .order((calls::due_at, calls::position))
            .limit(limit)
            .select(Call::as_select())
            .load(c)
            .await
    })?)
}

/// The next quick calls that are due on a server, oldest first.
pub async fn due_quick(conn: &mut Conn, server: &str, now: Millis, limit: i64) -> Result<Vec<Call>> {
    Ok(with_conn!(conn, |c| {
        calls::table
            .inner_join(queues::table)
            .filter(calls::server_code.eq(server).and(queues::kind.eq(QueueKind::Quick.code())))
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("calls.status IN (1, 5)"))
            .filter(calls::due_at.le(now.0).and(queues::status.eq(QueueStatus::InProgress.code())))
            .order((calls::due_at, calls::queue_id))
            .limit(limit)
            .select(Call::as_select())
            .load(c)
            .await
    })?)
}

/// Calls whose deadline has passed while they waited for a server, whatever their queue.
pub async fn overdue(conn: &mut Conn, server: &str, now: Millis, limit: i64) -> Result<Vec<Call>> {
    Ok(with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(server))
            .filter(diesel::dsl::sql::<diesel::sql_types::Bool>(
                "calls.status IN (1, 5) AND calls.deadline IS NOT NULL",
            ))
            .filter(calls::deadline.le(now.0))
            .order(calls::deadline)
            .limit(limit)
            .select(Call::as_select())
            .load(c)
            .await
    })?)
}

/// The attempts of a server that have not ended, with their calls: what must be looked for after a crash.
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
