//! Serves `QueueService`: queues and their batches.

use serde_json::json;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

use super::app::App;
use super::change::Change;
use super::changed::Changed;
use super::errors::{no_queue, queue_completed, quick_queue};
use super::queue_lifecycle::{self, changeable, target};
use super::unary::run_to_completion;
use super::{convert, explain, insert, stream_items};
use crate::api::auth::Caller;
use crate::api::validate::filters::CallQuery;
use crate::api::validate::paging::Page;
use crate::api::validate::{Rules, batch, filters, rules};
use crate::api::{At, Error, fields};
use crate::domain::status::QueueStatus;
use crate::domain::time::Millis;
use crate::pb;
use crate::store::batches::{self, BatchResult, NewBatch};
use crate::store::queues::{self, Queue, QueueUpdate};
use crate::store::{Conn, call_lists, clients, events, queue_rules, retries};

/// The largest number of batch ids in a `Queue`.
const BATCHES: usize = 1000;

/// Shortens what was read to the length of the page, and returns the last row on it if another page follows.
fn last_before_next<T>(found: &mut Vec<T>, page: Page) -> Option<&T> {
    let size = usize::try_from(page.size).unwrap_or(0);
    let has_next = found.len() > size;
    found.truncate(size);
    found.last().filter(|_| has_next)
}

/// The implementation of `QueueService`.
pub struct Queues(pub App);

#[tonic::async_trait]
impl pb::queue_service_server::QueueService for Queues {
    async fn insert_batch(
        &self,
        request: Request<pb::InsertBatchRequest>,
    ) -> Result<Response<pb::InsertBatchResponse>, Status> {
        let client_id = Caller::of(&request)?.acts_for(request.get_ref().client_id)?;
        let mut change = Change::by_caller(self.0.clone(), "InsertBatch", &request)?;
        let warnings = std::mem::take(&mut change.warnings);
        let mut request = request.into_inner();
        // The same batch has the same content, whoever inserts it for the client.
        request.client_id = None;
        // Whether it is only checked is not part of the content: what is checked can be inserted afterwards.
        let validate_only = std::mem::take(&mut request.validate_only);
        let done = run_to_completion(async move {
            let app = &change.app;
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
            let result = store(&change, &rules, &new, validate_only, now).await?;
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
        let caller = Caller::of(&request)?;
        let (access, client_id) = (caller.access(), caller.limited_to(request.get_ref().client_id)?);
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            let query = filters::queues(&request, client_id)?;
            let (filter, page) = (query.filter.clone(), query.page);
            let mut conn = app.db.read().await?;
            // One more, which says whether there is a next page.
            let limit = page.limit() + 1;
            let (mut found, count) = match client_id {
                Some(client_id) => {
                    app.client(&mut conn, client_id).await?;
                    queues::list(&mut conn, client_id, filter, query.start, limit).await?
                }
                None => queues::list_all(&mut conn, filter, query.start, limit).await?,
            };
            let next_page_token = last_before_next(&mut found, page).map(|last| query.token(last.id));
            let ids: Vec<i64> = found.iter().map(|queue| queue.id).collect();
            let batches = queues::batches_of(&mut conn, &ids, BATCHES).await?;
            let results = found.iter().zip(batches).map(|(queue, (_, batches))| convert::queue(queue, batches, access));
            let results = results.collect::<Result<_, _>>()?;
            Ok(pb::ListQueuesResponse { results, count, page: page.number, page_size: page.size, next_page_token })
        })
        .await
    }

