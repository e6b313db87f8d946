//! Queues that are being created: what a client may say of them, and how they are stored.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Tx, with_conn};
use super::error::Result;
use super::queue_labels;
use super::queue_rules;
use super::schema::{clients, queues};
use crate::domain::labels::Labels;
use crate::domain::queue_rules::QueueRules;
use crate::domain::retry::DEFAULT_GAP_SECONDS;
use crate::domain::status::{QueueKind, QueueStatus};
use crate::domain::time::Millis;

/// What a client may say of a queue when it is created. The default is a queue that dials at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewQueue {
    /// The name of the queue.
    pub name: Option<String>,
    /// True if the queue dials nothing until it is resumed.
    pub paused: bool,
    /// The rules of the queue.
    pub rules: QueueRules,
    /// No call begins before this time.
    pub start_at: Option<Millis>,
    /// No call begins after this time.
    pub end_at: Option<Millis>,
    /// The labels of the queue.
    pub labels: Labels,
}

/// Creates a queue that dials at once, and returns its id.
pub async fn create(tx: &mut Tx, client_id: i64, kind: QueueKind, now: Millis) -> Result<i64> {
    create_with(tx, client_id, kind, &NewQueue::default(), now).await
}

/// Creates a queue and returns its id.
pub async fn create_with(tx: &mut Tx, client_id: i64, kind: QueueKind, new: &NewQueue, now: Millis) -> Result<i64> {
    let status = if new.paused { QueueStatus::Paused } else { QueueStatus::InProgress };
    // The client's row is locked from here on, so that its queues are numbered one after the other.
    let number: i64 = with_conn!(&mut **tx, |c| {
        diesel::update(clients::table.find(client_id))
            .set(clients::queues.eq(clients::queues + 1))
            .returning(clients::queues)
            .get_result(c)
            .await
    })?;
    let id: i64 = with_conn!(&mut **tx, |c| {
        diesel::insert_into(queues::table)
            .values((
                queues::client_id.eq(client_id),
                queues::number.eq(number),
                queues::kind.eq(kind.code()),
                queues::status.eq(status.code()),
                queues::name.eq(&new.name),
                queues::start_at.eq(new.start_at.map(|at| at.0)),
                queues::end_at.eq(new.end_at.map(|at| at.0)),
                queues::retry_gap.eq(DEFAULT_GAP_SECONDS),
                queues::created_at.eq(now.0),
                queues::updated_at.eq(now.0),
            ))
            .returning(queues::id)
            .get_result(c)
            .await
    })?;
    if new.rules != QueueRules::default() {
        queue_rules::write(tx, id, &new.rules, now).await?;
    }
    queue_labels::set(tx, client_id, id, &new.labels).await?;
    Ok(id)
}
