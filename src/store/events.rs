//! The log of all events. An event's `seq` is the cursor of every stream.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use serde::Deserialize;

use super::bulk::{self, Hex, row};
use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::postgres::{EVENTS_CHANNEL, SEQ_LOCK};
use super::schema::{call_events, calls};
use super::types::{Facts, Id};
use crate::domain::event_facts::EventFacts;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::CallId;
use crate::domain::labels::Labels;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// How many calls are looked up at once for their events.
const LOOKUP: usize = 1000;

/// An event that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// When the event happened.
    pub at: Millis,
    /// The kind of event.
    pub kind: EventKind,
    /// The client that the event belongs to.
    pub client_id: i64,
    /// The queue in which it happened.
    pub queue_id: i64,
    /// The call that it happened to, if it concerns one call.
    pub call: Option<CallId>,
    /// The number of the attempt, from 1.
    pub attempt: Option<i32>,
    /// The call's status after the event.
    pub status: Option<CallStatus>,
    /// How the attempt ended.
    pub outcome: Option<Outcome>,
    /// The Q.850 cause of the hangup.
    pub hangup_cause: Option<u8>,
    /// More about it, as a text for people.
    pub detail: Option<String>,
    /// How many calls a batch brought.
    pub count: Option<i32>,
    /// The number of the batch.
    pub batch_id: Option<i64>,
    /// The server that places the call; None if the event concerns a whole queue, or if [`append`] is to look it up.
    pub server: Option<String>,
    /// What else the event says. [`append`] looks up what the first and the last event of a call lack.
    pub facts: EventFacts,
}

impl NewEvent {
    /// Makes an event that concerns a whole queue.
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
            server: None,
            facts: EventFacts::default(),
        }
    }

    /// Returns true if the store has to be asked for something that the event says about its call.
    fn is_incomplete(&self) -> bool {
        let describes = matches!(self.kind, EventKind::Queued | EventKind::Dialing | EventKind::Ended);
        self.call.is_some() && (self.server.is_none() || describes && self.facts.channel.is_none())
    }
}

/// An event as it is stored. Codes are not converted, because streams only pass them on.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = call_events)]
pub struct Event {
    /// The event's number, which is the cursor of streams.
    pub seq: i64,
    /// When the event happened, in milliseconds since 1970.
    pub at: i64,
    /// The code of an [`EventKind`].
    pub kind: i16,
    /// The client that the event belongs to.
    pub client_id: i64,
    /// The queue in which it happened.
    pub queue_id: i64,
    /// The call that it happened to, if it concerns one call.
    pub call_id: Option<Id>,
    /// The number of the attempt, from 1.
    pub attempt: Option<i32>,
    /// The code of a [`CallStatus`].
    pub status: Option<i16>,
    /// The code of an [`Outcome`].
    pub outcome: Option<i16>,
    /// The Q.850 cause of the hangup.
    pub hangup_cause: Option<i16>,
    /// More about it, as a text for people.
    pub detail: Option<String>,
    /// How many calls a batch brought.
    pub count: Option<i32>,
    /// The number of the batch.
    pub batch_id: Option<i64>,
    /// The server that places the call. It is None in an event of a whole queue, and in one of an earlier version.
    pub server_code: Option<String>,
    /// What else the event says.
    pub facts: Option<Facts>,
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
        server_code: Option<String> = Text,
        facts: Option<String> = Text,
    }
}

/// The part of an [`OriginateSpec`](crate::domain::originate::OriginateSpec) that events say.
#[derive(Deserialize)]
struct Dialed {
    channel: String,
    #[serde(default)]
    labels: Labels,
}

/// Stores events in their order, as the last thing before the commit.
///
/// PostgreSQL takes the numbers under a lock that lasts until the commit, so that no reader can see a number while a
/// smaller one is still to be committed. SQLite has one writer, and so keeps the same order by itself.
///
/// The events of a lane say everything already. For others, what they lack is read with one query, if they lack anything.
pub async fn append(tx: &mut Tx, mut events: Vec<NewEvent>) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    tx.note_events();
    complete(tx, &mut events).await?;
    if let Conn::Postgres(conn) = &mut **tx {
        let lock = diesel::sql_query("SELECT pg_advisory_xact_lock($1)").bind::<BigInt, _>(SEQ_LOCK);
        lock.execute(&mut **conn).await?;
    }
    let rows: Vec<Row> = events.into_iter().map(row).collect::<Result<_>>()?;
    bulk::insert(tx, "call_events", Row::COLUMNS, &rows).await?;
    if let Conn::Postgres(conn) = &mut **tx {
        diesel::sql_query(format!("NOTIFY {EVENTS_CHANNEL}")).execute(&mut **conn).await?;
    }
    Ok(())
}

