//! Lists of a queue's calls. An unfiltered page costs the same at any depth, and a filtered one uses an index.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl;

use super::calls::Call;
use super::db::{Conn, with_conn};
use super::error::Result;
use super::page_start::PageStart;
use super::queues::Queue;
use super::schema::{attempts, batches, calls};
use super::status_sql::has_status;
use crate::domain::status::{CallStatus, Outcome};

/// Which calls of a queue are listed. A field that is None does not filter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallFilter<'a> {
    /// Only calls with this status.
    pub status: Option<CallStatus>,
    /// Only calls of this batch.
    pub batch_id: Option<i64>,
    /// Only calls whose last attempt ended with this outcome.
    pub outcome: Option<Outcome>,
    /// Only calls to one of these contact numbers; empty for all calls.
    pub contact_numbers: &'a [i64],
}

/// The calls after one position of their queue, up to and including another.
#[derive(Clone, Copy)]
struct Range {
    after: i64,
    up_to: i64,
}

/// Returns a page of a queue's calls, in the order of insertion, and the number of calls on all pages. The key of a page's
/// start is the position of a call.
pub async fn page(
    conn: &mut Conn,
    queue: &Queue,
    filter: CallFilter<'_>,
    start: impl Into<PageStart>,
    limit: i64,
) -> Result<(Vec<Call>, i64)> {
    let start = start.into();
    // The calls of a batch have consecutive positions.
    let range = match filter.batch_id {
        None => None,
        Some(batch_id) => match batch(conn, queue, batch_id).await? {
            None => return Ok((Vec::new(), 0)),
            range => range,
        },
    };
    if filter == (CallFilter { batch_id: filter.batch_id, ..CallFilter::default() }) {
        // Positions have no gaps, so they show where a page begins.
        let Range { after, up_to } = range.unwrap_or(Range { after: 0, up_to: queue.total_calls });
        let first = match start {
            PageStart::Offset(offset) => after.saturating_add(offset),
            PageStart::After(position) => position.max(after),
        };
        let page = Range { after: first, up_to: up_to.min(first.saturating_add(limit)) };
        return Ok((read(conn, queue, filter, Some(page), 0, limit).await?, up_to - after));
    }
    let counted = filter.status.filter(|_| filter == CallFilter { status: filter.status, ..CallFilter::default() });
    let count = match counted {
        Some(status) => queue.count(status),
        None => count(conn, queue, filter, range).await?,
    };
    let (offset, range) = match start {
        PageStart::Offset(offset) => (offset, range),
        PageStart::After(position) => {
            let Range { after, up_to } = range.unwrap_or(Range { after: 0, up_to: queue.total_calls });
            (0, Some(Range { after: position.max(after), up_to }))
        }
    };
    Ok((read(conn, queue, filter, range, offset, limit).await?, count))
}

/// Returns the range of positions that a batch has in the queue.
async fn batch(conn: &mut Conn, queue: &Queue, batch_id: i64) -> Result<Option<Range>> {
    let found: Option<(i64, i32)> = with_conn!(conn, |c| {
        batches::table
            .find((queue.client_id, batch_id))
            .filter(batches::queue_id.eq(queue.id))
            .select((batches::position, batches::inserted_count))
            .first(c)
            .await
            .optional()
    })?;
    Ok(found.map(|(after, calls)| Range { after, up_to: after + i64::from(calls) }))
}

/// The calls in a range, without an order, as a query of either engine. Live calls are few and found through their
/// attempts; `+` keeps the planner from scanning the whole queue for them.
macro_rules! calls_in {
    ($queue:expr, $filter:expr, $range:expr) => {{
        let filter = $filter;
        let mut query = calls::table.filter(calls::client_id.eq($queue.client_id)).into_boxed();
        // Left out if it would be true for all calls: SQLite would then prefer scanning by position to any index.
        if let Some(Range { after, up_to }) = $range {
            query = query.filter(calls::position.gt(after).and(calls::position.le(up_to)));
        }
        query = match filter.status {
            Some(status) if status.is_live() => {
                let live = attempts::table.filter(attempts::ended_at.is_null()).select(attempts::call_id);
                query
                    .filter(diesel::dsl::sql::<Bool>("+calls.queue_id = ").bind::<BigInt, _>($queue.id))
                    .filter(calls::status.eq(status.code()).and(calls::id.eq_any(live)))
            }
            Some(status) => query.filter(calls::queue_id.eq($queue.id)).filter(has_status(status)),
            None => query.filter(calls::queue_id.eq($queue.id)),
        };
        if let Some(outcome) = filter.outcome {
            query = query.filter(calls::outcome.eq(outcome.code()));
        }
        query = match filter.contact_numbers {
            [] => query,
            [number] => query.filter(calls::contact_number.eq(number)),
            numbers => query.filter(calls::contact_number.eq_any(numbers)),
        };
        query
    }};
}

async fn read(
    conn: &mut Conn,
    queue: &Queue,
    filter: CallFilter<'_>,
    range: Option<Range>,
    offset: i64,
    limit: i64,
) -> Result<Vec<Call>> {
    Ok(with_conn!(conn, |c| {
        calls_in!(queue, filter, range)
            .order(calls::position)
            .offset(offset)
            .limit(limit)
            .select(Call::as_select())
            .load(c)
            .await
    })?)
}

async fn count(conn: &mut Conn, queue: &Queue, filter: CallFilter<'_>, range: Option<Range>) -> Result<i64> {
    Ok(with_conn!(conn, |c| calls_in!(queue, filter, range).count().get_result(c).await)?)
}
