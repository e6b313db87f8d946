//! The group commit of a lane: claims, changes, counters and events of many calls in one transaction.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::brakes;
use super::bulk::{self, Hex, row};
use super::client_days;
use super::commands;
use super::counters::Moves;
use super::db::{Db, Tx, with_conn};
use super::destinations;
use super::do_not_call;
use super::error::Result;
use super::events::{self, NewEvent};
use super::leases::{self, GroupState};
use super::notes;
use super::queues;
use super::refusals;
use super::retries;
use super::rule_lock;
use super::schema::attempts;
use super::status_sql::WAITS;
use super::types::Id;
use super::waiting;
use crate::domain::commit::{CallDetails, CallRef, Change, Claim, Expiry, Group, What, Withdrawal};
use crate::domain::destination::Destination;
use crate::domain::event_facts::EventFacts;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::CallId;
use crate::domain::retry::Tally;
use crate::domain::status::{CallStatus, Outcome, QueueStatus};
use crate::domain::time::Millis;

row! {
    struct ClaimRow {
        id: Hex = Uuid,
        number: i32 = Integer,
        channel_id: String = Text,
        at: i64 = BigInt,
        server_code: String = Text,
        due_at: i64 = BigInt,
        deadline: Option<i64> = BigInt,
        max_retries: i32 = Integer,
    }
}

row! {
    /// A number that a claimed call would reach.
    struct NumberRow {
        id: Hex = Uuid,
        client_id: i64 = BigInt,
        number: String = Text,
    }
}

row! {
    /// How often a number that a claimed call would ring may be called on a day.
    struct LimitRow {
        id: Hex = Uuid,
        client_id: i64 = BigInt,
        number: String = Text,
        day: i32 = Integer,
        day_limit: i32 = Integer,
    }
}

row! {
    struct ExpiryRow {
        id: Hex = Uuid,
        at: i64 = BigInt,
        server_code: String = Text,
    }
}

row! {
    struct AttemptRow {
        id: Hex = Uuid,
        call_id: Hex = Uuid,
        number: i32 = Integer,
        epoch: i64 = BigInt,
        server_code: String = Text,
        channel_id: String = Text,
        started_at: i64 = BigInt,
    }
}

row! {
    struct WithdrawnRow {
        attempt_id: Hex = Uuid,
        call_id: Hex = Uuid,
        status: i16 = SmallInt,
        attempts: i32 = Integer,
        due_at: Option<i64> = BigInt,
    }
}

row! {
    /// All that a group changes of one live call. A column that is absent stays as it is.
    struct ChangeRow {
        attempt_id: Hex = Uuid,
        call_id: Hex = Uuid,
        status: Option<i16> = SmallInt,
        ringing_at: Option<i64> = BigInt,
        answered_at: Option<i64> = BigInt,
        ended_at: Option<i64> = BigInt,
        outcome: Option<i16> = SmallInt,
        hangup_cause: Option<i16> = SmallInt,
        billable_seconds: Option<i32> = Integer,
        due_at: Option<i64> = BigInt,
        tally: i64 = BigInt,
        over: bool = Bool,
    }
}

/// `attempts` makes a claim depend on the state that was read: a call that was tried in between is read again first. So
/// do `server_code`, because a call that was moved belongs to another lane, and what a client may have changed since. The queue must be in progress, and the claim must lie
/// between the queue's start and its end.
static CLAIM: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE calls SET status = {dialing}, attempts = u.number, channel_id = u.channel_id, \
         started_at = u.at, answered_at = NULL, ended_at = NULL, billable_seconds = NULL, another_day = FALSE, \
         braked = FALSE \
         FROM {{rows}} AS u WHERE calls.id = u.id AND {waits} AND calls.attempts = u.number - 1 \
         AND calls.server_code = u.server_code AND calls.due_at = u.due_at AND calls.max_retries = u.max_retries \
         AND calls.deadline IS NOT DISTINCT FROM u.deadline \
         AND (SELECT queues.status FROM queues WHERE queues.id = calls.queue_id \
         AND (queues.start_at IS NULL OR queues.start_at <= u.at) \
         AND (queues.end_at IS NULL OR queues.end_at > u.at)) = {in_progress} \
         AND NOT EXISTS (SELECT 1 FROM settings WHERE settings.name = 'kill_switch' \
         AND settings.value LIKE '{{\"engaged\":true%') \
         RETURNING calls.id AS id",
        dialing = CallStatus::Dialing.code(),
        waits = *WAITS,
        in_progress = QueueStatus::InProgress.code(),
    )
});

