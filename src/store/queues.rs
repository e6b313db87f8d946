//! Queues: their rows and lists, and how they are created, changed and completed.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::events::NewEvent;
use super::page_start::PageStart;
use super::rule_lock;
use super::schema::{batches, clients, queue_labels, queues};
use crate::domain::event_facts::{EventFacts, QueueFacts};
use crate::domain::event_kind::EventKind;
use crate::domain::labels::Labels;
use crate::domain::retry::Retries;
use crate::domain::status::{CallStatus, QueueKind, QueueStatus};
use crate::domain::time::Millis;

/// A queue as it is stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = queues)]
pub struct Queue {
    /// The queue's id, from 1.
    pub id: i64,
    /// The client that the queue belongs to.
    pub client_id: i64,
    /// The code of a [`QueueKind`].
    pub kind: i16,
    /// The code of a [`QueueStatus`].
    pub status: i16,
    /// True if the client completed the queue; false if it completed by itself.
    pub completed_by_client: bool,
    /// Whether calls are tried again; None, as in a new queue, means true.
    pub retry: Option<bool>,
    /// How many further attempts `retry: true` grants.
    pub retry_count: Option<i32>,
    /// The time between two attempts, in seconds.
    pub retry_gap: i32,
    /// How many calls the queue was ever given.
    pub total_calls: i64,
    /// These ten fields count the queue's calls by their status.
    pub queued: i64,
    pub dialing: i64,
    pub ringing: i64,
    pub answered: i64,
    pub retrying: i64,
    pub completed: i64,
    pub failed: i64,
    pub expired: i64,
    pub canceled: i64,
    pub unknown: i64,
    /// When the queue was created, in milliseconds since 1970.
    pub created_at: i64,
    /// When the queue was last changed, in milliseconds since 1970.
    pub updated_at: i64,
    /// A list of [`RetryRule`](crate::domain::retry::RetryRule) as JSON.
    pub retry_rules: String,
    /// True if calls whose outcome is unknown are dialed again.
    pub at_least_once: bool,
    /// How many seconds a call may take; None if only other limits apply.
    pub max_call_seconds: Option<i32>,
    /// The queue's [`Labels`] as JSON.
    pub labels: String,
    /// The name that the client gave the queue.
    pub name: Option<String>,
    /// No call begins before this time, in milliseconds since 1970.
    pub start_at: Option<i64>,
    /// No call begins after this time, in milliseconds since 1970.
    pub end_at: Option<i64>,
    /// When the client canceled the queue, unless it resumed the queue afterwards.
    pub canceled_at: Option<i64>,
    /// When the client deleted the queue.
    pub deleted_at: Option<i64>,
}

impl Queue {
    /// Returns the labels that the client gave the queue. An error is a text that is no JSON.
    pub fn labels(&self) -> Result<Labels> {
        Ok(serde_json::from_str(&self.labels)?)
    }

    /// Returns how the queue's calls are tried again. An error is a rule that this version cannot read.
    pub fn retries(&self) -> Result<Retries> {
        Ok(Retries {
            retry: self.retry.unwrap_or(true),
            count: self.retry_count.unwrap_or(0),
            gap_seconds: self.retry_gap,
            rules: serde_json::from_str(&self.retry_rules)?,
            at_least_once: self.at_least_once,
        })
    }

    /// Returns how many of the queue's calls have this status.
    #[must_use]
    pub fn count(&self, status: CallStatus) -> i64 {
        match status {
            CallStatus::Queued => self.queued,
            CallStatus::Dialing => self.dialing,
            CallStatus::Ringing => self.ringing,
            CallStatus::Answered => self.answered,
            CallStatus::Retrying => self.retrying,
            CallStatus::Completed => self.completed,
            CallStatus::Failed => self.failed,
            CallStatus::Expired => self.expired,
            CallStatus::Canceled => self.canceled,
            CallStatus::Unknown => self.unknown,
        }
    }
}

/// A client's change of a queue. A field that is None stays as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueueUpdate {
    /// The new status, which pauses, resumes or completes the queue.
    pub status: Option<QueueStatus>,
    /// Whether calls are tried again; see [`Retries`].
    pub retry: Option<bool>,
    /// How many further attempts a call has; see [`Retries`].
    pub retry_count: Option<i32>,
    /// The time between two attempts, in seconds; see [`Retries`].
    pub retry_gap: Option<i32>,
}

impl QueueUpdate {
    /// Returns true if the update changes how many further attempts calls have, so that calls which have failed already
    /// may get one.
    #[must_use]
    pub fn changes_tries(&self) -> bool {
        self.retry.is_some() || self.retry_count.is_some()
    }

    /// Returns true if nothing is to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.status.is_none() && self.retry.is_none() && self.retry_count.is_none() && self.retry_gap.is_none()
    }
}

