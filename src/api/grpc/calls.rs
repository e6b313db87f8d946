//! Single calls, and the live stream.

use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status};

use super::watch::{self, Events};
use super::{App, convert, whole};
use crate::api::Error;
use crate::api::auth::{Caller, CallerKind};
use crate::api::validate::quick;
use crate::domain::ids::CallId;
use crate::domain::time::Millis;
use crate::pb;
use crate::store::batches::{self, NewQuickCall, QuickResult};
use crate::store::events::Filter;
use crate::store::{calls, events};

/// Serves `CallService`.
pub struct Calls(pub App);

#[tonic::async_trait]
impl pb::call_service_server::CallService for Calls {
    type WatchCallsStream = Events;

    async fn create_quick_call(
        &self,
        request: Request<pb::CreateQuickCallRequest>,
    ) -> Result<Response<pb::CreateQuickCallResponse>, Status> {
        let client_id = Caller::of(&request)?.client_id()?;
        let key =
            request.metadata().get("idempotency-key").map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
        let (app, request) = (self.0.clone(), request.into_inner());
        let done = whole(async move {
            let rules = app.rules(&mut app.db.read().await?, client_id).await?;
            let new = quick::quick_call(&request, key, &rules)?;
            let (call, queue_id, replayed) = insert(&app, &new).await?;
            Ok((pb::CreateQuickCallResponse { call_id: call.to_string(), queue_id }, replayed))
        });
        let (metadata, (answer, replayed), extensions) = done.await?.into_parts();
        let mut response = Response::from_parts(metadata, answer, extensions);
        if replayed {
            response.metadata_mut().insert("idempotent-replayed", MetadataValue::from_static("true"));
        }
        Ok(response)
    }

    async fn get_call(&self, request: Request<pb::GetCallRequest>) -> Result<Response<pb::GetCallResponse>, Status> {
        let client_id = whose(Caller::of(&request)?);
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let id = call_id(&request.call_id)?;
            let mut conn = app.db.read().await?;
            let call = calls::get(&mut conn, client_id, id).await?;
            let call = call.ok_or_else(|| Error::NotFound(format!("call {id}")))?;
            let attempts = calls::attempts_of(&mut conn, id).await?;
            let timeline = events::of_call(&mut conn, client_id, id).await?;
            let mut call = convert::call(call)?;
            call.attempt_history = attempts.into_iter().map(convert::attempt).collect();
            call.timeline = timeline.iter().map(convert::event).collect();
            Ok(pb::GetCallResponse { call: Some(call) })
        })
        .await
    }

    async fn watch_calls(
        &self,
        request: Request<pb::WatchCallsRequest>,
    ) -> Result<Response<Self::WatchCallsStream>, Status> {
        let client_id = whose(Caller::of(&request)?);
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let call = request.call_id.as_deref().map(call_id).transpose()?;
            let filter = Filter { client_id, queue_id: request.queue_id, call };
            watch::watch(&app, filter, request.after).await
        })
        .await
    }
}

async fn insert(app: &App, new: &NewQuickCall) -> Result<(CallId, i64, bool), Error> {
    loop {
        let mut tx = app.db.begin().await?;
        match batches::insert_quick(&mut tx, new, Millis::now()).await? {
            Some(QuickResult::Stored { queue_id }) => {
                tx.commit().await?;
                return Ok((new.call.id, queue_id, false));
            }
            Some(QuickResult::Replayed { call, queue_id }) => return Ok((call, queue_id, true)),
            Some(QuickResult::OtherContent) => {
                let message = "this Idempotency-Key was used with other content".to_owned();
                return Err(Error::AlreadyExists { message, metadata: Vec::new() });
            }
            // One of the same key was stored in this moment: that one decides.
            None => {}
        }
    }
}

/// Whose calls a caller sees: a client its own, an administrator all.
fn whose(caller: &Caller) -> Option<i64> {
    match caller.kind {
        CallerKind::Client { client_id } => Some(client_id),
        CallerKind::Admin => None,
    }
}

fn call_id(text: &str) -> Result<CallId, Error> {
    text.parse().map_err(|_| Error::invalid("call_id", "must be a UUID"))
}