const LISTED: &str = "SELECT DISTINCT u.id AS id FROM {rows} AS u WHERE EXISTS (SELECT 1 FROM do_not_call AS d \
     WHERE d.client_id IN (0, u.client_id) AND d.number = u.number)";

const USED_UP: &str = "SELECT DISTINCT u.id AS id FROM {rows} AS u WHERE (SELECT d.calls FROM destination_days AS d \
     WHERE d.client_id = u.client_id AND d.number = u.number AND d.day = u.day) >= u.day_limit";

static EXPIRE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE calls SET status = {expired}, outcome = {outcome}, ended_at = u.at \
         FROM {{rows}} AS u WHERE calls.id = u.id AND {waits} AND calls.server_code = u.server_code \
         RETURNING calls.id AS id",
        expired = CallStatus::Expired.code(),
        outcome = Outcome::Expired.code(),
        waits = *WAITS,
    )
});

static WITHDRAW_CALLS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE calls SET status = u.status, attempts = u.attempts, started_at = NULL, \
         due_at = COALESCE(u.due_at, calls.due_at) \
         FROM {{rows}} AS u WHERE calls.id = u.call_id AND calls.status = {dialing}",
        dialing = CallStatus::Dialing.code(),
    )
});

const WITHDRAW_ATTEMPTS: &str = "DELETE FROM attempts WHERE id IN (SELECT attempt_id FROM {rows} AS u)";

const CHANGE_CALLS: &str = "UPDATE calls SET status = COALESCE(u.status, calls.status), \
     answered_at = COALESCE(u.answered_at, calls.answered_at), outcome = COALESCE(u.outcome, calls.outcome), \
     hangup_cause = CASE WHEN u.ended_at IS NULL THEN calls.hangup_cause ELSE u.hangup_cause END, \
     billable_seconds = COALESCE(u.billable_seconds, calls.billable_seconds), \
     due_at = COALESCE(u.due_at, calls.due_at), tally = calls.tally + u.tally, \
     deadline = CASE WHEN u.due_at IS NOT NULL AND calls.deadline_is_default THEN NULL ELSE calls.deadline END, \
     ended_at = CASE WHEN u.over THEN u.ended_at ELSE calls.ended_at END \
     FROM {rows} AS u WHERE calls.id = u.call_id";

const CHANGE_ATTEMPTS: &str = "UPDATE attempts SET ringing_at = COALESCE(u.ringing_at, attempts.ringing_at), \
     answered_at = COALESCE(u.answered_at, attempts.answered_at), ended_at = COALESCE(u.ended_at, attempts.ended_at), \
     outcome = COALESCE(u.outcome, attempts.outcome), hangup_cause = COALESCE(u.hangup_cause, attempts.hangup_cause) \
     FROM {rows} AS u WHERE attempts.id = u.attempt_id";

/// The lane whose groups are committed.
#[derive(Clone, Debug)]
pub struct LaneRef {
    /// The code of the lane's server.
    pub server: String,
    /// The epoch under which this node owns the lane.
    pub epoch: i64,
}

