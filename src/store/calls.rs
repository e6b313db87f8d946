//! Calls and attempts: their rows, and how they are stored and read.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::bulk::{self, Hex, row};
use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::recording_files::{self, Wanted};
use super::schema::{attempts, calls};
use super::types::Id;
use crate::domain::ids::CallId;
use crate::domain::number::Reached;
use crate::domain::originate::{OriginateSpec, Recording};
use crate::domain::status::{CallStatus, Outcome};
use crate::domain::time::Millis;

/// A call that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewCall {
    /// The call's id. The caller of the store makes it, so that recordings can be named after it.
    pub id: CallId,
    /// The code of the server that places the call.
    pub server_code: String,
    /// Queued; or expired if its deadline has passed already; or canceled if its number is on a do-not-call list.
    pub status: CallStatus,
    /// What Asterisk is asked to originate.
    pub spec: OriginateSpec,
    /// The `retry` of the item: how many further attempts it asks for.
    pub max_retries: i32,
    /// The contact number, as the client gave it.
    pub contact_number: Option<i64>,
    /// The numbers that the call would reach, to look them up in do-not-call lists. They are not stored, because the
    /// settings of the server decide when the call is dialed.
    pub reaches: Vec<Reached>,
    /// The project, as the client gave it.
    pub project: Option<String>,
    /// The ActionID that the client gave the call.
    pub action_id: Option<String>,
    /// The number of `dids` that was chosen as the call's caller id.
    pub did: Option<String>,
    /// The call is not dialed after this time.
    pub deadline: Option<Millis>,
    /// True if the deadline is a default, which does not hold for further attempts.
    pub deadline_is_default: bool,
    /// The call is not dialed before this time; None if it may be dialed at once.
    pub not_before: Option<Millis>,
}

/// A call as it is stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = calls)]
pub struct Call {
    pub id: Id,
    pub client_id: i64,
    pub queue_id: i64,
    pub position: i64,
    pub batch_id: Option<i64>,
    pub server_code: String,
    /// The code of a [`CallStatus`].
    pub status: i16,
    /// The code of an [`Outcome`].
    pub outcome: Option<i16>,
    pub attempts: i32,
    pub max_retries: i32,
    /// The call's [`OriginateSpec`] as JSON.
    pub spec: String,
    pub contact_number: Option<i64>,
    pub project: Option<String>,
    pub action_id: Option<String>,
    pub channel_id: Option<String>,
    pub did: Option<String>,
    pub created_at: i64,
    pub due_at: i64,
    pub deadline: Option<i64>,
    pub started_at: Option<i64>,
    pub answered_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub billable_seconds: Option<i32>,
    pub hangup_cause: Option<i16>,
    /// How often its attempts ended in each way, a [`Tally`](crate::domain::retry::Tally).
    pub tally: i64,
}

impl Call {
    /// Returns the call's status. An error is a code that this version does not know.
    pub fn status(&self) -> Result<CallStatus> {
        Ok(CallStatus::try_from(self.status)?)
    }

    /// Returns what Asterisk is asked to originate. An error is a spec that this version cannot read.
    pub fn originate_spec(&self) -> Result<OriginateSpec> {
        Ok(serde_json::from_str(&self.spec)?)
    }
}

/// An attempt of a call as it is stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = attempts)]
pub struct Attempt {
    pub id: Id,
    pub number: i32,
    pub server_code: String,
    pub channel_id: String,
    pub started_at: i64,
    pub ringing_at: Option<i64>,
    pub answered_at: Option<i64>,
    pub ended_at: Option<i64>,
    /// The code of an [`Outcome`].
    pub outcome: Option<i16>,
    pub hangup_cause: Option<i16>,
}

row! {
    struct Row {
        id: Hex = Uuid,
        client_id: i64 = BigInt,
        queue_id: i64 = BigInt,
        position: i64 = BigInt,
        batch_id: Option<i64> = BigInt,
        server_code: String = Text,
        status: i16 = SmallInt,
        outcome: Option<i16> = SmallInt,
        attempts: i32 = Integer,
        max_retries: i32 = Integer,
        plan: String = Text,
        contact_number: Option<i64> = BigInt,
        project: Option<String> = Text,
        action_id: Option<String> = Text,
        channel_id: Option<String> = Text,
        did: Option<String> = Text,
        created_at: i64 = BigInt,
        due_at: i64 = BigInt,
        deadline: Option<i64> = BigInt,
        deadline_is_default: bool = Bool,
        ended_at: Option<i64> = BigInt,
        time_zone: String = Text,
    }
}

