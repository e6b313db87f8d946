//! Batches and quick calls: stored as a whole or not at all, and replayed when a client sends them again.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::call_terms;
use super::calls::{self, NewCall, Owner};
use super::counters::Moves;
use super::db::{Conn, Tx, with_conn};
use super::do_not_call;
use super::error::Result;
use super::events::{self, NewEvent};
use super::new_queues::{self, NewQueue};
use super::queues;
use super::schema::{batches, idempotency, queues as queues_table};
use super::types::Id;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::CallId;
use crate::domain::status::{Outcome, QueueKind, QueueStatus};
use crate::domain::time::Millis;

/// A batch as it is stored.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = batches)]
pub struct Batch {
    /// The client that the batch belongs to.
    pub client_id: i64,
    /// The number that the client gave the batch.
    pub batch_id: i64,
    /// The queue that holds the batch's calls.
    pub queue_id: i64,
    /// SHA-256 of the batch's content, used to recognise a replay.
    pub content_sha256: Vec<u8>,
    /// How many calls the batch has.
    pub inserted_count: i32,
    /// The warnings that were answered, as a JSON list.
    pub warnings: String,
    /// When the batch was stored, in milliseconds since 1970.
    pub created_at: i64,
    /// The position in the queue after which the batch's calls begin.
    pub position: i64,
}

/// A batch that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// The client that the batch belongs to.
    pub client_id: i64,
    /// The number that the client gave the batch.
    pub batch_id: i64,
    /// The queue that the calls are added to; None creates a new queue.
    pub queue_id: Option<i64>,
    /// What the new queue is like, if one is created.
    pub queue: NewQueue,
    /// SHA-256 of the parsed request, used to recognise a replay.
    pub content_sha256: [u8; 32],
    /// The batch's calls, in their order.
    pub calls: Vec<NewCall>,
    /// The warnings that are answered now, and again on a replay.
    pub warnings: Vec<String>,
}

/// The result of storing a batch.
#[derive(Clone, Debug)]
pub enum BatchResult {
    /// The batch was stored and is durable.
    Stored { queue_id: i64 },
    /// The same batch was stored before with the same content.
    Replayed { queue_id: i64, inserted_count: i32, warnings: Vec<String> },
    /// The client used the batch's number before, for other content.
    OtherContent { queue_id: i64 },
    /// The client has no queue with this id.
    NoSuchQueue,
    /// The client has completed the queue, so that it takes no more calls.
    QueueCompleted,
    /// The queue belongs to a quick call, and takes no other calls.
    QuickQueue,
}

/// A quick call that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewQuickCall {
    /// The client that the call belongs to.
    pub client_id: i64,
    /// The call to store.
    pub call: NewCall,
    /// The Idempotency-Key of the request, and the SHA-256 of its content.
    pub idempotency: Option<(String, [u8; 32])>,
}

/// The result of storing a quick call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuickResult {
    /// The call was stored and is durable.
    Stored { queue_id: i64 },
    /// The key was used before for a call with the same content.
    Replayed { call: CallId, queue_id: i64 },
    /// The key was used before for a call with other content.
    OtherContent,
}

/// How long an Idempotency-Key is remembered, in milliseconds.
const IDEMPOTENCY_MS: i64 = 24 * 60 * 60 * 1000;

/// Compares a batch with an earlier one of the same number. Returns None if there is no earlier one.
pub async fn replay(conn: &mut Conn, new: &NewBatch) -> Result<Option<BatchResult>> {
    earlier(conn, new.client_id, new.batch_id, || new.content_sha256).await
}

/// Compares a batch with an earlier one of the same number, before anything but the request is known. `content`
/// computes the SHA-256 of the request; it is called only if there is an earlier batch.
pub async fn earlier(
    conn: &mut Conn,
    client_id: i64,
    batch_id: i64,
    content: impl FnOnce() -> [u8; 32],
) -> Result<Option<BatchResult>> {
    let earlier: Option<Batch> = with_conn!(conn, |c| {
        batches::table.find((client_id, batch_id)).select(Batch::as_select()).first(c).await.optional()
    })?;
    let Some(earlier) = earlier else { return Ok(None) };
    let queue_id = earlier.queue_id;
    if earlier.content_sha256 != content() {
        return Ok(Some(BatchResult::OtherContent { queue_id }));
    }
    let warnings = serde_json::from_str(&earlier.warnings)?;
    Ok(Some(BatchResult::Replayed { queue_id, inserted_count: earlier.inserted_count, warnings }))
}