/// Commits the `number`th group of a lane, and returns which claims were granted: only these may be dialed.
///
/// The group is refused as a whole if another node owns the lane by now, so that a late owner changes nothing.
/// Committing a group again, because the answer was lost, changes nothing either and returns the same.
pub async fn commit(db: &Db, lane: &LaneRef, number: i64, group: &Group) -> Result<HashSet<CallId>> {
    let now = Millis::now();
    let server = lane.server.as_str();
    let mut tx = db.begin().await?;
    rule_lock::hold(&mut tx).await?;
    if leases::fence(&mut tx, server, lane.epoch, number).await? == GroupState::Committed {
        return granted_before(&mut tx, &group.claims).await;
    }
    let mut events = Vec::new();
    let mut moves = Moves::default();

    destinations::count(&mut tx, &counted(&group.claims), 0).await?;
    let listed = listed(&mut tx, &group.claims).await?;
    let mut held = used_up(&mut tx, &group.claims).await?;
    held.extend(client_days::used_up(&mut tx, &group.claims, now).await?);
    let brakes = brakes::decide(&mut tx, group).await?;
    held.extend(brakes.held());
    let may_begin = |claim: &&Claim| !listed.contains(&claim.call.id) && !held.contains(&claim.call.id);
    let claims = group.claims.iter().filter(may_begin);
    let claims: Vec<ClaimRow> = claims.map(|claim| claim_row(claim, server)).collect();
    let claimed = ids(bulk::execute_returning(&mut tx, &CLAIM, ClaimRow::COLUMNS, &claims).await?);
    let granted = || group.claims.iter().filter(|claim| claimed.contains(&claim.call.id));
    destinations::count(&mut tx, &counted(granted()), 1).await?;
    let begun: Vec<AttemptRow> = granted().map(|claim| attempt_row(claim, lane)).collect();
    bulk::insert(&mut tx, "attempts", AttemptRow::COLUMNS, &begun).await?;
    for claim in granted() {
        moves.moved(claim.call.queue_id, server, Some(claim.from), CallStatus::Dialing)?;
        let dialing = event(EventKind::Dialing, claim.call, claim.at, CallStatus::Dialing);
        let mut facts = facts(claim.details.as_deref());
        if claim.number == 1 {
            facts.labels = claim.details.as_ref().map(|details| details.labels.clone()).unwrap_or_default();
        }
        events.push(NewEvent { attempt: Some(claim.number), facts, ..dialing });
    }

    let expiries: Vec<ExpiryRow> = group.expiries.iter().map(|expiry| expiry_row(expiry, server)).collect();
    let expired = ids(bulk::execute_returning(&mut tx, &EXPIRE, ExpiryRow::COLUMNS, &expiries).await?);
    for expiry in group.expiries.iter().filter(|expiry| expired.contains(&expiry.call.id)) {
        moves.moved(expiry.call.queue_id, server, Some(expiry.from), CallStatus::Expired)?;
        let ended = event(EventKind::Ended, expiry.call, expiry.at, CallStatus::Expired);
        events.push(NewEvent { outcome: Some(Outcome::Expired), ..ended });
    }

    refusals::refuse(&mut tx, server, &group.refusals, &mut moves, &mut events).await?;
    destinations::defer(&mut tx, &group.deferrals).await?;
    brakes.apply(&mut tx, group, &claimed, &mut events).await?;
    withdraw(&mut tx, lane, &group.withdrawn, &mut moves, &mut events).await?;
    let mut counts = client_days::Counts::default();
    granted().for_each(|claim| counts.claimed(claim, 1));
    group.withdrawn.iter().for_each(|withdrawal| counts.claimed(&withdrawal.claim, -1));
    group.changes.iter().for_each(|change| counts.changed(change));
    counts.apply(&mut tx, server).await?;

    let mut changed = BTreeMap::new();
    for change in &group.changes {
        let (from, to) = fold(changed.entry(change.attempt).or_insert_with(|| untouched(change)), change);
        if let Some(from) = from {
            moves.moved(change.call.queue_id, server, Some(from), to)?;
        }
        events.extend(change_event(change, to));
    }
    let changed: Vec<ChangeRow> = changed.into_values().collect();
    bulk::execute(&mut tx, CHANGE_CALLS, ChangeRow::COLUMNS, &changed).await?;
    bulk::execute(&mut tx, CHANGE_ATTEMPTS, ChangeRow::COLUMNS, &changed).await?;
    events.extend(notes::events(&mut tx, server, &group.notes).await?);
    commands::settle(&mut tx, server, &group.settled, now, &mut moves, &mut events).await?;
    retries::give_up(&mut tx, &group.waiting_for_retry(), now, &mut moves, &mut events).await?;
    waiting::cancel_returned(&mut tx, &group.waiting_again(), now, &mut moves, &mut events).await?;

    moves.apply(&mut tx, now).await?;
    let touched: Vec<i64> = moves.queue_ids().collect();
    // All of these calls are placed by the lane's server.
    events.iter_mut().for_each(|event| event.server = event.call.map(|_| server.to_owned()));
    events.extend(queues::complete_ended(&mut tx, &touched, now).await?);
    events::append(&mut tx, events).await?;
    tx.commit().await?;
    Ok(claimed)
}

