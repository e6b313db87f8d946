//! Requests of clients to end calls. A waiting call is ended here. A live call is ended by the lane that owns it: the
//! request is a row that the lane reads, so that it survives a restart of the lane.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::calls::{self, Call};
use super::counters::Moves;
use super::db::{Conn, Db, Tx, with_conn};
use super::error::Result;
use super::events::{self, NewEvent};
use super::queues;
use super::schema::{call_commands, calls as rows};
use super::types::Id;
use crate::domain::end_request::{Command, EndRequest};
use crate::domain::event_kind::EventKind;
use crate::domain::ids::CallId;
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// The result of an end request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The call was waiting; it is canceled and never dialed.
    Canceled,
    /// The call is live; its lane was asked to hang it up.
    HangingUp,
    /// The call had been canceled before.
    AlreadyCanceled,
    /// The request does not suit the call's status, which is given here.
    Refused(CallStatus),
}

/// Takes a request to end a call: all of it in one transaction, which the caller commits. With a `client_id`, the call
/// must belong to that client. Returns None if there is no such call.
///
/// If the call is claimed at the same moment, its row decides: whichever of the two changes the row first wins, and the
/// other finds it changed.
pub async fn request_end(
    tx: &mut Tx,
    client_id: Option<i64>,
    id: CallId,
    request: EndRequest,
    now: Millis,
) -> Result<Option<(Answer, Call)>> {
    loop {
        let Some(call) = calls::get(tx, client_id, id).await? else { return Ok(None) };
        let status = call.status()?;
        let answer = match (request, status) {
            (EndRequest::Cancel, status) if status.waits() => {
                if !end(tx, &call, status, now).await? {
                    // A lane claimed the call, or withdrew its claim, since it was read.
                    continue;
                }
                Answer::Canceled
            }
            (EndRequest::Cancel, CallStatus::Canceled) => Answer::AlreadyCanceled,
            (EndRequest::Cancel, CallStatus::Dialing | CallStatus::Ringing) => {
                tell_lane(tx, &call, request, now).await?;
                Answer::HangingUp
            }
            (EndRequest::HangUp, status) if status.is_live() => {
                tell_lane(tx, &call, request, now).await?;
                Answer::HangingUp
            }
            (EndRequest::Cancel | EndRequest::HangUp, status) => Answer::Refused(status),
        };
        let call = calls::get(tx, client_id, id).await?;
        return Ok(call.map(|call| (answer, call)));
    }
}

/// Ends a waiting call, with its counters and events. Returns false if it no longer waits as it was read.
async fn end(tx: &mut Tx, call: &Call, from: CallStatus, now: Millis) -> Result<bool> {
    let mut moves = Moves::default();
    let Some(ended) = cancel(tx, call, from, now, &mut moves).await? else { return Ok(false) };
    moves.apply(tx, now).await?;
    let mut events = vec![ended];
    events.extend(queues::complete_ended(tx, &[call.queue_id], now).await?);
    events::append(tx, events).await?;
    Ok(true)
}

/// Ends a waiting call. The caller writes the counters' moves and the event.
async fn cancel(
    tx: &mut Tx,
    call: &Call,
    from: CallStatus,
    now: Millis,
    moves: &mut Moves,
) -> Result<Option<NewEvent>> {
    let changed = with_conn!(&mut **tx, |c| {
        diesel::update(rows::table.find(call.id))
            .filter(rows::status.eq(from.code()).and(rows::attempts.eq(call.attempts)))
            .set((
                rows::status.eq(CallStatus::Canceled.code()),
                rows::outcome.eq(Outcome::Canceled.code()),
                rows::ended_at.eq(now.0),
            ))
            .execute(c)
            .await
    })?;
    if changed == 0 {
        return Ok(None);
    }
    moves.moved(call.queue_id, &call.server_code, Some(from), CallStatus::Canceled)?;
    let event = NewEvent::of_queue(EventKind::Ended, call.client_id, call.queue_id, now);
    Ok(Some(NewEvent {
        call: Some(call.id.into()),
        status: Some(CallStatus::Canceled),
        outcome: Some(Outcome::Canceled),
        ..event
    }))
}