/// Stores a batch. Returns None if a batch of the same number is being stored at the same moment; then ask [`replay`]
/// again.
pub async fn insert(tx: &mut Tx, new: &NewBatch, now: Millis) -> Result<Option<BatchResult>> {
    let queue_id = match new.queue_id {
        None => new_queues::create_with(tx, new.client_id, QueueKind::Bulk, &new.queue, now).await?,
        Some(id) => id,
    };
    let position = match take_bulk_positions(tx, new.client_id, queue_id, new.calls.len(), now).await? {
        Positions::From(position) => position,
        Positions::NoSuchQueue => return Ok(Some(BatchResult::NoSuchQueue)),
        Positions::QueueCompleted => return Ok(Some(BatchResult::QueueCompleted)),
        Positions::QuickQueue => return Ok(Some(BatchResult::QuickQueue)),
    };
    let batch = Batch {
        client_id: new.client_id,
        batch_id: new.batch_id,
        queue_id,
        content_sha256: new.content_sha256.to_vec(),
        inserted_count: count(new.calls.len()),
        warnings: serde_json::to_string(&new.warnings)?,
        created_at: now.0,
        position,
    };
    let made = with_conn!(&mut **tx, |c| {
        diesel::insert_into(batches::table).values(&batch).on_conflict_do_nothing().execute(c).await
    })?;
    if made == 0 {
        return Ok(None);
    }
    let owner = Owner { client_id: new.client_id, queue_id, batch_id: Some(new.batch_id) };
    let inserted = NewEvent {
        count: Some(batch.inserted_count),
        batch_id: Some(new.batch_id),
        ..NewEvent::of_queue(EventKind::BatchInserted, new.client_id, queue_id, now)
    };
    store_calls(tx, owner, position, &new.calls, vec![inserted], now).await?;
    Ok(Some(BatchResult::Stored { queue_id }))
}

/// Stores a quick call in a queue of its own. Returns None if a call with the same key is being stored at the same
/// moment.
pub async fn insert_quick(tx: &mut Tx, new: &NewQuickCall, now: Millis) -> Result<Option<QuickResult>> {
    if let Some((key, content)) = &new.idempotency
        && let Some(earlier) = replay_quick(tx, new.client_id, key, content, now).await?
    {
        return Ok(Some(earlier));
    }
    let queue_id = new_queues::create(tx, new.client_id, QueueKind::Quick, now).await?;
    let (Positions::From(position), _) = take_positions(tx, new.client_id, queue_id, 1, now).await? else {
        return Ok(None);
    };
    if let Some((key, content)) = &new.idempotency {
        let made = with_conn!(&mut **tx, |c| {
            diesel::insert_into(idempotency::table)
                .values((
                    idempotency::client_id.eq(new.client_id),
                    idempotency::key.eq(key),
                    idempotency::content_sha256.eq(content.as_slice()),
                    idempotency::call_id.eq(Id::from(new.call.id)),
                    idempotency::queue_id.eq(queue_id),
                    idempotency::created_at.eq(now.0),
                ))
                .on_conflict_do_nothing()
                .execute(c)
                .await
        })?;
        if made == 0 {
            return Ok(None);
        }
    }
    let owner = Owner { client_id: new.client_id, queue_id, batch_id: None };
    let queued = NewEvent {
        call: Some(new.call.id),
        status: Some(new.call.status),
        ..NewEvent::of_queue(EventKind::Queued, new.client_id, queue_id, now)
    };
    store_calls(tx, owner, position, std::slice::from_ref(&new.call), vec![queued], now).await?;
    Ok(Some(QuickResult::Stored { queue_id }))
}

async fn replay_quick(
    tx: &mut Tx,
    client_id: i64,
    key: &str,
    content: &[u8; 32],
    now: Millis,
) -> Result<Option<QuickResult>> {
    with_conn!(&mut **tx, |c| {
        let old = idempotency::table.find((client_id, key)).filter(idempotency::created_at.lt(now.0 - IDEMPOTENCY_MS));
        diesel::delete(old).execute(c).await
    })?;
    earlier_quick(tx, client_id, key, content, now).await
}

