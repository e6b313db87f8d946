//! Serves `QueueService`: queues and their batches.

use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

use super::app::App;
use super::errors::{no_queue, queue_completed, quick_queue};
use super::unary::run_to_completion;
use super::{convert, explain, insert, stream_items};
use crate::api::auth::Caller;
use crate::api::rest::ParseWarnings;
use crate::api::validate::filters::CallQuery;
use crate::api::validate::{Rules, batch, filters, rules};
use crate::api::{At, Error, fields};
use crate::domain::status::QueueStatus;
use crate::domain::time::Millis;
use crate::pb;
use crate::store::batches::{self, BatchResult, NewBatch};
use crate::store::queues::{self, QueueUpdate};
use crate::store::{Conn, call_lists, clients, events, queue_rules, retries};

/// The largest number of batch ids in a `Queue`.
const BATCHES: usize = 1000;

/// The implementation of `QueueService`.
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
        let done = run_to_completion(async move {
            let mut conn = app.db.read().await?;
            // A replay gets the first answer again, even if the client has lost the right to insert such calls.
            if let Some(batch_id) = request.batch_id
                && let Some(earlier @ BatchResult::Replayed { .. }) =
                    batches::earlier(&mut conn, client_id, batch_id, || batch::content(&request)).await?
            {
                return answer(batch_id, request.queue_id, 0, Vec::new(), earlier);
            }
            let mut rules = app.rules(&mut conn, client_id).await?;
            rules.queue = insert::queue_limits(&mut conn, client_id, &request).await?;
            let now = Millis::now();
            let mut new = batch::batch(&request, &rules, warnings, now)?;
            let canceled =
                app.cancel_listed(&mut conn, client_id, &mut new.calls, |index| format!("data[{index}]")).await?;
            new.warnings.extend(canceled);
            drop(conn);
            let result = store(&app, &rules, &new, now).await?;
            answer(new.batch_id, new.queue_id, new.calls.len(), new.warnings, result)
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
        run_to_completion(async move {
            let (filter, page) = filters::queues(&request)?;
            let mut conn = app.db.read().await?;
            let (found, count) = queues::list(&mut conn, client_id, filter, page.offset(), page.limit()).await?;
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
        run_to_completion(async move {
            let mut conn = app.db.read().await?;
            let numberings = match request.contact_number_national {
                Some(true) => clients::numberings(&mut conn, client_id).await?,
                _ => Vec::new(),
            };
            let query = CallQuery::new(&request, &numberings)?;
            let (queue_id, page) = (query.queue_id, query.page);
            let queue = queues::get(&mut conn, client_id, queue_id).await?.ok_or_else(|| no_queue(queue_id))?;
            let (found, count) =
                call_lists::page(&mut conn, &queue, query.filter(), page.offset(), page.limit()).await?;
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
        run_to_completion(async move {
            let update = update(&request)?;
            let now = Millis::now();
            let mut tx = app.db.begin().await?;
            let Some(queue) = queues::update(&mut tx, client_id, request.queue_id, update, now).await? else {
                tx.rollback().await?;
                return Err(no_queue(request.queue_id));
            };
            let mut events = vec![queues::updated(&queue, &update, now)];
            // A queue without open calls stays paused if the client pauses it: the pause is for the calls that come
            // next.
            if queue.status != QueueStatus::Paused.code() {
                events.extend(queues::complete_ended(&mut tx, &[queue.id], now).await?);
            }
            events::append(&mut tx, events).await?;
            tx.commit().await?;
            if update.changes_tries() {
                retries::apply(&app.db, &queue, now, rand::random).await?;
            }
            let queue = read(&mut app.db.read().await?, client_id, queue.id).await?;
            Ok(pb::UpdateQueueResponse { queue: Some(queue) })
        })
        .await
    }

    type StreamItemsStream = stream_items::Answers;

    async fn stream_items(
        &self,
        request: Request<tonic::Streaming<pb::StreamItemsRequest>>,
    ) -> Result<Response<Self::StreamItemsStream>, Status> {
        let caller = Caller::of(&request)?.clone();
        Ok(Response::new(stream_items::serve(self.0.clone(), &caller, request.into_inner())?))
    }

    async fn explain_queue(
        &self,
        request: Request<pb::ExplainQueueRequest>,
    ) -> Result<Response<pb::ExplainQueueResponse>, Status> {
        let client_id = Caller::of(&request)?.client_id()?;
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            fields::check(&request)?;
            let queue_id = request.queue_id;
            let queue = queues::get(&mut app.db.read().await?, client_id, queue_id).await?;
            explain::queue(&app, &queue.ok_or_else(|| no_queue(queue_id))?).await
        })
        .await
    }

    async fn get_queue(&self, request: Request<pb::GetQueueRequest>) -> Result<Response<pb::GetQueueResponse>, Status> {
        let client_id = Caller::of(&request)?.client_id()?;
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            fields::check(&request)?;
            let queue = read(&mut app.db.read().await?, client_id, request.queue_id).await?;
            Ok(pb::GetQueueResponse { queue: Some(queue) })
        })
        .await
    }

    async fn get_queue_rules(
        &self,
        request: Request<pb::GetQueueRulesRequest>,
    ) -> Result<Response<pb::GetQueueRulesResponse>, Status> {
        let client_id = Caller::of(&request)?.client_id()?;
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            fields::check(&request)?;
            let id = request.queue_id;
            let rules = queue_rules::get(&mut app.db.read().await?, client_id, id).await?;
            let rules = rules.ok_or_else(|| no_queue(id))?;
            Ok(pb::GetQueueRulesResponse { rules: Some(convert::queue_rules(&rules)) })
        })
        .await
    }

    async fn set_queue_rules(
        &self,
        request: Request<pb::SetQueueRulesRequest>,
    ) -> Result<Response<pb::SetQueueRulesResponse>, Status> {
        let client_id = Caller::of(&request)?.client_id()?;
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            let (id, rules) = (request.queue_id, rules::queue_rules(&request)?);
            let mut tx = app.db.begin().await?;
            let Some(event) = queue_rules::set(&mut tx, client_id, id, &rules, Millis::now()).await? else {
                tx.rollback().await?;
                return Err(no_queue(id));
            };
            events::append(&mut tx, vec![event]).await?;
            tx.commit().await?;
            Ok(pb::SetQueueRulesResponse { rules: Some(convert::queue_rules(&rules)) })
        })
        .await
    }
}

