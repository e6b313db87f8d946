//! The labels of queues: JSON in the queue's row, and a row for each, by which queues are found.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::bulk::{self, row};
use super::db::{Tx, with_conn};
use super::error::Result;
use super::schema::queues;
use crate::domain::labels::{self, Labels};

row! {
    struct Row {
        label: String = Text,
        client_id: i64 = BigInt,
        queue_id: i64 = BigInt,
    }
}

/// Stores the labels of a queue that was created in this transaction.
pub(super) async fn set(tx: &mut Tx, client_id: i64, queue_id: i64, labels: &Labels) -> Result<()> {
    if labels.is_empty() {
        return Ok(());
    }
    let json = serde_json::to_string(labels)?;
    with_conn!(&mut **tx, |c| {
        diesel::update(queues::table.find(queue_id)).set(queues::labels.eq(&json)).execute(c).await
    })?;
    let row = |(key, value): (&String, &String)| Row { label: labels::text(key, value), client_id, queue_id };
    let rows: Vec<Row> = labels.iter().map(row).collect();
    bulk::insert(tx, "queue_labels", Row::COLUMNS, &rows).await
}
