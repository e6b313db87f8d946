//! Calls that ended in failure and are dialed again because somebody asks for it.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::bulk::{self, Hex, row};
use super::calls::Call;
use super::counters::Moves;
use super::db::{Db, Tx, with_conn};
use super::error::Result;
use super::events::{self, NewEvent};
use super::queues::{self, Queue};
use super::rule_lock;
use super::schema::queues as queues_table;
use crate::domain::event_kind::EventKind;
use crate::domain::status::{CallStatus, Outcome, QueueStatus};
use crate::domain::time::Millis;

row! {
    struct RetryRow {
        id: Hex = Uuid,
        attempts: i32 = Integer,
        status: i16 = SmallInt,
        at: i64 = BigInt,
        deadline: Option<i64> = BigInt,
    }
}

/// A call is left alone if it changed since it was read, if its own deadline has passed and the request gives no other one,
/// and if nothing could dial it: its queue was canceled or deleted, or its server removed.
static RETRY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE calls SET status = {retrying}, due_at = u.at, ended_at = NULL, another_day = FALSE, braked = FALSE, \
         deadline = CASE WHEN u.deadline IS NOT NULL THEN u.deadline WHEN calls.deadline_is_default THEN NULL \
         ELSE calls.deadline END, \
         deadline_is_default = CASE WHEN u.deadline IS NOT NULL THEN FALSE ELSE calls.deadline_is_default END \
         FROM {{rows}} AS u WHERE calls.id = u.id AND calls.attempts = u.attempts AND calls.status = u.status \
         AND (u.deadline IS NOT NULL OR calls.deadline IS NULL OR calls.deadline_is_default OR calls.deadline > u.at) \
         AND EXISTS (SELECT 1 FROM queues WHERE queues.id = calls.queue_id AND queues.canceled_at IS NULL \
         AND queues.deleted_at IS NULL) \
         AND EXISTS (SELECT 1 FROM servers WHERE servers.code = calls.server_code AND servers.removed_at IS NULL) \
         RETURNING calls.id AS id",
        retrying = CallStatus::Retrying.code(),
    )
});

/// Lets those of these calls that ended in failure wait for another attempt, in one transaction, and returns their number.
/// With a deadline, they are not dialed after it.
pub async fn retry(db: &Db, calls: &[Call], deadline: Option<Millis>, now: Millis) -> Result<i64> {
    let deadline = deadline.map(|deadline| deadline.0);
    let row = |call: &Call| RetryRow {
        id: Hex(call.id.0),
        attempts: call.attempts,
        status: call.status,
        at: now.0,
        deadline,
    };
    let rows: Vec<RetryRow> = calls.iter().map(row).collect();
    let mut tx = db.begin().await?;
    // Lanes wait meanwhile: they lock these calls and their queues too, and not always in this order.
    rule_lock::change(&mut tx).await?;
    let retried: HashSet<Uuid> =
        bulk::execute_returning(&mut tx, &RETRY, RetryRow::COLUMNS, &rows).await?.into_iter().collect();
    let (mut moves, mut events) = (Moves::default(), Vec::with_capacity(retried.len()));
    for call in calls.iter().filter(|call| retried.contains(&call.id.0)) {
        moves.moved(call.queue_id, &call.server_code, Some(call.status()?), CallStatus::Retrying)?;
        events.push(NewEvent {
            call: Some(call.id.into()),
            attempt: Some(call.attempts),
            status: Some(CallStatus::Retrying),
            outcome: call.outcome.map(Outcome::try_from).transpose()?,
            detail: Some("it is dialed again on request".to_owned()),
            ..NewEvent::of_queue(EventKind::Retrying, call.client_id, call.queue_id, now)
        });
    }
    moves.apply(&mut tx, now).await?;
    for queue in reopen(&mut tx, moves.queue_ids().collect()).await? {
        events.push(queues::queue_updated(&queue, "in-progress", now));
    }
    events::append(&mut tx, events).await?;
    tx.commit().await?;
    Ok(i64::try_from(retried.len()).unwrap_or(i64::MAX))
}

/// Reopens those of these queues that had completed by themselves, because some of their calls wait again.
pub(super) async fn reopen(tx: &mut Tx, queue_ids: BTreeSet<i64>) -> Result<Vec<Queue>> {
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(queues_table::table)
            .filter(queues_table::id.eq_any(queue_ids))
            .filter(queues_table::status.eq(QueueStatus::Completed.code()))
            .filter(queues_table::completed_by_client.eq(false))
            .set(queues_table::status.eq(QueueStatus::InProgress.code()))
            .returning(Queue::as_returning())
            .get_results(c)
            .await
    })?)
}