/// Reads one queue of a client, with its batches.
async fn read(conn: &mut Conn, client_id: i64, id: i64) -> Result<pb::Queue, Error> {
    let queue = queues::get(conn, client_id, id).await?.ok_or_else(|| no_queue(id))?;
    let batches = queues::batches_of(conn, &[id], BATCHES).await?.pop();
    Ok(convert::queue(&queue, batches.map(|(_, batches)| batches).unwrap_or_default()))
}

async fn store(app: &App, rules: &Rules, new: &NewBatch, now: Millis) -> Result<BatchResult, Error> {
    loop {
        let mut conn = app.db.read().await?;
        if let Some(earlier) = batches::replay(&mut conn, new).await? {
            return Ok(earlier);
        }
        insert::check_room(&mut conn, rules, &new.calls).await?;
        drop(conn);
        let mut tx = app.db.begin().await?;
        match batches::insert(&mut tx, new, now).await? {
            Some(result @ BatchResult::Stored { .. }) => {
                if let Err(full) = insert::check_added(&mut tx, rules, &new.calls).await {
                    tx.rollback().await?;
                    return Err(full);
                }
                tx.commit().await?;
                return Ok(result);
            }
            Some(refused) => {
                tx.rollback().await?;
                return Ok(refused);
            }
            // A batch with the same id was stored at the same time. The next round finds it.
            None => tx.rollback().await?,
        }
    }
}

/// Returns the answer to a batch of `calls` calls for the queue `queue_id`, and whether it is a replay.
fn answer(
    batch_id: i64,
    queue_id: Option<i64>,
    calls: usize,
    warnings: Vec<String>,
    result: BatchResult,
) -> Result<(pb::InsertBatchResponse, bool), Error> {
    match result {
        BatchResult::Stored { queue_id } => {
            let inserted_count = i32::try_from(calls).unwrap_or(i32::MAX);
            Ok((pb::InsertBatchResponse { queue_id, inserted_count, batch_id, warnings }, false))
        }
        BatchResult::Replayed { queue_id, inserted_count, warnings } => {
            Ok((pb::InsertBatchResponse { queue_id, inserted_count, batch_id, warnings }, true))
        }
        BatchResult::OtherContent { queue_id } => Err(Error::AlreadyExists {
            message: format!("batch_id {batch_id} is in queue {queue_id} with other content"),
            metadata: vec![("queue_id", queue_id.to_string())],
        }),
        BatchResult::NoSuchQueue => Err(no_queue(queue_id.unwrap_or_default())),
        BatchResult::QueueCompleted => Err(queue_completed(queue_id.unwrap_or_default())),
        BatchResult::QuickQueue => Err(quick_queue(queue_id.unwrap_or_default())),
    }
}

fn update(request: &pb::UpdateQueueRequest) -> Result<QueueUpdate, Error> {
    let mut violations = fields::violations(request);
    let status = filters::known(request.queue_status, "queue_status", &mut violations);
    let update =
        QueueUpdate { status, retry: request.retry, retry_count: request.retry_count, retry_gap: request.retry_gap };
    if update.is_empty() {
        let fields = "at least one of queue_status, retry, retry_count and retry_gap is required";
        violations.invalid_if_new(&At::field("queue_status"), fields);
    }
    violations.finish()?;
    Ok(update)
}
