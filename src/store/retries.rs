//! What a changed retry rule does to calls that have failed already, or wait for a further attempt.

use std::collections::{BTreeSet, HashSet};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::bulk::{self, Hex, row};
use super::counters::Moves;
use super::db::{Db, Tx, with_conn};
use super::error::Result;
use super::events::{self, NewEvent};
use super::queues::{self, Queue};
use super::retry_calls;
use super::rule_lock;
use super::schema::{calls, queues as queues_table};
use super::status_sql::has_status;
use super::types::Id;
use crate::domain::commit::CallRef;
use crate::domain::event_kind::EventKind;
use crate::domain::originate::OriginateSpec;
use crate::domain::retry::{EndedTry, OwnRetries, Retries, Tally};
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// How many calls one transaction handles: few enough that other transactions do not wait long.
const AT_ONCE: usize = 1000;

/// A call that a rule may move.
#[derive(Queryable, Selectable)]
#[diesel(table_name = calls)]
struct Candidate {
    id: Id,
    position: i64,
    server_code: String,
    attempts: i32,
    max_retries: i32,
    outcome: Option<i16>,
    spec: String,
    ended_at: Option<i64>,
    tally: i64,
}

/// A move of a call, as a rule demands it.
struct Move<'c> {
    call: &'c Candidate,
    outcome: Outcome,
    to: CallStatus,
    due: Option<Millis>,
}

row! {
    struct MoveRow {
        id: Hex = Uuid,
        attempts: i32 = Integer,
        status: i16 = SmallInt,
        due_at: Option<i64> = BigInt,
        ended_at: Option<i64> = BigInt,
    }
}

/// It moves a call only if it is unchanged since it was read: on PostgreSQL a lane may claim it in between.
const MOVE: &str = "UPDATE calls SET status = u.status, due_at = COALESCE(u.due_at, calls.due_at), \
     deadline = CASE WHEN u.due_at IS NOT NULL AND calls.deadline_is_default THEN NULL ELSE calls.deadline END, \
     ended_at = u.ended_at FROM {rows} AS u \
     WHERE calls.id = u.id AND calls.attempts = u.attempts AND calls.status = {from} RETURNING calls.id AS id";

/// Applies a queue's rule, as it was just set, to its calls. It uses many transactions, because there may be millions
/// of calls, and stops if the rule is changed again meanwhile; that change applies itself. `random` returns 0 to 1.
pub async fn apply(db: &Db, queue: &Queue, now: Millis, mut random: impl FnMut() -> f64) -> Result<()> {
    let retries = queue.retries()?;
    let statuses: &[CallStatus] = match (retries.retry, retries.at_least_once) {
        (true, true) => &[CallStatus::Failed, CallStatus::Unknown],
        (true, false) => &[CallStatus::Failed],
        (false, _) => &[CallStatus::Retrying],
    };
    for &from in statuses {
        let mut after = Some(0);
        while let Some(position) = after {
            let mut tx = db.begin().await?;
            // Lanes wait meanwhile: they lock these calls and their queue too, and not always in this order.
            rule_lock::change(&mut tx).await?;
            if current(&mut tx, queue).await? != Some(retries.clone()) {
                return Ok(());
            }
            let candidates = candidates(&mut tx, queue, from, position).await?;
            let mut moves = Vec::new();
            for call in &candidates {
                moves.extend(decide(call, &retries, now, random())?);
            }
            carry_out(&mut tx, queue, from, &moves, now).await?;
            tx.commit().await?;
            after = candidates.last().filter(|_| candidates.len() == AT_ONCE).map(|last| last.position);
        }
    }
    Ok(())
}

/// Reads the queue's present rule.
async fn current(tx: &mut Tx, queue: &Queue) -> Result<Option<Retries>> {
    queues::get(tx, queue.client_id, queue.id).await?.map(|queue| queue.retries()).transpose()
}

async fn candidates(tx: &mut Tx, queue: &Queue, status: CallStatus, after: i64) -> Result<Vec<Candidate>> {
    Ok(with_conn!(&mut **tx, |c| {
        calls::table
            .filter(calls::queue_id.eq(queue.id).and(calls::position.gt(after)))
            .filter(has_status(status))
            .order(calls::position)
            .limit(i64::try_from(AT_ONCE).unwrap_or(i64::MAX))
            .select(Candidate::as_select())
            .load(c)
            .await
    })?)
}