    async fn list_queue_calls(
        &self,
        request: Request<pb::ListQueueCallsRequest>,
    ) -> Result<Response<pb::ListQueueCallsResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            let mut conn = app.db.read().await?;
            let found = match request.master_queue_id {
                Some(queue_id) => queues::get(&mut conn, access, queue_id).await?,
                None => None,
            };
            let numberings = match &found {
                Some(queue) if request.contact_number_national == Some(true) => {
                    clients::numberings(&mut conn, queue.client_id).await?
                }
                _ => Vec::new(),
            };
            let query = CallQuery::new(&request, &numberings)?;
            let (queue_id, page) = (query.queue_id, query.page);
            let queue = found.ok_or_else(|| no_queue(queue_id))?;
            let limit = page.limit() + 1;
            let (mut found, count) = call_lists::page(&mut conn, &queue, query.filter(), query.start, limit).await?;
            let next_page_token = last_before_next(&mut found, page).map(|last| query.token(last.position));
            let results = found.into_iter().map(|call| convert::call(call, access)).collect::<Result<_, _>>()?;
            Ok(pb::ListQueueCallsResponse { results, count, page: page.number, page_size: page.size, next_page_token })
        })
        .await
    }

    async fn update_queue(
        &self,
        request: Request<pb::UpdateQueueRequest>,
    ) -> Result<Response<pb::UpdateQueueResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let change = Change::by_caller(self.0.clone(), "UpdateQueue", &request)?;
        let request = request.into_inner();
        run_to_completion(async move {
            let update = update(&request)?;
            let (app, now) = (&change.app, change.now);
            let id = request.queue_id;
            let (mut tx, before) = changeable(change.begin().await?, access, id).await?;
            let updated = queues::update(&mut tx, access, id, update, now).await?;
            let queue = updated.ok_or_else(|| no_queue(id))?;
            let mut events = vec![queues::updated(&queue, &update, now)];
            // A queue without open calls stays paused if the client pauses it: the pause is for the calls that come
            // next.
            if queue.status != QueueStatus::Paused.code() {
                events.extend(queues::complete_ended(&mut tx, &[queue.id], now).await?);
            }
            events::append(&mut tx, events).await?;
            let shown = |queue: &Queue| convert::queue(queue, Vec::new(), access);
            tx.commit(target(queue.id), Changed::from_to(&shown(&before)?, &shown(&queue)?)?).await?;
            if update.changes_tries() {
                retries::apply(&app.db, &queue, now, rand::random).await?;
            }
            let queue = read(&mut app.db.read().await?, access, queue.id).await?;
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
        let change = Change::by_stream(self.0.clone(), "StreamItems", &request)?;
        Ok(Response::new(stream_items::serve(change, caller, request.into_inner())?))
    }

    async fn explain_queue(
        &self,
        request: Request<pb::ExplainQueueRequest>,
    ) -> Result<Response<pb::ExplainQueueResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            fields::check(&request)?;
            let queue_id = request.queue_id;
            let queue = queues::get(&mut app.db.read().await?, access, queue_id).await?;
            explain::queue(&app, &queue.ok_or_else(|| no_queue(queue_id))?).await
        })
        .await
    }

    async fn get_queue(&self, request: Request<pb::GetQueueRequest>) -> Result<Response<pb::GetQueueResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            fields::check(&request)?;
            let queue = read(&mut app.db.read().await?, access, request.queue_id).await?;
            Ok(pb::GetQueueResponse { queue: Some(queue) })
        })
        .await
    }

    async fn get_queue_rules(
        &self,
        request: Request<pb::GetQueueRulesRequest>,
    ) -> Result<Response<pb::GetQueueRulesResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            fields::check(&request)?;
            let id = request.queue_id;
            let rules = queue_rules::get(&mut app.db.read().await?, access, id).await?;
            let rules = rules.ok_or_else(|| no_queue(id))?;
            Ok(pb::GetQueueRulesResponse { rules: Some(convert::queue_rules(&rules)) })
        })
        .await
    }

    async fn set_queue_rules(
        &self,
        request: Request<pb::SetQueueRulesRequest>,
    ) -> Result<Response<pb::SetQueueRulesResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let change = Change::by_caller(self.0.clone(), "SetQueueRules", &request)?;
        let request = request.into_inner();
        run_to_completion(async move {
            let rules = queue_lifecycle::set_rules(change, access, request, false).await?;
            Ok(pb::SetQueueRulesResponse { rules: Some(rules) })
        })
        .await
    }

    async fn update_queue_rules(
        &self,
        request: Request<pb::UpdateQueueRulesRequest>,
    ) -> Result<Response<pb::UpdateQueueRulesResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let change = Change::by_caller(self.0.clone(), "UpdateQueueRules", &request)?;
        let request = rules::as_set(request.into_inner());
        run_to_completion(async move {
            let rules = queue_lifecycle::set_rules(change, access, request, true).await?;
            Ok(pb::UpdateQueueRulesResponse { rules: Some(rules) })
        })
        .await
    }

    async fn create_queue(
        &self,
        request: Request<pb::CreateQueueRequest>,
    ) -> Result<Response<pb::CreateQueueResponse>, Status> {
        let caller = Caller::of(&request)?;
        let (access, client_id) = (caller.access(), caller.acts_for(request.get_ref().client_id)?);
        let change = Change::by_caller(self.0.clone(), "CreateQueue", &request)?;
        let request = request.into_inner();
        run_to_completion(queue_lifecycle::create(change, access, client_id, request)).await
    }

    async fn cancel_queue(
        &self,
        request: Request<pb::CancelQueueRequest>,
    ) -> Result<Response<pb::CancelQueueResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let change = Change::by_caller(self.0.clone(), "CancelQueue", &request)?;
        run_to_completion(queue_lifecycle::cancel(change, access, request.into_inner())).await
    }

    async fn delete_queue(
        &self,
        request: Request<pb::DeleteQueueRequest>,
    ) -> Result<Response<pb::DeleteQueueResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let change = Change::by_caller(self.0.clone(), "DeleteQueue", &request)?;
        run_to_completion(queue_lifecycle::delete(change, access, request.into_inner())).await
    }
}