/// Which queues of a client are listed. A field that is None does not filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueFilter {
    /// Only queues of this kind.
    pub kind: Option<QueueKind>,
    /// Only queues with this status.
    pub status: Option<QueueStatus>,
    /// Only queues with this label, as `key:value`.
    pub label: Option<String>,
}

/// Makes the event that reports an update.
#[must_use]
pub fn updated(queue: &Queue, update: &QueueUpdate, now: Millis) -> NewEvent {
    let detail = match update.status {
        Some(QueueStatus::InProgress) => "in-progress",
        Some(QueueStatus::Paused) => "paused",
        Some(QueueStatus::Completed) => "completed",
        None => "retry rule",
    };
    queue_updated(queue, detail, now)
}

/// Makes an event that reports a change of a queue, with the queue as it is after it.
#[must_use]
pub fn queue_updated(queue: &Queue, detail: &str, now: Millis) -> NewEvent {
    let counts = std::array::from_fn(|index| queue.count(CallStatus::ALL[index]));
    let event = NewEvent::of_queue(EventKind::QueueUpdated, queue.client_id, queue.id, now);
    let facts = EventFacts { queue: Some(Box::new(QueueFacts { status: queue.status, counts })), ..event.facts };
    NewEvent { detail: Some(detail.to_owned()), facts, ..event }
}

/// Gives the first queue of an empty store this id, so that the numbers in the guide's examples are right.
pub async fn number_from(tx: &mut Tx, first: i64) -> Result<()> {
    let any: Option<i64> = with_conn!(&mut **tx, |c| queues::table.select(queues::id).first(c).await.optional())?;
    if any.is_some() {
        return Ok(());
    }
    match &mut **tx {
        Conn::Sqlite(c) => {
            let sequence = "INSERT INTO sqlite_sequence (name, seq) SELECT 'queues', $1 \
                 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'queues')";
            diesel::sql_query(sequence).bind::<BigInt, _>(first - 1).execute(&mut **c).await?;
        }
        Conn::Postgres(c) => {
            let sequence = "SELECT setval(pg_get_serial_sequence('queues', 'id'), $1, false)";
            diesel::sql_query(sequence).bind::<BigInt, _>(first).execute(&mut **c).await?;
        }
    }
    Ok(())
}

/// Reads one queue: of this client, or of any if it is None.
pub async fn get(conn: &mut Conn, client_id: impl Into<Option<i64>>, id: i64) -> Result<Option<Queue>> {
    let found: Option<Queue> =
        with_conn!(conn, |c| queues::table.find(id).select(Queue::as_select()).first(c).await.optional())?;
    let client_id = client_id.into();
    Ok(found.filter(|queue| client_id.is_none_or(|client_id| queue.client_id == client_id)))
}

/// Reads a page of the queues of all clients, newest first, and the number of queues on all pages.
/// The key of a page's start is the id of a queue.
pub async fn list_all(
    conn: &mut Conn,
    filter: QueueFilter,
    start: impl Into<PageStart>,
    limit: i64,
) -> Result<(Vec<Queue>, i64)> {
    let (offset, before) = match start.into() {
        PageStart::Offset(offset) => (offset, i64::MAX),
        PageStart::After(id) => (0, id),
    };
    /// The queues that pass the filter, as a query of either engine. They are searched by id, so that a page is read in
    /// the order of the primary key.
    macro_rules! queues {
        () => {{
            let mut query = queues::table.filter(queues::id.le(i64::MAX)).into_boxed();
            if let Some(kind) = filter.kind {
                query = query.filter(queues::kind.eq(kind.code()));
            }
            if let Some(status) = filter.status {
                query = query.filter(queues::status.eq(status.code()));
            }
            if let Some(label) = &filter.label {
                let labelled = queue_labels::table.filter(queue_labels::label.eq(label));
                query = query.filter(queues::id.eq_any(labelled.select(queue_labels::queue_id)));
            }
            query.filter(queues::deleted_at.is_null())
        }};
    }
    let page = with_conn!(conn, |c| {
        queues!()
            .filter(queues::id.lt(before))
            .order(queues::id.desc())
            .offset(offset)
            .limit(limit)
            .select(Queue::as_select())
            .load(c)
            .await
    })?;
    let count = if filter == QueueFilter::default() {
        let all = diesel::dsl::sql::<BigInt>("CAST(COALESCE(SUM(queues - deleted_queues), 0) AS BIGINT)");
        with_conn!(conn, |c| clients::table.select(all).first(c).await)?
    } else {
        with_conn!(conn, |c| queues!().count().get_result(c).await)?
    };
    Ok((page, count))
}