/// Reads what events say about their calls from the rows of these calls.
async fn complete(tx: &mut Tx, events: &mut [NewEvent]) -> Result<()> {
    let incomplete = events.iter().filter(|event| event.is_incomplete());
    let ids: HashSet<Id> = incomplete.filter_map(|event| event.call.map(Id::from)).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut known = HashMap::with_capacity(ids.len());
    for ids in ids.into_iter().collect::<Vec<_>>().chunks(LOOKUP) {
        let read: Vec<(Id, String, Option<i64>, String)> = with_conn!(&mut **tx, |c| {
            let found = calls::table.filter(calls::id.eq_any(ids));
            found.select((calls::id, calls::server_code, calls::contact_number, calls::spec)).load(c).await
        })?;
        known.extend(read.into_iter().map(|(id, server, number, spec)| (CallId::from(id), (server, number, spec))));
    }
    for event in events.iter_mut().filter(|event| event.is_incomplete()) {
        let Some((server, contact_number, spec)) = event.call.and_then(|call| known.get(&call)) else { continue };
        event.server.get_or_insert_with(|| server.clone());
        if event.is_incomplete() {
            let Dialed { channel, labels } = serde_json::from_str(spec)?;
            event.facts.contact_number = *contact_number;
            event.facts.channel = Some(channel);
            let is_first =
                event.kind == EventKind::Queued || event.kind == EventKind::Dialing && event.attempt == Some(1);
            if is_first {
                event.facts.labels = labels;
            }
        }
    }
    Ok(())
}

fn row(event: NewEvent) -> Result<Row> {
    let facts = Some(event.facts).filter(|facts| !facts.is_empty());
    Ok(Row {
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
        server_code: event.server,
        facts: facts.map(|facts| serde_json::to_string(&facts)).transpose()?,
    })
}

/// Which events a reader wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only events of this client; None is for administrators and for the server itself.
    pub client_id: Option<i64>,
    /// Only events of these queues; of all if it is empty.
    pub queues: Vec<i64>,
    /// Only events of this call.
    pub call: Option<CallId>,
    /// Only events of calls that this server places.
    pub server: Option<String>,
    /// Only events of the kinds with these codes; of all if it is empty.
    pub kinds: Vec<i16>,
    /// Only events of calls with this label, as `key:value`.
    pub label: Option<String>,
}

impl Filter {
    /// Returns true if the reader wants the event, as far as the event shows it: whether its call has the label is in
    /// the [terms](super::call_terms) of the call.
    #[must_use]
    pub fn wants(&self, event: &Event) -> bool {
        self.client_id.is_none_or(|id| id == event.client_id)
            && (self.queues.is_empty() || self.queues.contains(&event.queue_id))
            && self.call.is_none_or(|id| event.call_id == Some(id.into()))
            && (self.server.is_none() || self.server == event.server_code)
            && (self.kinds.is_empty() || self.kinds.contains(&event.kind))
            && (self.label.is_none() || event.call_id.is_some())
    }
}

/// Reads the next `limit` events after the number `after`, of all clients.
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

/// Reads the events with these numbers, in order.
pub async fn numbered(conn: &mut Conn, seqs: &[i64]) -> Result<Vec<Event>> {
    Ok(with_conn!(conn, |c| {
        let events = call_events::table.filter(call_events::seq.eq_any(seqs));
        events.order(call_events::seq).select(Event::as_select()).load(c).await
    })?)
}

/// Reads what happened to one call, in order: at most the first 1000 events. With a `client_id`, reads only events of
/// that client.
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

/// Returns those of the calls whose recording was started, or could not be started.
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

/// Returns the number of the last event; 0 if there is none. No event is ever deleted.
pub async fn last(conn: &mut Conn) -> Result<i64> {
    let last: Option<i64> =
        with_conn!(conn, |c| call_events::table.select(diesel::dsl::max(call_events::seq)).first(c).await)?;
    Ok(last.unwrap_or(0))
}
