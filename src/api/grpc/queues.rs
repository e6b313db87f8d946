//! Batches and queues.

use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

use super::{App, convert, whole};
use crate::api::auth::Caller;
use crate::api::rest::ParseWarnings;
use crate::api::validate::{batch, paging::Page};
use crate::api::{At, Error, Reason, Violations};
use crate::domain::status::{CallStatus, QueueStatus};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::batches::{self, BatchResult, NewBatch};
use crate::store::queues::{self, QueueUpdate};
use crate::store::{calls, events, retries};

/// Batch ids that a queue shows at most.
const BATCHES: usize = 1000;

/// Serves `QueueService`.
pub struct Queues(pub App);

#[tonic::async_trait]
impl pb::queue_service_server::QueueService for Queues {
    async fn insert_batch(
        &self,
        request: Request<pb::InsertBatchRequest>,
    ) -> Result<Response<pb::InsertBatchResponse>, Status> {
        let client_id = Caller::of(&request)?.client_id()?;
        let warnings = request.extensions().get::<ParseWarnings>().cloned().unwrap_or_default().0;
        let (app, request) = (self.0.clone(), request.into_inner());
        let done = whole(async move {
            let rules = app.rules(&mut app.db.read().await?, client_id).await?;
            let now = Millis::now();
            let new = batch::batch(&request, &rules, warnings, now)?;
            let result = insert(&app, &new, now).await?;
            answer(new, result)
        });
        let (metadata, (answer, replayed), extensions) = done.await?.into_parts();
        let mut response = Response::from_parts(metadata, answer, extensions);
        if replayed {
            response.metadata_mut().insert("idempotent-replayed", MetadataValue::from_static("true"));
        }
        Ok(response)
    }

    async fn list_queues(
        &self,
        request: Request<pb::ListQueuesRequest>,
    ) -> Result<Response<pb::ListQueuesResponse>, Status> {
        let client_id = Caller::of(&request)?.client_id()?;
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let page = Page::new(request.page, request.page_size)?;
            let mut conn = app.db.read().await?;
            let (found, count) = queues::list(&mut conn, client_id, page.offset(), page.limit()).await?;
            let ids: Vec<i64> = found.iter().map(|queue| queue.id).collect();
            let batches = queues::batches_of(&mut conn, &ids, BATCHES).await?;
            let results =
                found.iter().zip(batches).map(|(queue, (_, batches))| convert::queue(queue, batches)).collect();
            Ok(pb::ListQueuesResponse { results, count, page: page.number, page_size: page.size })
        })
        .await
    }

    async fn list_queue_calls(
        &self,
        request: Request<pb::ListQueueCallsRequest>,
    ) -> Result<Response<pb::ListQueueCallsResponse>, Status> {
        let client_id = Caller::of(&request)?.client_id()?;
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let page = Page::new(request.page, request.page_size)?;
            let Some(queue_id) = request.master_queue_id else {
                return Err(Error::invalid("master_queue_id", "required"));
            };
            let status = request.status.map(call_status).transpose()?;
            let mut conn = app.db.read().await?;
            let queue = queues::get(&mut conn, client_id, queue_id).await?.ok_or_else(|| no_queue(queue_id))?;
            let (offset, limit) = (page.offset(), page.limit());
            let (found, count) = match status {
                None => (calls::page(&mut conn, client_id, queue_id, offset, limit).await?, queue.total_calls),
                Some(status) => {
                    let found = calls::page_at(&mut conn, client_id, queue_id, status, offset, limit).await?;
                    (found, queue.count(status))
                }
            };
            let results = found.into_iter().map(convert::call).collect::<Result<_, _>>()?;
            Ok(pb::ListQueueCallsResponse { results, count, page: page.number, page_size: page.size })
        })
        .await
    }

    async fn update_queue(
        &self,
        request: Request<pb::UpdateQueueRequest>,
    ) -> Result<Response<pb::UpdateQueueResponse>, Status> {
        let client_id = Caller::of(&request)?.client_id()?;
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let update = update(&request)?;
            let now = Millis::now();
            let mut tx = app.db.begin().await?;
            let changed = queues::update(&mut tx, client_id, request.queue_id, update, now).await?;
            let queue = changed.ok_or_else(|| no_queue(request.queue_id))?;
            let mut told = vec![queues::updated(&queue, &update, now)];
            told.extend(retries::apply(&mut tx, &queue, now).await?);
            told.extend(queues::complete_ended(&mut tx, &[queue.id], now).await?);
            events::append(&mut tx, told).await?;
            tx.commit().await?;
            let mut conn = app.db.read().await?;
            let queue = queues::get(&mut conn, client_id, queue.id).await?.ok_or_else(|| no_queue(queue.id))?;
            let batches = queues::batches_of(&mut conn, &[queue.id], BATCHES).await?.pop();
            let batches = batches.map(|(_, batches)| batches).unwrap_or_default();
            Ok(pb::UpdateQueueResponse { queue: Some(convert::queue(&queue, batches)) })
        })
        .await
    }
}

