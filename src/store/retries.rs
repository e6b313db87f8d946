//! What a changed retry rule does to calls that have failed, or wait for a further try, already.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::counters::Moves;
use super::db::{Tx, with_conn};
use super::error::Result;
use super::events::{EventKind, NewEvent};
use super::queues::Queue;
use super::schema::{calls, queues};
use super::types::Id;
use crate::domain::status::{CallStatus, Outcome, QueueStatus};
use crate::domain::time::Millis;

/// What is told of a call that another rule moves.
type Moved = (Id, String, i32, Option<i16>);

/// Applies a queue's rule to its calls, and answers the events that tell of it.
pub async fn apply(tx: &mut Tx, queue: &Queue, now: Millis) -> Result<Vec<NewEvent>> {
    match queue.retry {
        Some(true) => revive(tx, queue, now).await,
        Some(false) => give_up(tx, queue, now).await,
        None => Ok(Vec::new()),
    }
}

/// Calls that failed in a retryable way, and may be tried again by now, are.
async fn revive(tx: &mut Tx, queue: &Queue, now: Millis) -> Result<Vec<NewEvent>> {
    let retryable: Vec<i16> =
        Outcome::ALL.iter().filter(|outcome| outcome.is_retryable()).map(|outcome| outcome.code()).collect();
    let count = queue.retry_count.unwrap_or(0);
    let gap = i64::from(queue.retry_gap) * 1000;
    let moved: Vec<Moved> = with_conn!(&mut **tx, |c| {
        diesel::update(calls::table)
            .filter(calls::queue_id.eq(queue.id).and(calls::status.eq(CallStatus::Failed.code())))
            .filter(calls::outcome.eq_any(&retryable).and(calls::ended_at.is_not_null()))
            .filter(calls::attempts.le(calls::max_retries).or(calls::attempts.le(count)))
            .set((
                calls::status.eq(CallStatus::Retrying.code()),
                calls::due_at.eq(calls::ended_at.assume_not_null() + gap),
                calls::ended_at.eq(None::<i64>),
            ))
            .returning((calls::id, calls::server_code, calls::attempts, calls::outcome))
            .get_results(c)
            .await
    })?;
    if !moved.is_empty() {
        // Its calls had all ended; now some have not.
        with_conn!(&mut **tx, |c| {
            diesel::update(queues::table.find(queue.id))
                .filter(queues::status.eq(QueueStatus::Completed.code()).and(queues::completed_by_client.eq(false)))
                .set(queues::status.eq(QueueStatus::InProgress.code()))
                .execute(c)
                .await
        })?;
    }
    tell(tx, queue, &moved, (CallStatus::Failed, CallStatus::Retrying), now).await
}

/// Calls that wait for a further try get none.
async fn give_up(tx: &mut Tx, queue: &Queue, now: Millis) -> Result<Vec<NewEvent>> {
    let moved: Vec<Moved> = with_conn!(&mut **tx, |c| {
        diesel::update(calls::table)
            .filter(calls::queue_id.eq(queue.id).and(calls::status.eq(CallStatus::Retrying.code())))
            .set((calls::status.eq(CallStatus::Failed.code()), calls::ended_at.eq(now.0)))
            .returning((calls::id, calls::server_code, calls::attempts, calls::outcome))
            .get_results(c)
            .await
    })?;
    tell(tx, queue, &moved, (CallStatus::Retrying, CallStatus::Failed), now).await
}

async fn tell(
    tx: &mut Tx,
    queue: &Queue,
    moved: &[Moved],
    (from, to): (CallStatus, CallStatus),
    now: Millis,
) -> Result<Vec<NewEvent>> {
    let kind = if to.has_ended() { EventKind::Ended } else { EventKind::Retrying };
    let mut moves = Moves::default();
    let mut events = Vec::with_capacity(moved.len());
    for (id, server, attempts, outcome) in moved {
        moves.moved(queue.id, server, Some(from), to);
        events.push(NewEvent {
            call: Some((*id).into()),
            attempt: Some(*attempts),
            status: Some(to),
            outcome: outcome.map(Outcome::try_from).transpose()?,
            detail: Some("the queue's retry rule was changed".to_owned()),
            ..NewEvent::of_queue(kind, queue.client_id, queue.id, now)
        });
    }
    moves.apply(tx, now).await?;
    Ok(events)
}
