//! Serves `CallService`: single calls, and the stream of events.

use serde_json::json;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

use super::app::App;
use super::call_operations::{Counted, target};
use super::change::Change;
use super::changed::Changed;
use super::list_calls::list_calls;
use super::unary::run_to_completion;
use super::watch::{self, Events, Start};
use super::{call_edit, call_operations, convert, insert, statistics};
use crate::api::auth::Caller;
use crate::api::validate::batch::content;
use crate::api::validate::{
    Rules, call_operations as operations, do_not_call as rules_of_lists, filters, quick, statistics as asked,
};
use crate::api::{Error, Reason, fields};
use crate::domain::end_request::EndRequest;
use crate::domain::ids::CallId;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::pb;
use crate::store::batches::{self, NewQuickCall, QuickResult};
use crate::store::commands::{self, Answer};
use crate::store::events::Filter;
use crate::store::{calls, do_not_call, events};

/// The implementation of `CallService`.
pub struct Calls(pub App);

#[tonic::async_trait]
impl pb::call_service_server::CallService for Calls {
    type WatchCallsStream = Events;
    type CancelCallsStream = Counted<pb::CancelCallsResponse>;
    type RetryCallsStream = Counted<pb::RetryCallsResponse>;
    type MoveCallsStream = Counted<pb::MoveCallsResponse>;

    async fn create_quick_call(
        &self,
        request: Request<pb::CreateQuickCallRequest>,
    ) -> Result<Response<pb::CreateQuickCallResponse>, Status> {
        let client_id = Caller::of(&request)?.acts_for(request.get_ref().client_id)?;
        let change = Change::by_caller(self.0.clone(), "CreateQuickCall", &request)?;
        let key =
            request.metadata().get("idempotency-key").map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
        let mut request = request.into_inner();
        // The same call has the same content, whoever places it for the client.
        request.client_id = None;
        let done = run_to_completion(async move {
            let app = &change.app;
            let mut conn = app.db.read().await?;
            // A replay gets the first answer again, even if the client has lost the right to place such a call.
            if let Some(key) = &key
                && let Some(QuickResult::Replayed { call, queue_id }) =
                    batches::earlier_quick(&mut conn, client_id, key, &content(&request), Millis::now()).await?
            {
                return Ok((pb::CreateQuickCallResponse { call_id: call.to_string(), queue_id }, true));
            }
            let rules = app.rules(&mut conn, client_id).await?;
            let new = quick::quick_call(&request, key, &rules, change.now)?;
            let numbers = rules_of_lists::called(std::slice::from_ref(&new.call));
            quick::refuse_listed(&request, &new, &do_not_call::listed(&mut conn, client_id, &numbers).await?)?;
            drop(conn);
            let (call, queue_id, replayed) = store(&change, &rules, &new).await?;
            Ok((pb::CreateQuickCallResponse { call_id: call.to_string(), queue_id }, replayed))
        });
        let (metadata, (answer, replayed), extensions) = done.await?.into_parts();
        let mut response = Response::from_parts(metadata, answer, extensions);
        if replayed {
            response.metadata_mut().insert("idempotent-replayed", MetadataValue::from_static("true"));
        }
        Ok(response)
    }

