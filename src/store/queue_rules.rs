//! The rules of queues: how fast their calls are dialed, how they are tried again, and when they may be dialed.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::events::NewEvent;
use super::schema::queues;
use crate::domain::queue_rules::QueueRules;
use crate::domain::time::Millis;

/// The columns of a queue that hold its rules.
#[derive(Queryable, Selectable, AsChangeset)]
#[diesel(table_name = queues)]
// Rules are set as a whole: a rule that is absent is removed.
#[diesel(treat_none_as_null = true)]
struct Row {
    priority: i32,
    weight: i32,
    max_live_calls: Option<i32>,
    calls_per_second: Option<f64>,
    retry_rules: String,
    windows: Option<String>,
    at_least_once: bool,
    max_call_seconds: Option<i32>,
}

/// Reads the rules of a queue: of this client, or of any if it is None. Returns None if there is no such queue.
pub async fn get(conn: &mut Conn, client_id: impl Into<Option<i64>>, id: i64) -> Result<Option<QueueRules>> {
    let found: Option<(i64, Row)> = with_conn!(conn, |c| {
        queues::table.find(id).select((queues::client_id, Row::as_select())).first(c).await.optional()
    })?;
    let client_id = client_id.into();
    let own = found.filter(|(of, _)| client_id.is_none_or(|client_id| *of == client_id));
    own.map(|(_, row)| read(row)).transpose()
}

/// Replaces the rules of a queue, of this client or of any if it is None, and returns the event that reports it. Returns
/// None if there is no such queue.
pub async fn set(
    tx: &mut Tx,
    client_id: impl Into<Option<i64>>,
    id: i64,
    rules: &QueueRules,
    now: Millis,
) -> Result<Option<NewEvent>> {
    let Some(queue) = super::queues::get(tx, client_id, id).await? else { return Ok(None) };
    write(tx, id, rules, now).await?;
    Ok(Some(super::queues::queue_updated(&queue, "rules", now)))
}

/// Stores the rules of a queue in the place of those that it has.
pub(super) async fn write(tx: &mut Tx, id: i64, rules: &QueueRules, now: Millis) -> Result<()> {
    let row = written(rules)?;
    with_conn!(&mut **tx, |c| {
        diesel::update(queues::table.find(id)).set((&row, queues::updated_at.eq(now.0))).execute(c).await
    })?;
    Ok(())
}

fn read(row: Row) -> Result<QueueRules> {
    Ok(QueueRules {
        priority: row.priority,
        weight: row.weight,
        max_live_calls: row.max_live_calls,
        calls_per_second: row.calls_per_second,
        retry_rules: serde_json::from_str(&row.retry_rules)?,
        windows: row.windows.as_deref().map(serde_json::from_str).transpose()?,
        at_least_once: row.at_least_once,
        max_call_seconds: row.max_call_seconds,
    })
}

fn written(rules: &QueueRules) -> Result<Row> {
    Ok(Row {
        priority: rules.priority,
        weight: rules.weight,
        max_live_calls: rules.max_live_calls,
        calls_per_second: rules.calls_per_second,
        retry_rules: serde_json::to_string(&rules.retry_rules)?,
        windows: rules.windows.as_ref().map(serde_json::to_string).transpose()?,
        at_least_once: rules.at_least_once,
        max_call_seconds: rules.max_call_seconds,
    })
}