/// Asks the lanes to hang up those of these calls that were live when they were read, and returns their number.
pub async fn hang_up(db: &Db, calls: &[Call], now: Millis) -> Result<i64> {
    let mut tx = db.begin().await?;
    let mut asked = 0;
    for call in calls {
        if call.status()?.is_live() {
            tell_lane(&mut tx, call, EndRequest::HangUp, now).await?;
            asked += 1;
        }
    }
    tx.commit().await?;
    Ok(asked)
}

/// Stores the request for the call's lane, once, however often it is made. The event wakes the lane on whichever node
/// it runs.
pub(super) async fn tell_lane(tx: &mut Tx, call: &Call, request: EndRequest, now: Millis) -> Result<()> {
    let known: Option<i64> = with_conn!(&mut **tx, |c| {
        call_commands::table
            .filter(call_commands::server_code.eq(&call.server_code).and(call_commands::call_id.eq(call.id)))
            .filter(call_commands::kind.eq(request.code()))
            .select(call_commands::id)
            .first(c)
            .await
            .optional()
    })?;
    if known.is_some() {
        return Ok(());
    }
    with_conn!(&mut **tx, |c| {
        diesel::insert_into(call_commands::table)
            .values((
                call_commands::server_code.eq(&call.server_code),
                call_commands::call_id.eq(call.id),
                call_commands::kind.eq(request.code()),
                call_commands::created_at.eq(now.0),
            ))
            .execute(c)
            .await
    })?;
    let note = NewEvent::of_queue(EventKind::Note, call.client_id, call.queue_id, now);
    let note = NewEvent {
        call: Some(call.id.into()),
        status: Some(call.status()?),
        detail: Some(request.event_text().to_owned()),
        ..note
    };
    events::append(tx, vec![note]).await
}

/// Reads the end requests that a server's lane has not carried out yet, oldest first.
pub async fn of_lane(conn: &mut Conn, server: &str, limit: i64) -> Result<Vec<Command>> {
    let found: Vec<(Id, i16)> = with_conn!(conn, |c| {
        call_commands::table
            .filter(call_commands::server_code.eq(server))
            .order(call_commands::id)
            .limit(limit)
            .select((call_commands::call_id, call_commands::kind))
            .load(c)
            .await
    })?;
    found
        .into_iter()
        .map(|(call, kind)| Ok(Command { call: call.into(), request: EndRequest::try_from(kind)? }))
        .collect()
}

/// Carries out, within a lane's group commit, what is left of the requests to end these calls: a call that waits for a
/// further attempt is canceled, and the requests for all calls that are not live are deleted.
pub(super) async fn settle(
    tx: &mut Tx,
    server: &str,
    ids: &[CallId],
    now: Millis,
    moves: &mut Moves,
    events: &mut Vec<NewEvent>,
) -> Result<()> {
    let mut done = Vec::new();
    for id in ids {
        let call = calls::get(tx, None, *id).await?.filter(|call| call.server_code == server);
        let status = call.as_ref().map(Call::status).transpose()?;
        if let (Some(call), Some(status)) = (&call, status)
            && status.waits()
        {
            let Some(ended) = cancel(tx, call, status, now, moves).await? else { continue };
            events.push(ended);
        }
        if status.is_none_or(|status| !status.is_live()) {
            done.push(Id::from(*id));
        }
    }
    if done.is_empty() {
        return Ok(());
    }
    with_conn!(&mut **tx, |c| {
        diesel::delete(call_commands::table)
            .filter(call_commands::server_code.eq(server).and(call_commands::call_id.eq_any(&done)))
            .execute(c)
            .await
    })?;
    Ok(())
}