    async fn list_calls(
        &self,
        request: Request<pb::ListCallsRequest>,
    ) -> Result<Response<pb::ListCallsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let (access, client_id) = (caller.access(), caller.limited_to(request.get_ref().client_id)?);
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move { list_calls(&app, access, client_id, &request).await }).await
    }

    async fn get_call(&self, request: Request<pb::GetCallRequest>) -> Result<Response<pb::GetCallResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            fields::check(&request)?;
            let id = call_id(&request.call_id)?;
            let mut conn = app.db.read().await?;
            let call = calls::get(&mut conn, access, id).await?;
            let call = call.ok_or_else(|| Error::NotFound(format!("call {id}")))?;
            let attempts = calls::attempts_of(&mut conn, id).await?;
            let timeline = events::of_call(&mut conn, access, id).await?;
            let mut call = convert::call(call, access)?;
            call.attempt_history = attempts.into_iter().map(convert::attempt).collect();
            call.timeline = timeline.iter().map(|event| convert::event(event, access.is_none())).collect();
            Ok(pb::GetCallResponse { call: Some(call) })
        })
        .await
    }

    async fn watch_calls(
        &self,
        request: Request<pb::WatchCallsRequest>,
    ) -> Result<Response<Self::WatchCallsStream>, Status> {
        let caller = Caller::of(&request)?;
        let (access, client_id) = (caller.access(), caller.limited_to(request.get_ref().client_id)?);
        let permit = self.0.streams.admit(caller)?;
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            let (kinds, label) = filters::events(&request)?;
            let call = request.call_id.as_deref().map(call_id).transpose()?;
            let (mut queues, server) = (request.queue_ids, request.asterisk_server_code);
            queues.extend(request.queue_id);
            let filter = Filter { client_id, queues, call, server, kinds, label };
            let start = Start { after: request.after, has_heartbeats: request.heartbeat.unwrap_or(false) };
            watch::watch(&app, permit, access, filter, start).await
        })
        .await
    }

    async fn get_statistics(
        &self,
        request: Request<pb::GetStatisticsRequest>,
    ) -> Result<Response<pb::GetStatisticsResponse>, Status> {
        let client_id = Caller::of(&request)?.limited_to(request.get_ref().client_id)?;
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            let now = Millis::now();
            let query = asked::query(&request, client_id, now)?;
            if let Some(client_id) = client_id {
                app.client(&mut app.db.read().await?, client_id).await?;
            }
            statistics::get(&app, query, now).await
        })
        .await
    }

    async fn cancel_call(
        &self,
        request: Request<pb::CancelCallRequest>,
    ) -> Result<Response<pb::CancelCallResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let change = Change::by_caller(self.0.clone(), "CancelCall", &request)?;
        let request = request.into_inner();
        run_to_completion(async move {
            fields::check(&request)?;
            let call = end(&change, access, &request.call_id, EndRequest::Cancel).await?;
            Ok(pb::CancelCallResponse { call: Some(call) })
        })
        .await
    }

    async fn hangup_call(
        &self,
        request: Request<pb::HangupCallRequest>,
    ) -> Result<Response<pb::HangupCallResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let change = Change::by_caller(self.0.clone(), "HangupCall", &request)?;
        let request = request.into_inner();
        run_to_completion(async move {
            fields::check(&request)?;
            let call = end(&change, access, &request.call_id, EndRequest::HangUp).await?;
            Ok(pb::HangupCallResponse { call: Some(call) })
        })
        .await
    }

    async fn cancel_calls(
        &self,
        request: Request<pb::CancelCallsRequest>,
    ) -> Result<Response<Self::CancelCallsStream>, Status> {
        let caller = Caller::of(&request)?;
        let client_id = caller.limited_to(request.get_ref().client_id)?;
        let permit = self.0.streams.admit(caller)?;
        let change = Change::by_caller(self.0.clone(), "CancelCalls", &request)?;
        let request = request.into_inner();
        run_to_completion(async move {
            let check = |scope: operations::Scope<'_>| operations::cancel(&request, scope);
            call_operations::run(change, permit, client_id, check, call_operations::canceled).await
        })
        .await
    }

    async fn retry_calls(
        &self,
        request: Request<pb::RetryCallsRequest>,
    ) -> Result<Response<Self::RetryCallsStream>, Status> {
        let caller = Caller::of(&request)?;
        let client_id = caller.limited_to(request.get_ref().client_id)?;
        let permit = self.0.streams.admit(caller)?;
        let change = Change::by_caller(self.0.clone(), "RetryCalls", &request)?;
        let request = request.into_inner();
        run_to_completion(async move {
            let check = |scope: operations::Scope<'_>| operations::retry(&request, scope);
            call_operations::run(change, permit, client_id, check, call_operations::retried).await
        })
        .await
    }

    async fn move_calls(
        &self,
        request: Request<pb::MoveCallsRequest>,
    ) -> Result<Response<Self::MoveCallsStream>, Status> {
        let caller = Caller::of(&request)?;
        let client_id = caller.limited_to(request.get_ref().client_id)?;
        let permit = self.0.streams.admit(caller)?;
        let change = Change::by_caller(self.0.clone(), "MoveCalls", &request)?;
        let request = request.into_inner();
        run_to_completion(async move {
            let check = |scope: operations::Scope<'_>| operations::relocate(&request, scope);
            call_operations::run(change, permit, client_id, check, call_operations::moved).await
        })
        .await
    }

    async fn update_call(
        &self,
        request: Request<pb::UpdateCallRequest>,
    ) -> Result<Response<pb::UpdateCallResponse>, Status> {
        let access = Caller::of(&request)?.access();
        let change = Change::by_caller(self.0.clone(), "UpdateCall", &request)?;
        let request = request.into_inner();
        run_to_completion(async move { call_edit::update(change, access, request).await }).await
    }
}