/// The owner of calls that are stored together.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// The client that the calls belong to.
    pub client_id: i64,
    /// The queue that the calls belong to.
    pub queue_id: i64,
    /// The batch that the calls came with, if they came with one.
    pub batch_id: Option<i64>,
}

/// Returns the outcome of a call that is stored as one that is never dialed.
pub fn ended_at_once(status: CallStatus) -> Option<Outcome> {
    match status {
        CallStatus::Expired => Some(Outcome::Expired),
        CallStatus::Canceled => Some(Outcome::Canceled),
        _ => None,
    }
}

/// Stores calls after the given position of their queue.
pub async fn insert(tx: &mut Tx, owner: Owner, position: i64, new: &[NewCall], now: Millis) -> Result<()> {
    let paths = recording_files::claim(tx, &recorded(new)).await?;
    let mut rows = Vec::with_capacity(new.len());
    for (call, position) in new.iter().zip(position + 1..) {
        let ended = ended_at_once(call.status);
        rows.push(Row {
            id: Hex(call.id.0),
            client_id: owner.client_id,
            queue_id: owner.queue_id,
            position,
            batch_id: owner.batch_id,
            server_code: call.server_code.clone(),
            status: call.status.code(),
            outcome: ended.map(Outcome::code),
            attempts: 0,
            max_retries: call.max_retries,
            plan: plan(call, paths.get(&call.id))?,
            contact_number: call.contact_number,
            project: call.project.clone(),
            action_id: call.action_id.clone(),
            channel_id: call.spec.channel_id.clone(),
            did: call.did.clone(),
            created_at: now.0,
            due_at: call.not_before.map_or(now.0, |at| at.0.max(now.0)),
            deadline: call.deadline.map(|deadline| deadline.0),
            deadline_is_default: call.deadline_is_default,
            ended_at: ended.map(|_| now.0),
            time_zone: call.spec.time_zone.clone().unwrap_or_default(),
        });
    }
    bulk::insert(tx, "calls", Row::COLUMNS, &rows).await
}

/// Returns the paths that those of the calls record to which may be dialed.
fn recorded(new: &[NewCall]) -> Vec<Wanted<'_>> {
    fn wanted(call: &NewCall) -> Option<Wanted<'_>> {
        let path = &call.spec.recording.as_ref()?.path;
        Some(Wanted { call: call.id, server: &call.server_code, path })
    }
    new.iter().filter(|call| call.status.waits()).filter_map(wanted).collect()
}

/// Returns the spec of a call as JSON, which records to `path` if that is given.
fn plan(call: &NewCall, path: Option<&String>) -> Result<String> {
    let Some((path, recording)) = path.zip(call.spec.recording.clone()) else {
        return Ok(serde_json::to_string(&call.spec)?);
    };
    let recording = Some(Recording { path: path.clone(), ..recording });
    Ok(serde_json::to_string(&OriginateSpec { recording, ..call.spec.clone() })?)
}

/// Reads one call. With a `client_id`, reads it only if it belongs to that client.
pub async fn get(conn: &mut Conn, client_id: Option<i64>, id: CallId) -> Result<Option<Call>> {
    let call: Option<Call> =
        with_conn!(conn, |c| calls::table.find(Id::from(id)).select(Call::as_select()).first(c).await.optional())?;
    Ok(call.filter(|call| client_id.is_none_or(|client_id| client_id == call.client_id)))
}

/// Reads a call's attempts, the first one first. The caller must have checked that the client may see the call.
pub async fn attempts_of(conn: &mut Conn, id: CallId) -> Result<Vec<Attempt>> {
    Ok(with_conn!(conn, |c| {
        attempts::table
            .filter(attempts::call_id.eq(Id::from(id)))
            .order(attempts::number)
            .select(Attempt::as_select())
            .load(c)
            .await
    })?)
}