/// Reads one queue to which there is access, with its batches.
async fn read(conn: &mut Conn, access: Option<i64>, id: i64) -> Result<pb::Queue, Error> {
    let queue = queues::get(conn, access, id).await?.ok_or_else(|| no_queue(id))?;
    let batches = queues::batches_of(conn, &[id], BATCHES).await?.pop();
    convert::queue(&queue, batches.map(|(_, batches)| batches).unwrap_or_default(), access)
}

/// Stores a batch, or only checks that it could be stored.
async fn store(
    change: &Change,
    rules: &Rules,
    new: &NewBatch,
    validate_only: bool,
    now: Millis,
) -> Result<BatchResult, Error> {
    loop {
        let mut conn = change.app.db.read().await?;
        if let Some(earlier) = batches::replay(&mut conn, new).await? {
            return Ok(earlier);
        }
        insert::check_room(&mut conn, rules, &new.calls).await?;
        drop(conn);
        let mut tx = change.begin().await?;
        match batches::insert(&mut tx, new, now).await? {
            Some(result @ BatchResult::Stored { queue_id }) => {
                if let Err(full) = insert::check_added(&mut tx, rules, &new.calls, 0).await {
                    tx.rollback().await?;
                    return Err(full);
                }
                if validate_only {
                    tx.rollback().await?;
                    return Ok(BatchResult::Stored { queue_id: new.queue_id.unwrap_or_default() });
                }
                let inserted = json!({ "batch_id": new.batch_id, "calls": new.calls.len() });
                tx.commit(target(queue_id), Changed::created(&inserted)?).await?;
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
    let status = filters::known(request.queue_status, &At::field("queue_status"), &mut violations);
    let update =
        QueueUpdate { status, retry: request.retry, retry_count: request.retry_count, retry_gap: request.retry_gap };
    if update.is_empty() {
        let fields = "at least one of queue_status, retry, retry_count and retry_gap is required";
        violations.invalid_if_new(&At::field("queue_status"), fields);
    }
    violations.finish()?;
    Ok(update)
}
