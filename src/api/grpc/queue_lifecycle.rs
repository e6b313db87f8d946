//! The methods of `QueueService` that create, cancel and delete queues, and change their rules.

use serde_json::json;

use super::change::{Audited, Change};
use super::changed::Changed;
use super::convert;
use super::errors::{no_queue, queue_deleted};
use crate::api::validate::{new_queue, rules};
use crate::api::{Error, Reason, fields};
use crate::domain::status::QueueKind;
use crate::pb;
use crate::store::queues::{self, Queue};
use crate::store::{events, new_queues, queue_rules, waiting};

/// Creates a queue of a client; `access` is the client that asks, None for an administrator
/// (`QueueService.CreateQueue`).
pub async fn create(
    change: Change,
    access: Option<i64>,
    client_id: i64,
    request: pb::CreateQueueRequest,
) -> Result<pb::CreateQueueResponse, Error> {
    let new = new_queue::create(&request, change.now)?;
    // The client must exist and must not be disabled, as for an insert.
    change.app.rules(&mut change.app.db.read().await?, client_id).await?;
    let mut tx = change.begin().await?;
    let id = new_queues::create_with(&mut tx, client_id, QueueKind::Bulk, &new, change.now).await?;
    let queue = queues::get(&mut tx, client_id, id).await?.ok_or_else(|| no_queue(id))?;
    events::append(&mut tx, vec![queues::queue_updated(&queue, "created", change.now)]).await?;
    let shown = convert::queue(&queue, Vec::new(), access)?;
    tx.commit(target(id), Changed::created(&shown)?).await?;
    Ok(pb::CreateQueueResponse { queue: Some(shown) })
}

/// Cancels all calls of a queue (`QueueService.CancelQueue`). The queue is completed first, in a transaction of its own,
/// so that none of its calls begins while they are canceled in groups.
pub async fn cancel(
    change: Change,
    access: Option<i64>,
    request: pb::CancelQueueRequest,
) -> Result<pb::CancelQueueResponse, Error> {
    fields::check(&request)?;
    let (id, now) = (request.queue_id, change.now);
    let (mut tx, before) = changeable(change.begin().await?, access, id).await?;
    if before.canceled_at.is_some() && !request.hang_up_live {
        // It was canceled before; what an interruption may have left is canceled below.
        tx.rollback().await?;
    } else {
        let canceled = queues::cancel(&mut tx, access, id, now).await?.ok_or_else(|| no_queue(id))?;
        events::append(&mut tx, vec![queues::queue_updated(&canceled, "canceled", now)]).await?;
        let waiting = before.queued + before.retrying;
        let noted = json!({ "waiting": waiting, "hang_up_live": request.hang_up_live });
        tx.commit(target(id), Changed::created(&noted)?).await?;
    }
    let db = &change.app.db;
    let canceled_count = waiting::cancel_queue(db, id, now).await?;
    let hanging_up_count = if request.hang_up_live { waiting::hang_up_queue(db, id, now).await? } else { 0 };
    let queue = queues::get(&mut db.read().await?, access, id).await?.ok_or_else(|| no_queue(id))?;
    let live_count = queue.dialing + queue.ringing + queue.answered;
    Ok(pb::CancelQueueResponse { queue_id: id, canceled_count, hanging_up_count, live_count })
}

/// Deletes a queue without open calls (`QueueService.DeleteQueue`).
pub async fn delete(
    change: Change,
    access: Option<i64>,
    request: pb::DeleteQueueRequest,
) -> Result<pb::DeleteQueueResponse, Error> {
    fields::check(&request)?;
    let id = request.queue_id;
    let mut tx = change.begin().await?;
    let Some(queue) = queues::get(&mut tx, access, id).await? else {
        tx.rollback().await?;
        return Err(no_queue(id));
    };
    if queue.deleted_at.is_some() {
        tx.rollback().await?;
        return Ok(pb::DeleteQueueResponse {});
    }
    let Some(deleted) = queues::delete(&mut tx, &queue, change.now).await? else {
        tx.rollback().await?;
        let (waiting, live) = (queue.queued + queue.retrying, queue.dialing + queue.ringing + queue.answered);
        let message =
            format!("queue {id} cannot be deleted: {waiting} of its calls wait, {live} are live; cancel it first");
        return Err(Error::FailedPrecondition { reason: Reason::QueueInUse, message });
    };
    events::append(&mut tx, vec![deleted]).await?;
    tx.commit(target(id), Changed::deleted(&convert::queue(&queue, Vec::new(), access)?)?).await?;
    Ok(pb::DeleteQueueResponse {})
}

/// Changes those rules of a queue that the request sets or names (`QueueService.SetQueueRules` and `UpdateQueueRules`);
/// `needs_one` refuses a request that changes nothing.
pub async fn set_rules(
    change: Change,
    access: Option<i64>,
    request: pb::SetQueueRulesRequest,
    needs_one: bool,
) -> Result<pb::QueueRules, Error> {
    let id = request.queue_id;
    // Every rule of a request can be checked without the present rules, before anything is locked.
    rules::changed(pb::QueueRules::default(), request.clone(), needs_one)?;
    let (mut tx, _) = changeable(change.begin().await?, access, id).await?;
    let before = queue_rules::get(&mut tx, access, id).await?.unwrap_or_default();
    let before = convert::queue_rules(&before);
    let rules = match rules::changed(before.clone(), request, needs_one) {
        Ok(rules) => rules,
        Err(broken) => {
            tx.rollback().await?;
            return Err(broken);
        }
    };
    let event = queue_rules::set(&mut tx, access, id, &rules, change.now).await?.ok_or_else(|| no_queue(id))?;
    events::append(&mut tx, vec![event]).await?;
    let after = convert::queue_rules(&rules);
    tx.commit(target(id), Changed::from_to(&before, &after)?).await?;
    Ok(after)
}

/// Reads a queue that is about to be changed. Ends the transaction if there is no such queue, or if it was deleted.
pub async fn changeable(mut tx: Audited, access: Option<i64>, id: i64) -> Result<(Audited, Queue), Error> {
    match queues::get(&mut tx, access, id).await? {
        Some(queue) if queue.deleted_at.is_none() => Ok((tx, queue)),
        found => {
            tx.rollback().await?;
            Err(if found.is_some() { queue_deleted(id) } else { no_queue(id) })
        }
    }
}

/// Returns the name of a queue in the audit.
pub fn target(id: i64) -> String {
    format!("queues/{id}")
}
