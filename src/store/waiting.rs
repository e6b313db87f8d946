//! Waiting calls that are ended or moved many at a time: those of a queue that is canceled, and those of a server that is
//! removed.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;

use super::bulk::{self, Hex, row};
use super::call_terms;
use super::calls::Call;
use super::commands;
use super::counters::Moves;
use super::db::{Conn, Db, Tx, with_conn};
use super::error::Result;
use super::events::{self, NewEvent};
use super::queues;
use super::rule_lock;
use super::schema::{attempts, calls, clients, grants, queue_lanes, queues as queues_table};
use super::status_sql::{has_status, waits};
use super::types::Id;
use crate::domain::commit::CallRef;
use crate::domain::event_kind::EventKind;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// How many calls one transaction handles: few enough that other transactions do not wait long.
const AT_ONCE: i64 = 1000;

/// The event text of a call that ends because its queue was canceled.
const QUEUE_CANCELED: &str = "the queue was canceled";

/// The event text of a call that was canceled with others.
const CANCELED_TOGETHER: &str = "canceled together with other calls";

/// A waiting call, with the state in which it was read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = calls)]
struct Waiting {
    id: Id,
    client_id: i64,
    queue_id: i64,
    server_code: String,
    status: i16,
    attempts: i32,
}

row! {
    /// A change of a waiting call, which is made only if the call is still as it was read.
    struct ChangeRow {
        id: Hex = Uuid,
        attempts: i32 = Integer,
        status: i16 = SmallInt,
        at: i64 = BigInt,
        server_code: String = Text,
    }
}

const UNCHANGED: &str = "FROM {rows} AS u WHERE calls.id = u.id AND calls.attempts = u.attempts \
     AND calls.status = u.status RETURNING calls.id AS id";

impl Waiting {
    fn of(call: &Call) -> Self {
        let Call { id, client_id, queue_id, ref server_code, status, attempts, .. } = *call;
        Self { id, client_id, queue_id, server_code: server_code.clone(), status, attempts }
    }

    fn status(&self) -> Result<CallStatus> {
        Ok(CallStatus::try_from(self.status)?)
    }

    /// Makes an event of the call, which `server` places from then on.
    fn event(&self, kind: EventKind, server: &str, now: Millis) -> NewEvent {
        let event = NewEvent::of_queue(kind, self.client_id, self.queue_id, now);
        NewEvent { call: Some(self.id.into()), server: Some(server.to_owned()), ..event }
    }
}

/// Cancels all waiting calls of a queue that was canceled, and returns their number. It uses many transactions, because
/// there may be millions of calls, and stops if the queue is resumed meanwhile.
pub async fn cancel_queue(db: &Db, queue_id: i64, now: Millis) -> Result<i64> {
    let mut canceled = 0;
    for status in CallStatus::WAITING {
        loop {
            let mut tx = db.begin().await?;
            // Lanes wait meanwhile: they lock these calls and their queue too, and not always in this order.
            rule_lock::change(&mut tx).await?;
            if !is_canceled(&mut tx, queue_id).await? {
                tx.rollback().await?;
                return Ok(canceled);
            }
            let found: Vec<Waiting> = with_conn!(&mut *tx, |c| {
                calls::table
                    .filter(calls::queue_id.eq(queue_id))
                    .filter(has_status(*status))
                    .order(calls::position)
                    .limit(AT_ONCE)
                    .select(Waiting::as_select())
                    .load(c)
                    .await
            })?;
            if found.is_empty() {
                tx.rollback().await?;
                break;
            }
            canceled += cancel_found(&mut tx, &found, QUEUE_CANCELED, now).await?;
            tx.commit().await?;
        }
    }
    Ok(canceled)
}

/// Cancels those of these calls that still wait as they were read, in one transaction, and returns their number.
pub async fn cancel_calls(db: &Db, calls: &[Call], now: Millis) -> Result<i64> {
    let found: Vec<Waiting> = calls.iter().map(Waiting::of).collect();
    let mut tx = db.begin().await?;
    rule_lock::change(&mut tx).await?;
    let canceled = cancel_found(&mut tx, &found, CANCELED_TOGETHER, now).await?;
    tx.commit().await?;
    Ok(canceled)
}

/// Moves those of these calls to another server that still wait as they were read and whose clients have a grant for it, in
/// one transaction, and returns their number.
pub async fn move_calls(db: &Db, calls: &[Call], to: &str, now: Millis) -> Result<i64> {
    let mut tx = db.begin().await?;
    rule_lock::change(&mut tx).await?;
    let granted = granted(&mut tx, to).await?;
    let mut by_server: BTreeMap<&str, Vec<Waiting>> = BTreeMap::new();
    for call in calls.iter().filter(|call| granted.contains(&call.client_id) && call.server_code != to) {
        by_server.entry(&call.server_code).or_default().push(Waiting::of(call));
    }
    let mut moved = 0;
    for (from, found) in by_server {
        moved += move_found(&mut tx, &found, from, to, now).await?;
    }
    tx.commit().await?;
    Ok(moved)
}