/// Returns the number of a client's queue among its queues; 0, which is before all of them, if the client has no such queue.
async fn number_of(conn: &mut Conn, client_id: i64, id: i64) -> Result<i64> {
    let number: Option<i64> = with_conn!(conn, |c| {
        let queue = queues::table.find(id).filter(queues::client_id.eq(client_id)).select(queues::number);
        queue.first(c).await.optional()
    })?;
    Ok(number.unwrap_or(0))
}

/// Reads a page of a client's queues, newest first, and the number of queues on all pages. The key of a page's start is the
/// id of a queue.
pub async fn list(
    conn: &mut Conn,
    client_id: i64,
    filter: QueueFilter,
    start: impl Into<PageStart>,
    limit: i64,
) -> Result<(Vec<Queue>, i64)> {
    let (offset, before) = match start.into() {
        PageStart::Offset(offset) => (offset, None),
        PageStart::After(id) => (0, Some(number_of(conn, client_id, id).await?)),
    };
    let of_client = clients::table.find(client_id).select((clients::queues, clients::deleted_queues));
    let (all, deleted): (i64, i64) = with_conn!(conn, |c| of_client.first(c).await)?;

    /// The client's queues that pass the filter, as a query of either engine. `+` keeps the planner from scanning all queues
    /// of the client for those with a label.
    macro_rules! queues_of {
        () => {{
            let mut query = queues::table.into_boxed();
            query = match &filter.label {
                Some(_) => query.filter(diesel::dsl::sql::<Bool>("+queues.client_id = ").bind::<BigInt, _>(client_id)),
                None => query.filter(queues::client_id.eq(client_id)),
            };
            if let Some(kind) = filter.kind {
                query = query.filter(queues::kind.eq(kind.code()));
            }
            if let Some(status) = filter.status {
                query = query.filter(queues::status.eq(status.code()));
            }
            if let Some(label) = &filter.label {
                let labelled = queue_labels::table
                    .filter(queue_labels::label.eq(label))
                    .filter(queue_labels::client_id.eq(client_id));
                query = query.filter(queues::id.eq_any(labelled.select(queue_labels::queue_id)));
            }
            // Left out if it would be true for all, so that filtered queues are counted in an index.
            if deleted > 0 {
                query = query.filter(queues::deleted_at.is_null());
            }
            query
        }};
    }
    if filter == QueueFilter::default() && deleted == 0 {
        // They are numbered without gaps, so the numbers show where a page begins.
        let newest = before.map_or(all.saturating_sub(offset), |before| before - 1);
        let page = with_conn!(conn, |c| {
            queues_of!()
                .filter(queues::number.le(newest).and(queues::number.gt(newest.saturating_sub(limit))))
                .order(queues::number.desc())
                .select(Queue::as_select())
                .load(c)
                .await
        })?;
        return Ok((page, all));
    }
    let page = with_conn!(conn, |c| {
        let mut query = queues_of!();
        if let Some(before) = before {
            query = query.filter(queues::number.lt(before));
        }
        query.order(queues::number.desc()).offset(offset).limit(limit).select(Queue::as_select()).load(c).await
    })?;
    let count = if filter == QueueFilter::default() {
        all - deleted
    } else {
        with_conn!(conn, |c| queues_of!().count().get_result(c).await)?
    };
    Ok((page, count))
}

/// Lists the batch ids of these queues in the order of insertion: at most the newest `limit` of each queue.
pub async fn batches_of(conn: &mut Conn, ids: &[i64], limit: usize) -> Result<Vec<(i64, Vec<i64>)>> {
    let mut of_queues = Vec::with_capacity(ids.len());
    for &id in ids {
        let mut of_queue: Vec<i64> = with_conn!(conn, |c| {
            batches::table
                .filter(batches::queue_id.eq(id))
                .order((batches::created_at.desc(), batches::batch_id.desc()))
                .limit(i64::try_from(limit).unwrap_or(i64::MAX))
                .select(batches::batch_id)
                .load(c)
                .await
        })?;
        of_queue.reverse();
        of_queues.push((id, of_queue));
    }
    Ok(of_queues)
}

/// Changes one queue, of this client or of any if it is None. Returns None if there is no such queue. It must be the transaction's first
/// write: the change holds from the commit on, so no lane may be in the middle of a commit.
pub async fn update(
    tx: &mut Tx,
    client_id: impl Into<Option<i64>>,
    id: i64,
    update: QueueUpdate,
    now: Millis,
) -> Result<Option<Queue>> {
    rule_lock::change(tx).await?;
    if get(tx, client_id, id).await?.is_none() {
        return Ok(None);
    }
    let by_client = update.status.map(|status| status == QueueStatus::Completed);
    // A queue that is paused or resumed is no longer canceled: calls that are live may be retried again.
    let is_kept = update.status.is_some_and(|status| status != QueueStatus::Completed);
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(queues::table.find(id))
            .set((
                update.status.map(|status| queues::status.eq(status.code())),
                by_client.map(|by_client| queues::completed_by_client.eq(by_client)),
                is_kept.then_some(queues::canceled_at.eq(None::<i64>)),
                update.retry.map(|retry| queues::retry.eq(retry)),
                update.retry_count.map(|count| queues::retry_count.eq(count)),
                update.retry_gap.map(|gap| queues::retry_gap.eq(gap)),
                queues::updated_at.eq(now.0),
            ))
            .returning(Queue::as_returning())
            .get_result(c)
            .await
            .optional()
    })?)
}