/// Decides how the rule moves a call. Returns None if it does not move it.
fn decide<'c>(call: &'c Candidate, retries: &Retries, now: Millis, random: f64) -> Result<Option<Move<'c>>> {
    let Some(outcome) = call.outcome.map(Outcome::try_from).transpose()? else { return Ok(None) };
    if !retries.retry {
        return Ok(Some(Move { call, outcome, to: outcome.final_status(), due: None }));
    }
    let spec: OriginateSpec = serde_json::from_str(&call.spec)?;
    let own = OwnRetries { count: call.max_retries, rules: &spec.retry_rules };
    let at = call.ended_at.map_or(now, Millis);
    let ended = EndedTry { outcome, number: call.attempts, tally: Tally(call.tally), at };
    let due = retries.next_try(own, ended, random);
    Ok(due.map(|due| Move { call, outcome, to: CallStatus::Retrying, due: Some(due) }))
}

/// Within a lane's group commit, ends those of these calls that wait for a further attempt although their queue grants
/// none any more. A lane decides by the rule that it read last, and [`apply`] may have passed these calls before the
/// lane's commit.
pub(super) async fn give_up(
    tx: &mut Tx,
    waiting: &[CallRef],
    now: Millis,
    counters: &mut Moves,
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let of_queues: BTreeSet<i64> = waiting.iter().map(|call| call.queue_id).collect();
    if of_queues.is_empty() {
        return Ok(());
    }
    let given_up: Vec<Queue> = with_conn!(&mut **tx, |c| {
        queues_table::table
            .filter(queues_table::id.eq_any(of_queues).and(queues_table::retry.eq(false)))
            .select(Queue::as_select())
            .load(c)
            .await
    })?;
    for queue in given_up {
        let retries = queue.retries()?;
        let of_queue = waiting.iter().filter(|call| call.queue_id == queue.id);
        let ids: Vec<Id> = of_queue.map(|call| call.id.into()).collect();
        let candidates: Vec<Candidate> = with_conn!(&mut **tx, |c| {
            calls::table
                .filter(calls::id.eq_any(&ids).and(calls::status.eq(CallStatus::Retrying.code())))
                .select(Candidate::as_select())
                .load(c)
                .await
        })?;
        let mut moves = Vec::new();
        for call in &candidates {
            moves.extend(decide(call, &retries, now, 0.0)?);
        }
        move_calls(tx, &queue, CallStatus::Retrying, &moves, now, counters, events).await?;
    }
    Ok(())
}

async fn carry_out(tx: &mut Tx, queue: &Queue, from: CallStatus, moves: &[Move<'_>], now: Millis) -> Result<()> {
    let (mut counters, mut events) = (Moves::default(), Vec::with_capacity(moves.len()));
    move_calls(tx, queue, from, moves, now, &mut counters, &mut events).await?;
    if events.is_empty() {
        return Ok(());
    }
    counters.apply(tx, now).await?;
    if from.has_ended() {
        let reopened = retry_calls::reopen(tx, [queue.id].into()).await?;
        events.extend(reopened.iter().map(|queue| queues::queue_updated(queue, "in-progress", now)));
    } else {
        events.extend(queues::complete_ended(tx, &[queue.id], now).await?);
    }
    events::append(tx, events).await
}

/// Moves the calls. The caller writes the counters' moves and the events.
async fn move_calls(
    tx: &mut Tx,
    queue: &Queue,
    from: CallStatus,
    moves: &[Move<'_>],
    now: Millis,
    counters: &mut Moves,
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let rows: Vec<MoveRow> = moves
        .iter()
        .map(|one| MoveRow {
            id: Hex(one.call.id.0),
            attempts: one.call.attempts,
            status: one.to.code(),
            due_at: one.due.map(|due| due.0),
            ended_at: one.to.has_ended().then_some(now.0),
        })
        .collect();
    let statement = MOVE.replace("{from}", &from.code().to_string());
    let moved = bulk::execute_returning(tx, &statement, MoveRow::COLUMNS, &rows).await?;
    let moved: HashSet<uuid::Uuid> = moved.into_iter().collect();
    for one in moves.iter().filter(|one| moved.contains(&one.call.id.0)) {
        counters.moved(queue.id, &one.call.server_code, Some(from), one.to)?;
        let kind = if one.to.has_ended() { EventKind::Ended } else { EventKind::Retrying };
        events.push(NewEvent {
            call: Some(one.call.id.into()),
            attempt: Some(one.call.attempts),
            status: Some(one.to),
            outcome: Some(one.outcome),
            detail: Some("the queue's retry rule was changed".to_owned()),
            ..NewEvent::of_queue(kind, queue.client_id, queue.id, now)
        });
    }
    Ok(())
}