/// Asks the lanes to hang up all live calls of a queue, and returns the number of these calls.
pub async fn hang_up_queue(db: &Db, queue_id: i64, now: Millis) -> Result<i64> {
    let live: Vec<Call> = with_conn!(&mut db.read().await?, |c| {
        let live = attempts::table.filter(attempts::ended_at.is_null()).select(attempts::call_id);
        calls::table
            // Not as a bare column: SQLite would then scan the whole queue instead of the few live attempts.
            .filter(diesel::dsl::sql::<Bool>("+calls.queue_id = ").bind::<diesel::sql_types::BigInt, _>(queue_id))
            .filter(calls::id.eq_any(live))
            .select(Call::as_select())
            .load(c)
            .await
    })?;
    commands::hang_up(db, &live, now).await
}

/// Within a lane's group commit, cancels those of these calls that wait again although their queue was canceled: their
/// attempts had begun before, and have failed or were withdrawn since.
pub(super) async fn cancel_returned(
    tx: &mut Tx,
    returned: &[CallRef],
    now: Millis,
    moves: &mut Moves,
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let of_queues: BTreeSet<i64> = returned.iter().map(|call| call.queue_id).collect();
    if of_queues.is_empty() {
        return Ok(());
    }
    let canceled: Vec<i64> = with_conn!(&mut **tx, |c| {
        queues_table::table
            .filter(queues_table::id.eq_any(of_queues).and(queues_table::canceled_at.is_not_null()))
            .select(queues_table::id)
            .load(c)
            .await
    })?;
    if canceled.is_empty() {
        return Ok(());
    }
    let ids: Vec<Id> =
        returned.iter().filter(|call| canceled.contains(&call.queue_id)).map(|call| call.id.into()).collect();
    let found: Vec<Waiting> = with_conn!(&mut **tx, |c| {
        calls::table.filter(calls::id.eq_any(&ids)).filter(waits()).select(Waiting::as_select()).load(c).await
    })?;
    cancel(tx, &found, QUEUE_CANCELED, now, moves, events).await?;
    Ok(())
}

/// Cancels all calls that wait for a server, in as many transactions as it needs, and returns their number. Calls that are
/// inserted meanwhile may be left.
pub async fn cancel_on_server(db: &Db, server: &str, now: Millis) -> Result<i64> {
    let why = format!("server {server} is being removed");
    let mut canceled = 0;
    for queue in queues_on(&mut db.read().await?, server).await? {
        while let Some((mut tx, found)) = next_on(db, server, queue).await? {
            canceled += cancel_found(&mut tx, &found, &why, now).await?;
            tx.commit().await?;
        }
    }
    Ok(canceled)
}

/// Moves all calls that wait for a server to another one, in as many transactions as it needs, and returns their number.
/// Calls that are inserted meanwhile may be left.
pub async fn move_to_server(db: &Db, server: &str, to: &str, now: Millis) -> Result<i64> {
    let mut moved = 0;
    for queue in queues_on(&mut db.read().await?, server).await? {
        while let Some((mut tx, found)) = next_on(db, server, queue).await? {
            moved += move_found(&mut tx, &found, server, to, now).await?;
            tx.commit().await?;
        }
    }
    Ok(moved)
}

/// Lists the names of the clients that have calls waiting for a server and no grant for another one, sorted.
pub async fn without_grant(conn: &mut Conn, server: &str, other: &str) -> Result<Vec<String>> {
    let waiting: Vec<(i64, String)> = with_conn!(conn, |c| {
        queue_lanes::table
            .inner_join(queues_table::table)
            .inner_join(clients::table.on(clients::id.eq(queues_table::client_id)))
            .filter(queue_lanes::server_code.eq(server).and(diesel::dsl::sql::<Bool>("queue_lanes.waiting > 0")))
            .order(clients::name)
            .select((clients::id, clients::name))
            .distinct()
            .load(c)
            .await
    })?;
    let granted = granted(conn, other).await?;
    Ok(waiting.into_iter().filter(|(id, _)| !granted.contains(id)).map(|(_, name)| name).collect())
}

/// Lists the clients that have a grant for a server.
pub async fn granted(conn: &mut Conn, server: &str) -> Result<Vec<i64>> {
    Ok(with_conn!(conn, |c| {
        grants::table.filter(grants::server_code.eq(server)).select(grants::client_id).load(c).await
    })?)
}

async fn is_canceled(tx: &mut Tx, queue_id: i64) -> Result<bool> {
    let canceled_at: Option<i64> = with_conn!(&mut **tx, |c| {
        queues_table::table.find(queue_id).select(queues_table::canceled_at).first(c).await
    })?;
    Ok(canceled_at.is_some())
}