/// Returns those of the claims that would call a number on a do-not-call list.
async fn listed(tx: &mut Tx, claims: &[Claim]) -> Result<HashSet<CallId>> {
    if claims.is_empty() || !do_not_call::any(tx).await? {
        return Ok(HashSet::new());
    }
    let numbers = claims.iter().flat_map(|claim| {
        let CallRef { id, client_id, .. } = claim.call;
        claim.checks.numbers.iter().map(move |number| NumberRow { id: Hex(id.0), client_id, number: number.clone() })
    });
    let numbers: Vec<NumberRow> = numbers.collect();
    Ok(ids(bulk::execute_returning(tx, LISTED, NumberRow::COLUMNS, &numbers).await?))
}

/// Returns those of the claims that would call a number that was called today as often as it may be. The counts are
/// locked already.
async fn used_up(tx: &mut Tx, claims: &[Claim]) -> Result<HashSet<CallId>> {
    let limits = claims.iter().flat_map(|claim| {
        let CallRef { id, client_id, .. } = claim.call;
        claim.checks.destinations.iter().map(move |Destination { number, day, limit }| LimitRow {
            id: Hex(id.0),
            client_id,
            number: number.clone(),
            day: *day,
            day_limit: *limit,
        })
    });
    let limits: Vec<LimitRow> = limits.collect();
    Ok(ids(bulk::execute_returning(tx, USED_UP, LimitRow::COLUMNS, &limits).await?))
}

/// Puts calls back to the status that they had before their claim: their Originates were not sent, or Asterisk did not
/// accept them, so no attempt was made.
async fn withdraw(
    tx: &mut Tx,
    lane: &LaneRef,
    withdrawn: &[Withdrawal],
    moves: &mut Moves,
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let rows: Vec<WithdrawnRow> = withdrawn
        .iter()
        .map(|Withdrawal { claim, due, .. }| WithdrawnRow {
            attempt_id: Hex(claim.attempt.0),
            call_id: Hex(claim.call.id.0),
            status: claim.from.code(),
            attempts: claim.number - 1,
            due_at: due.map(|due| due.0),
        })
        .collect();
    bulk::execute(tx, &WITHDRAW_CALLS, WithdrawnRow::COLUMNS, &rows).await?;
    bulk::execute(tx, WITHDRAW_ATTEMPTS, WithdrawnRow::COLUMNS, &rows).await?;
    destinations::count(tx, &counted(withdrawn.iter().map(|withdrawal| &withdrawal.claim)), -1).await?;
    for Withdrawal { claim, why, .. } in withdrawn {
        moves.moved(claim.call.queue_id, &lane.server, Some(CallStatus::Dialing), claim.from)?;
        let note = event(EventKind::Note, claim.call, claim.at, claim.from);
        let detail = Some((*why).to_owned());
        events.push(NewEvent { detail, attempt: Some(claim.number), ..note });
    }
    Ok(())
}

/// Returns the claims that a group granted which was committed before.
async fn granted_before(tx: &mut Tx, claims: &[Claim]) -> Result<HashSet<CallId>> {
    let ids: Vec<Id> = claims.iter().map(|claim| claim.attempt.into()).collect();
    let granted: Vec<Id> = with_conn!(&mut **tx, |c| {
        attempts::table.filter(attempts::id.eq_any(&ids)).select(attempts::call_id).load(c).await
    })?;
    Ok(granted.into_iter().map(CallId::from).collect())
}

/// Takes one change into the row of its attempt. Returns the status that the call leaves, if it moves, and the one that
/// it has then.
fn fold(row: &mut ChangeRow, change: &Change) -> (Option<CallStatus>, CallStatus) {
    match &change.what {
        What::Told { status, .. } => (None, *status),
        What::Billed { seconds, .. } => {
            row.billable_seconds = Some(*seconds);
            (None, CallStatus::Completed)
        }
        What::Moved { from, to } => {
            row.status = Some(to.code());
            match to {
                CallStatus::Ringing => row.ringing_at = Some(change.at.0),
                CallStatus::Answered => row.answered_at = Some(change.at.0),
                _ => {}
            }
            (Some(*from), *to)
        }
        What::Ended { from, outcome, cause, billable_seconds, next_try, .. } => {
            let to = if next_try.is_some() { CallStatus::Retrying } else { outcome.final_status() };
            row.status = Some(to.code());
            row.ended_at = Some(change.at.0);
            row.outcome = Some(outcome.code());
            row.hangup_cause = cause.map(i16::from);
            row.billable_seconds = *billable_seconds;
            row.due_at = next_try.map(|due| due.0);
            row.tally = Tally::one(*outcome).0;
            row.over = next_try.is_none();
            (Some(*from), to)
        }
    }
}

