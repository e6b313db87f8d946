//! Streams of items: how far each one is stored, in the same transaction as the items themselves.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::batches::{self, Positions};
use super::calls::{NewCall, Owner};
use super::db::{Tx, with_conn};
use super::error::Result;
use super::events::NewEvent;
use super::new_queues::{self, NewQueue};
use super::schema::item_streams;
use crate::domain::event_kind::EventKind;
use crate::domain::status::QueueKind;
use crate::domain::time::Millis;

/// The number of the connection that began a stream.
pub const FIRST: i64 = 1;

/// A stream, as one of its connections uses it. Only the connection that began last may add items, so that a client
/// need not wait until the server has noticed that an older connection broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemStream {
    /// The client that the stream belongs to.
    pub client_id: i64,
    /// The name that the client gave the stream.
    pub stream_id: String,
    /// The queue that the items are added to.
    pub queue_id: i64,
    /// How many items are durable.
    pub stored: i64,
    /// The number of this connection to the stream, from 1.
    pub connection: i64,
}

/// The result of beginning a stream, or of adding items to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamResult {
    /// The stream goes on.
    Open(ItemStream),
    /// The stream belongs to another queue.
    OtherQueue { queue_id: i64 },
    /// The client has no queue with this id.
    NoSuchQueue,
    /// The client has completed the queue.
    QueueCompleted,
    /// The queue belongs to a quick call.
    QuickQueue,
    /// Another connection has taken the stream over.
    TakenOver,
}

/// Begins a stream in `queue_id`, or in a `new` queue if that is None; or takes over a stream that exists already.
/// Returns None if a stream of the same name is being begun at the same moment; then begin again.
pub async fn begin(
    tx: &mut Tx,
    client_id: i64,
    stream_id: &str,
    queue_id: Option<i64>,
    new: &NewQueue,
    now: Millis,
) -> Result<Option<StreamResult>> {
    if let Some(known) = take_over(tx, client_id, stream_id, now).await? {
        return Ok(Some(match queue_id {
            Some(asked) if asked != known.queue_id => StreamResult::OtherQueue { queue_id: known.queue_id },
            _ => StreamResult::Open(known),
        }));
    }
    let queue_id = match queue_id {
        None => new_queues::create_with(tx, client_id, QueueKind::Bulk, new, now).await?,
        Some(id) => match batches::take_bulk_positions(tx, client_id, id, 0, now).await? {
            Positions::From(_) => id,
            Positions::NoSuchQueue => return Ok(Some(StreamResult::NoSuchQueue)),
            Positions::QueueCompleted => return Ok(Some(StreamResult::QueueCompleted)),
            Positions::QuickQueue => return Ok(Some(StreamResult::QuickQueue)),
        },
    };
    let stream = ItemStream { client_id, stream_id: stream_id.to_owned(), queue_id, stored: 0, connection: FIRST };
    let made = with_conn!(&mut **tx, |c| {
        diesel::insert_into(item_streams::table)
            .values((
                item_streams::client_id.eq(client_id),
                item_streams::stream_id.eq(stream_id),
                item_streams::queue_id.eq(queue_id),
                item_streams::stored.eq(0),
                item_streams::connection.eq(stream.connection),
                item_streams::created_at.eq(now.0),
                item_streams::updated_at.eq(now.0),
            ))
            .on_conflict_do_nothing()
            .execute(c)
            .await
    })?;
    Ok((made > 0).then_some(StreamResult::Open(stream)))
}

async fn take_over(tx: &mut Tx, client_id: i64, stream_id: &str, now: Millis) -> Result<Option<ItemStream>> {
    let known: Option<(i64, i64, i64)> = with_conn!(&mut **tx, |c| {
        diesel::update(item_streams::table.find((client_id, stream_id)))
            .set((item_streams::connection.eq(item_streams::connection + 1), item_streams::updated_at.eq(now.0)))
            .returning((item_streams::queue_id, item_streams::stored, item_streams::connection))
            .get_result(c)
            .await
            .optional()
    })?;
    Ok(known.map(|(queue_id, stored, connection)| ItemStream {
        client_id,
        stream_id: stream_id.to_owned(),
        queue_id,
        stored,
        connection,
    }))
}

/// Stores the next items of a stream, with one event, and returns the stream as it is then.
pub async fn append(tx: &mut Tx, stream: &ItemStream, new: &[NewCall], now: Millis) -> Result<StreamResult> {
    let count = batches::count(new.len());
    // Compared with what this connection knows, so that nothing is stored twice and nothing is left out.
    let still_ours = with_conn!(&mut **tx, |c| {
        diesel::update(item_streams::table.find((stream.client_id, &stream.stream_id)))
            .filter(item_streams::connection.eq(stream.connection).and(item_streams::stored.eq(stream.stored)))
            .set((item_streams::stored.eq(stream.stored + i64::from(count)), item_streams::updated_at.eq(now.0)))
            .execute(c)
            .await
    })?;
    if still_ours == 0 {
        return Ok(StreamResult::TakenOver);
    }
    let (client_id, queue_id) = (stream.client_id, stream.queue_id);
    let position = match batches::take_bulk_positions(tx, client_id, queue_id, new.len(), now).await? {
        Positions::From(position) => position,
        Positions::NoSuchQueue => return Ok(StreamResult::NoSuchQueue),
        Positions::QueueCompleted => return Ok(StreamResult::QueueCompleted),
        Positions::QuickQueue => return Ok(StreamResult::QuickQueue),
    };
    let inserted =
        NewEvent { count: Some(count), ..NewEvent::of_queue(EventKind::BatchInserted, client_id, queue_id, now) };
    let owner = Owner { client_id, queue_id, batch_id: None };
    batches::store_calls(tx, owner, position, new, vec![inserted], now).await?;
    Ok(StreamResult::Open(ItemStream { stored: stream.stored + i64::from(count), ..stream.clone() }))
}