/// Completes a queue because its client cancels it, and returns the queue as it is then. None if there is no such queue.
/// Its calls are canceled afterwards, with [`waiting::cancel_queue`](super::waiting::cancel_queue). It must be the
/// transaction's first write.
pub async fn cancel(tx: &mut Tx, client_id: impl Into<Option<i64>>, id: i64, now: Millis) -> Result<Option<Queue>> {
    let completed = QueueUpdate { status: Some(QueueStatus::Completed), ..QueueUpdate::default() };
    if update(tx, client_id, id, completed, now).await?.is_none() {
        return Ok(None);
    }
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(queues::table.find(id))
            .set(queues::canceled_at.eq(now.0))
            .returning(Queue::as_returning())
            .get_result(c)
            .await
            .optional()
    })?)
}

/// Deletes a queue without open calls: completes it and leaves it out of lists. It must be the transaction's first write.
pub async fn delete(tx: &mut Tx, queue: &Queue, now: Millis) -> Result<Option<NewEvent>> {
    rule_lock::change(tx).await?;
    let is_open = queues::queued + queues::retrying + queues::dialing + queues::ringing + queues::answered;
    let deleted: Option<Queue> = with_conn!(&mut **tx, |c| {
        diesel::update(queues::table.find(queue.id))
            .filter(is_open.eq(0).and(queues::deleted_at.is_null()))
            .set((
                queues::status.eq(QueueStatus::Completed.code()),
                queues::completed_by_client.eq(true),
                queues::deleted_at.eq(now.0),
                queues::updated_at.eq(now.0),
            ))
            .returning(Queue::as_returning())
            .get_result(c)
            .await
            .optional()
    })?;
    let Some(deleted) = deleted else { return Ok(None) };
    with_conn!(&mut **tx, |c| {
        diesel::update(clients::table.find(queue.client_id))
            .set(clients::deleted_queues.eq(clients::deleted_queues + 1))
            .execute(c)
            .await
    })?;
    Ok(Some(queue_updated(&deleted, "deleted", now)))
}

/// Counts the calls of a client that wait for an attempt.
pub async fn waiting(conn: &mut Conn, client_id: i64) -> Result<i64> {
    // The SUM of BIGINTs is NUMERIC in PostgreSQL, and NULL if there is nothing to add up. The filter is written out,
    // so that the planner sees that the partial index fits.
    let total = "CAST(COALESCE(SUM(queued + retrying), 0) AS BIGINT)";
    Ok(with_conn!(conn, |c| {
        queues::table
            .filter(queues::client_id.eq(client_id))
            .filter(diesel::dsl::sql::<Bool>("queued + retrying > 0"))
            .select(diesel::dsl::sql::<BigInt>(total))
            .first(c)
            .await
    })?)
}

/// Counts the same exactly: another transaction that adds calls at this moment is waited for, or waits until this one
/// ends.
pub async fn waiting_exactly(tx: &mut Tx, client_id: i64) -> Result<i64> {
    with_conn!(&mut **tx, |c| {
        diesel::update(clients::table.find(client_id)).set(clients::queues.eq(clients::queues)).execute(c).await
    })?;
    waiting(tx, client_id).await
}

/// Returns true if a queue is paused.
pub(super) async fn is_paused(tx: &mut Tx, id: i64) -> Result<bool> {
    let status: i16 = with_conn!(&mut **tx, |c| queues::table.find(id).select(queues::status).first(c).await)?;
    Ok(status == QueueStatus::Paused.code())
}

/// Completes those of the queues whose calls have all ended, and returns the events that report it.
pub async fn complete_ended(tx: &mut Tx, ids: &[i64], now: Millis) -> Result<Vec<NewEvent>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ended: Vec<Queue> = with_conn!(&mut **tx, |c| {
        let waiting = queues::queued + queues::retrying;
        let live = queues::dialing + queues::ringing + queues::answered;
        diesel::update(queues::table)
            .filter(queues::id.eq_any(ids))
            .filter(queues::status.ne(QueueStatus::Completed.code()))
            .filter((waiting + live).eq(0))
            .set((queues::status.eq(QueueStatus::Completed.code()), queues::completed_by_client.eq(false)))
            .returning(Queue::as_returning())
            .get_results(c)
            .await
    })?;
    Ok(ended.iter().map(|queue| queue_updated(queue, "completed", now)).collect())
}