fn untouched(change: &Change) -> ChangeRow {
    ChangeRow {
        attempt_id: Hex(change.attempt.0),
        call_id: Hex(change.call.id.0),
        status: None,
        ringing_at: None,
        answered_at: None,
        ended_at: None,
        outcome: None,
        hangup_cause: None,
        billable_seconds: None,
        due_at: None,
        tally: 0,
        over: false,
    }
}

fn change_event(change: &Change, status: CallStatus) -> Option<NewEvent> {
    let base = |kind| NewEvent { attempt: Some(change.number), ..event(kind, change.call, change.at, status) };
    Some(match &change.what {
        // It corrects a figure; nothing happens to the call.
        What::Billed { .. } => return None,
        What::Moved { to: CallStatus::Ringing, .. } => base(EventKind::Ringing),
        What::Moved { .. } => base(EventKind::Answered),
        What::Told { kind, detail, .. } => NewEvent { detail: detail.clone(), ..base(*kind) },
        What::Ended { outcome, cause, next_try: Some(due), .. } => {
            let detail = Some(format!("next try at {}", due.to_rfc3339()));
            NewEvent { outcome: Some(*outcome), hangup_cause: *cause, detail, ..base(EventKind::Retrying) }
        }
        What::Ended { outcome, cause, next_try: None, billable_seconds, began, details, .. } => {
            let seconds = (change.at.0 - began.0).max(0) / 1000;
            let duration = Some(i32::try_from(seconds).unwrap_or(i32::MAX));
            let facts = facts(details.as_deref());
            let facts = EventFacts { duration, billable_seconds: *billable_seconds, ..facts };
            NewEvent { outcome: Some(*outcome), hangup_cause: *cause, facts, ..base(EventKind::Ended) }
        }
    })
}

/// Returns what an event says about its call, as far as it is known without a query.
fn facts(details: Option<&CallDetails>) -> EventFacts {
    details.map(EventFacts::of_call).unwrap_or_default()
}

fn event(kind: EventKind, call: CallRef, at: Millis, status: CallStatus) -> NewEvent {
    let queue = NewEvent::of_queue(kind, call.client_id, call.queue_id, at);
    NewEvent { call: Some(call.id), status: Some(status), ..queue }
}

/// Returns the numbers that these claims count for.
fn counted<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Vec<(i64, &'a Destination)> {
    let of_claim =
        |claim: &'a Claim| claim.checks.destinations.iter().map(|destination| (claim.call.client_id, destination));
    claims.into_iter().flat_map(of_claim).collect()
}

fn claim_row(claim: &Claim, server: &str) -> ClaimRow {
    ClaimRow {
        id: Hex(claim.call.id.0),
        number: claim.number,
        channel_id: claim.channel_id.clone(),
        at: claim.at.0,
        server_code: server.to_owned(),
        due_at: claim.settings.due_at,
        deadline: claim.settings.deadline,
        max_retries: claim.settings.max_retries,
    }
}

fn expiry_row(expiry: &Expiry, server: &str) -> ExpiryRow {
    ExpiryRow { id: Hex(expiry.call.id.0), at: expiry.at.0, server_code: server.to_owned() }
}

fn attempt_row(claim: &Claim, lane: &LaneRef) -> AttemptRow {
    AttemptRow {
        id: Hex(claim.attempt.0),
        call_id: Hex(claim.call.id.0),
        number: claim.number,
        epoch: lane.epoch,
        server_code: lane.server.clone(),
        channel_id: claim.channel_id.clone(),
        started_at: claim.at.0,
    }
}

fn ids(ids: Vec<uuid::Uuid>) -> HashSet<CallId> {
    ids.into_iter().map(CallId).collect()
}