/// Lists the queues that have calls waiting for a server.
async fn queues_on(conn: &mut Conn, server: &str) -> Result<Vec<i64>> {
    Ok(with_conn!(conn, |c| {
        queue_lanes::table
            .filter(queue_lanes::server_code.eq(server).and(diesel::dsl::sql::<Bool>("queue_lanes.waiting > 0")))
            .select(queue_lanes::queue_id)
            .load(c)
            .await
    })?)
}

/// Begins a transaction and reads the next calls of a queue that wait for a server. The order does not matter, because
/// none is left in the end. None if there are none.
async fn next_on(db: &Db, server: &str, queue_id: i64) -> Result<Option<(Tx, Vec<Waiting>)>> {
    let mut tx = db.begin().await?;
    rule_lock::change(&mut tx).await?;
    let found: Vec<Waiting> = with_conn!(&mut *tx, |c| {
        calls::table
            .filter(calls::server_code.eq(server).and(calls::queue_id.eq(queue_id)))
            .filter(waits())
            .limit(AT_ONCE)
            .select(Waiting::as_select())
            .load(c)
            .await
    })?;
    if found.is_empty() {
        tx.rollback().await?;
        return Ok(None);
    }
    Ok(Some((tx, found)))
}

/// Cancels calls with all that follows from it, and returns their number.
async fn cancel_found(tx: &mut Tx, found: &[Waiting], why: &str, now: Millis) -> Result<i64> {
    let (mut moves, mut events) = (Moves::default(), Vec::with_capacity(found.len()));
    let canceled = cancel(tx, found, why, now, &mut moves, &mut events).await?;
    moves.apply(tx, now).await?;
    let touched: Vec<i64> = moves.queue_ids().collect();
    events.extend(queues::complete_ended(tx, &touched, now).await?);
    events::append(tx, events).await?;
    Ok(canceled)
}

/// Cancels calls. The caller writes the counters' moves and the events.
async fn cancel(
    tx: &mut Tx,
    found: &[Waiting],
    why: &str,
    now: Millis,
    moves: &mut Moves,
    events: &mut Vec<NewEvent>,
) -> Result<i64> {
    let (status, outcome) = (CallStatus::Canceled.code(), Outcome::Canceled.code());
    let update = format!("UPDATE calls SET status = {status}, outcome = {outcome}, ended_at = u.at {UNCHANGED}");
    let changed = change(tx, &update, found, String::new(), now).await?;
    let mut canceled = 0;
    for call in found.iter().filter(|call| changed.contains(&call.id.0)) {
        moves.moved(call.queue_id, &call.server_code, Some(call.status()?), CallStatus::Canceled)?;
        events.push(NewEvent {
            status: Some(CallStatus::Canceled),
            outcome: Some(Outcome::Canceled),
            detail: Some(why.to_owned()),
            ..call.event(EventKind::Ended, &call.server_code, now)
        });
        canceled += 1;
    }
    Ok(canceled)
}

/// Moves calls from one server to another with all that follows from it, and returns their number.
async fn move_found(tx: &mut Tx, found: &[Waiting], from: &str, to: &str, now: Millis) -> Result<i64> {
    let update = format!("UPDATE calls SET server_code = u.server_code {UNCHANGED}");
    let changed = change(tx, &update, found, to.to_owned(), now).await?;
    let (mut moves, mut events) = (Moves::default(), Vec::with_capacity(found.len()));
    let mut moved = Vec::with_capacity(found.len());
    for call in found.iter().filter(|call| changed.contains(&call.id.0)) {
        let status = call.status()?;
        moves.relocated(call.queue_id, from, to, status);
        let detail = Some(format!("moved from server {from} to {to}"));
        events.push(NewEvent { status: Some(status), detail, ..call.event(EventKind::Note, to, now) });
        moved.push(call.id.0);
    }
    call_terms::move_server(tx, &moved, from, to).await?;
    moves.apply(tx, now).await?;
    events::append(tx, events).await?;
    Ok(i64::try_from(moved.len()).unwrap_or(i64::MAX))
}

/// Changes those of the calls that still are as they were read, and returns their ids.
async fn change(
    tx: &mut Tx,
    update: &str,
    found: &[Waiting],
    server_code: String,
    now: Millis,
) -> Result<HashSet<uuid::Uuid>> {
    let rows: Vec<ChangeRow> = found
        .iter()
        .map(|call| ChangeRow {
            id: Hex(call.id.0),
            attempts: call.attempts,
            status: call.status,
            at: now.0,
            server_code: server_code.clone(),
        })
        .collect();
    Ok(bulk::execute_returning(tx, update, ChangeRow::COLUMNS, &rows).await?.into_iter().collect())
}