/// Ends a call by cancel or hangup. Returns the call after the request, with the result of the request.
async fn end(change: &Change, access: Option<i64>, id: &str, request: EndRequest) -> Result<pb::Call, Error> {
    let id = call_id(id)?;
    let mut tx = change.begin().await?;
    let Some((answer, call)) = commands::request_end(&mut tx, access, id, request, change.now).await? else {
        tx.rollback().await?;
        return Err(Error::NotFound(format!("call {id}")));
    };
    let result = match answer {
        Answer::Canceled => pb::EndResult::Canceled,
        Answer::HangingUp => pb::EndResult::HangingUp,
        Answer::AlreadyCanceled => pb::EndResult::AlreadyCanceled,
        Answer::Refused(status) => {
            tx.rollback().await?;
            let message = refusal(id, request, status);
            return Err(Error::FailedPrecondition { reason: Reason::CallStatus, message });
        }
    };
    let call = pb::Call { result: Some(result.into()), ..convert::call(call, access)? };
    let result = result.as_str_name().trim_start_matches("END_RESULT_").to_ascii_lowercase();
    tx.commit(target(Some(id)), Changed::created(&json!({ "result": result }))?).await?;
    Ok(call)
}

fn refusal(id: CallId, request: EndRequest, status: CallStatus) -> String {
    match (request, status) {
        (EndRequest::Cancel, status) if status.is_live() => format!("call {id} has been answered: hang it up instead"),
        (EndRequest::HangUp, status) if status.waits() => format!("call {id} is not being dialed: cancel it instead"),
        _ => format!("call {id} has ended"),
    }
}

async fn store(change: &Change, rules: &Rules, new: &NewQuickCall) -> Result<(CallId, i64, bool), Error> {
    loop {
        let mut tx = change.begin().await?;
        match batches::insert_quick(&mut tx, new, Millis::now()).await? {
            Some(QuickResult::Stored { queue_id }) => {
                if let Err(full) = insert::check_added(&mut tx, rules, std::slice::from_ref(&new.call), 0).await {
                    tx.rollback().await?;
                    return Err(full);
                }
                let placed = json!({ "call_id": new.call.id.to_string(), "queue_id": queue_id });
                tx.commit(target(Some(new.call.id)), Changed::created(&placed)?).await?;
                return Ok((new.call.id, queue_id, false));
            }
            Some(QuickResult::Replayed { call, queue_id }) => {
                tx.rollback().await?;
                return Ok((call, queue_id, true));
            }
            Some(QuickResult::OtherContent) => {
                tx.rollback().await?;
                let message = "this Idempotency-Key was used with other content".to_owned();
                return Err(Error::AlreadyExists { message, metadata: Vec::new() });
            }
            // A call with the same key was stored at the same time. The next round finds it.
            None => tx.rollback().await?,
        }
    }
}

/// Reads the id of a call, which has been checked.
fn call_id(text: &str) -> Result<CallId, Error> {
    text.parse().map_err(Error::internal)
}