/// Compares a quick call's `content` with the call that was stored for the same key. Returns None if there is no such
/// call, or if its key is no longer remembered.
pub async fn earlier_quick(
    conn: &mut Conn,
    client_id: i64,
    key: &str,
    content: &[u8; 32],
    now: Millis,
) -> Result<Option<QuickResult>> {
    let known = idempotency::created_at.ge(now.0 - IDEMPOTENCY_MS);
    let earlier: Option<(Vec<u8>, Id, i64)> = with_conn!(conn, |c| {
        idempotency::table
            .find((client_id, key))
            .filter(known)
            .select((idempotency::content_sha256, idempotency::call_id, idempotency::queue_id))
            .first(c)
            .await
            .optional()
    })?;
    Ok(earlier.map(|(earlier, call, queue_id)| {
        if earlier == content {
            QuickResult::Replayed { call: call.into(), queue_id }
        } else {
            QuickResult::OtherContent
        }
    }))
}

/// The position at which new calls are added to a queue, or why they are not.
pub(super) enum Positions {
    /// The calls are added after this position.
    From(i64),
    /// The client has no queue with this id.
    NoSuchQueue,
    /// The client has completed the queue.
    QueueCompleted,
    /// The queue belongs to a quick call.
    QuickQueue,
}

/// Reserves positions for `calls` new calls of a bulk queue, and reopens a queue that had completed by itself.
pub(super) async fn take_bulk_positions(
    tx: &mut Tx,
    client_id: i64,
    queue_id: i64,
    calls: usize,
    now: Millis,
) -> Result<Positions> {
    let (positions, kind) = take_positions(tx, client_id, queue_id, calls, now).await?;
    Ok(if kind == QueueKind::Quick.code() { Positions::QuickQueue } else { positions })
}

/// Reserves positions in a queue of any kind, and returns the queue's kind too.
async fn take_positions(
    tx: &mut Tx,
    client_id: i64,
    queue_id: i64,
    calls: usize,
    now: Millis,
) -> Result<(Positions, i16)> {
    let calls = i64::from(count(calls));
    // The row is locked from here on, so that batches take their positions one after the other.
    let taken: Option<(i64, i16, bool, i16)> = with_conn!(&mut **tx, |c| {
        diesel::update(queues_table::table.find(queue_id))
            .filter(queues_table::client_id.eq(client_id))
            .set((queues_table::total_calls.eq(queues_table::total_calls + calls), queues_table::updated_at.eq(now.0)))
            .returning((
                queues_table::total_calls,
                queues_table::status,
                queues_table::completed_by_client,
                queues_table::kind,
            ))
            .get_result(c)
            .await
            .optional()
    })?;
    let Some((total, status, by_client, kind)) = taken else {
        return Ok((Positions::NoSuchQueue, QueueKind::Bulk.code()));
    };
    if status == QueueStatus::Completed.code() {
        if by_client {
            return Ok((Positions::QueueCompleted, kind));
        }
        if calls > 0 {
            with_conn!(&mut **tx, |c| {
                diesel::update(queues_table::table.find(queue_id))
                    .set(queues_table::status.eq(QueueStatus::InProgress.code()))
                    .execute(c)
                    .await
            })?;
        }
    }
    Ok((Positions::From(total - calls), kind))
}

/// Stores calls after a position of their queue, together with these `events`.
pub(super) async fn store_calls(
    tx: &mut Tx,
    owner: Owner,
    position: i64,
    new: &[NewCall],
    mut events: Vec<NewEvent>,
    now: Millis,
) -> Result<()> {
    calls::insert(tx, owner, position, new, now).await?;
    call_terms::insert(tx, owner.client_id, new).await?;
    let mut moves = Moves::default();
    for call in new {
        moves.moved(owner.queue_id, &call.server_code, None, call.status)?;
        if let Some(outcome) = calls::ended_at_once(call.status) {
            events.push(NewEvent {
                call: Some(call.id),
                status: Some(call.status),
                outcome: Some(outcome),
                detail: (outcome == Outcome::Canceled).then(|| do_not_call::DETAIL.to_owned()),
                ..NewEvent::of_queue(EventKind::Ended, owner.client_id, owner.queue_id, now)
            });
        }
    }
    moves.apply(tx, now).await?;
    // A paused queue stays paused even if all of its calls have ended: the pause is for the calls that come next.
    if new.iter().any(|call| !call.status.waits()) {
        let paused = queues::is_paused(tx, owner.queue_id).await?;
        let ids: &[i64] = if paused { &[] } else { &[owner.queue_id] };
        events.extend(queues::complete_ended(tx, ids, now).await?);
    }
    events::append(tx, events).await
}

pub(super) fn count(calls: usize) -> i32 {
    i32::try_from(calls).unwrap_or(i32::MAX)
}