async fn insert(app: &App, new: &NewBatch, now: Millis) -> Result<BatchResult, Error> {
    loop {
        if let Some(earlier) = batches::replay(&mut app.db.read().await?, new).await? {
            return Ok(earlier);
        }
        let mut tx = app.db.begin().await?;
        match batches::insert(&mut tx, new, now).await? {
            Some(result @ BatchResult::Stored { .. }) => {
                tx.commit().await?;
                return Ok(result);
            }
            Some(refused) => return Ok(refused),
            // One of the same number was stored in this moment: that one decides.
            None => {}
        }
    }
}

fn answer(new: NewBatch, result: BatchResult) -> Result<(pb::InsertBatchResponse, bool), Error> {
    let batch_id = new.batch_id;
    match result {
        BatchResult::Stored { queue_id } => {
            let inserted_count = i32::try_from(new.calls.len()).unwrap_or(i32::MAX);
            Ok((pb::InsertBatchResponse { queue_id, inserted_count, batch_id, warnings: new.warnings }, false))
        }
        BatchResult::Replayed { queue_id, inserted_count, warnings } => {
            Ok((pb::InsertBatchResponse { queue_id, inserted_count, batch_id, warnings }, true))
        }
        BatchResult::OtherContent { queue_id } => Err(Error::AlreadyExists {
            message: format!("batch_id {batch_id} is in queue {queue_id} with other content"),
            metadata: vec![("queue_id", queue_id.to_string())],
        }),
        BatchResult::NoSuchQueue => Err(no_queue(new.queue_id.unwrap_or_default())),
        BatchResult::QueueCompleted => Err(Error::FailedPrecondition {
            reason: Reason::QueueCompleted,
            message: format!("queue {} was completed by its client", new.queue_id.unwrap_or_default()),
        }),
    }
}

fn update(request: &pb::UpdateQueueRequest) -> Result<QueueUpdate, Error> {
    let mut violations = Violations::default();
    let status = request.queue_status.map(queue_status).transpose()?;
    if request.retry_count.is_some_and(|count| !(0..=batch::MAX_RETRY).contains(&count)) {
        violations.invalid(&At::field("retry_count"), format_args!("must be 0 to {}", batch::MAX_RETRY));
    }
    if request.retry_gap.is_some_and(|gap| !(0..=604_800).contains(&gap)) {
        violations.invalid(&At::field("retry_gap"), "must be 0 to 604800 seconds");
    }
    let update =
        QueueUpdate { status, retry: request.retry, retry_count: request.retry_count, retry_gap: request.retry_gap };
    if update.is_empty() {
        let fields = "at least one of queue_status, retry, retry_count and retry_gap is required";
        violations.invalid(&At::field("queue_status"), fields);
    }
    violations.finish()?;
    Ok(update)
}

fn queue_status(code: i32) -> Result<QueueStatus, Error> {
    let status = i16::try_from(code).ok().and_then(|code| QueueStatus::try_from(code).ok());
    status.ok_or_else(|| Error::invalid("queue_status", "must be paused, in-progress or completed"))
}

fn call_status(code: i32) -> Result<CallStatus, Error> {
    let status = i16::try_from(code).ok().and_then(|code| CallStatus::try_from(code).ok());
    status.ok_or_else(|| Error::invalid("status", "must be a call's status"))
}

fn no_queue(id: i64) -> Error {
    Error::NotFound(format!("queue {id}"))
}
