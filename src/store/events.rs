//! The log of everything that happened; its `seq` is the cursor of every stream.

use std::collections::HashSet;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::bulk::{self, Hex, row};
use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::postgres::{EVENTS_CHANNEL, SEQ_LOCK};
use super::schema::call_events;
use super::types::Id;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::CallId;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// An event that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// When it happened.
    pub at: Millis,
    /// What happened.
    pub kind: EventKind,
    /// Whose it is.
    pub client_id: i64,
    /// In which queue.
    pub queue_id: i64,
    /// To which call.
    pub call: Option<CallId>,
    /// In which attempt, from 1.
    pub attempt: Option<i32>,
    /// The call's status after it.
    pub status: Option<CallStatus>,
    /// How the attempt ended.
    pub outcome: Option<Outcome>,
    /// Q.850.
    pub hangup_cause: Option<u8>,
    /// For people.
    pub detail: Option<String>,
    /// How many calls a batch brought.
    pub count: Option<i32>,
    /// Which batch.
    pub batch_id: Option<i64>,
}

impl NewEvent {
    /// An event of a whole queue.
    #[must_use]
    pub fn of_queue(kind: EventKind, client_id: i64, queue_id: i64, at: Millis) -> Self {
        Self {
            at,
            kind,
            client_id,
            queue_id,
            call: None,
            attempt: None,
            status: None,
            outcome: None,
            hangup_cause: None,
            detail: None,
            count: None,
            batch_id: None,
        }
    }
}

/// An event as it is stored. Codes are left as they are: streams only pass them on.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = call_events)]
pub struct Event {
    /// The cursor.
    pub seq: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    /// An [`EventKind`]'s code.
    pub kind: i16,
    /// Whose it is.
    pub client_id: i64,
    /// In which queue.
    pub queue_id: i64,
    /// To which call.
    pub call_id: Option<Id>,
    /// In which attempt.
    pub attempt: Option<i32>,
    /// A [`CallStatus`]'s code.
    pub status: Option<i16>,
    /// An [`Outcome`]'s code.
    pub outcome: Option<i16>,
    /// Q.850.
    pub hangup_cause: Option<i16>,
    /// For people.
    pub detail: Option<String>,
    /// How many calls a batch brought.
    pub count: Option<i32>,
    /// Which batch.
    pub batch_id: Option<i64>,
}

row! {
    struct Row {
        at: i64 = BigInt,
        kind: i16 = SmallInt,
        client_id: i64 = BigInt,
        queue_id: i64 = BigInt,
        call_id: Option<Hex> = Uuid,
        attempt: Option<i32> = Integer,
        status: Option<i16> = SmallInt,
        outcome: Option<i16> = SmallInt,
        hangup_cause: Option<i16> = SmallInt,
        detail: Option<String> = Text,
        count: Option<i32> = Integer,
        batch_id: Option<i64> = BigInt,
    }
}

/// Stores events in their order, as the last thing before the commit.
///
/// PostgreSQL: the numbers are taken under a lock that lasts to the commit, so that no reader can see a number while a
/// smaller one is still to come. SQLite has one writer, and so the same order by itself.
pub async fn append(tx: &mut Tx, events: Vec<NewEvent>) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    tx.tells();
    if let Conn::Postgres(conn) = &mut **tx {
        let lock = diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(SEQ_LOCK);
        lock.execute(&mut **conn).await?;
    }
    let rows: Vec<Row> = events.into_iter().map(row).collect();
    bulk::insert(tx, "call_events", Row::COLUMNS, &rows).await?;
    if let Conn::Postgres(conn) = &mut **tx {
        diesel::sql_query(format!("NOTIFY {EVENTS_CHANNEL}")).execute(&mut **conn).await?;
    }
    Ok(())
}

fn row(event: NewEvent) -> Row {
    Row {
        at: event.at.0,
        kind: event.kind as i16,
        client_id: event.client_id,
        queue_id: event.queue_id,
        call_id: event.call.map(|id| Hex(id.0)),
        attempt: event.attempt,
        status: event.status.map(CallStatus::code),
        outcome: event.outcome.map(Outcome::code),
        hangup_cause: event.hangup_cause.map(i16::from),
        detail: event.detail,
        count: event.count,
        batch_id: event.batch_id,
    }
}

/// Which events a reader wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only this client's; None is for administrators and for the server itself.
    pub client_id: Option<i64>,
    /// Only this queue's.
    pub queue_id: Option<i64>,
    /// Only this call's.
    pub call: Option<CallId>,
}

impl Filter {
    /// The event is wanted.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.client_id.is_none_or(|id| id == event.client_id)
            && self.queue_id.is_none_or(|id| id == event.queue_id)
            && self.call.is_none_or(|id| event.call_id == Some(id.into()))
    }
}

/// The next `limit` events behind `after`, of everybody.
pub async fn after(conn: &mut Conn, after: i64, limit: i64) -> Result<Vec<Event>> {
    Ok(with_conn!(conn, |c| {
        call_events::table
            .filter(call_events::seq.gt(after))
            .order(call_events::seq)
            .limit(limit)
            .select(Event::as_select())
            .load(c)
            .await
    })?)
}

/// What happened to one call of a client, in order; at most the first 1000.
pub async fn of_call(conn: &mut Conn, client_id: Option<i64>, call: CallId) -> Result<Vec<Event>> {
    let client = client_id;
    Ok(with_conn!(conn, |c| {
        let mut query = call_events::table.filter(call_events::call_id.eq(Id::from(call))).into_boxed();
        if let Some(client) = client {
            query = query.filter(call_events::client_id.eq(client));
        }
        query.order(call_events::seq).limit(1000).select(Event::as_select()).load(c).await
    })?)
}

/// Of these calls, those whose recording was begun, or tried in vain.
pub async fn recordings_begun(conn: &mut Conn, calls: &[CallId]) -> Result<HashSet<CallId>> {
    let ids: Vec<Id> = calls.iter().map(|call| (*call).into()).collect();
    let kinds = [EventKind::RecordingStarted as i16, EventKind::RecordingFailed as i16];
    let begun: Vec<Id> = with_conn!(conn, |c| {
        call_events::table
            .filter(call_events::call_id.eq_any(&ids).and(call_events::kind.eq_any(kinds)))
            .select(call_events::call_id.assume_not_null())
            .load(c)
            .await
    })?;
    Ok(begun.into_iter().map(CallId::from).collect())
}

/// The number of the last event there is; 0 while there is none. No event is ever deleted.
pub async fn last(conn: &mut Conn) -> Result<i64> {
    let last: Option<i64> =
        with_conn!(conn, |c| call_events::table.select(diesel::dsl::max(call_events::seq)).first(c).await)?;
    Ok(last.unwrap_or(0))
}
