//! Serves `ClientService`: what a client asks about itself, and its do-not-call list.

use serde_json::json;
use tonic::{Request, Response, Status};

use super::app::App;
use super::change::Change;
use super::changed::Changed;
use super::convert;
use super::do_not_call as lists;
use super::unary::run_to_completion;
use crate::api::auth::{Caller, CallerKind};
use crate::api::validate::{do_not_call as rules, paging::Page};
use crate::api::{Error, fields};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::{clients, do_not_call};

/// The implementation of `ClientService`.
pub struct Clients(pub App);

#[tonic::async_trait]
impl pb::client_service_server::ClientService for Clients {
    async fn test_connection(
        &self,
        request: Request<pb::TestConnectionRequest>,
    ) -> Result<Response<pb::TestConnectionResponse>, Status> {
        let (app, caller) = (self.0.clone(), Caller::of(&request)?.clone());
        run_to_completion(async move {
            let server_time = convert::time(Millis::now().0);
            let mut conn = app.db.read().await?;
            let CallerKind::Client { client_id } = caller.kind else {
                let name = "admin".to_owned();
                return Ok(pb::TestConnectionResponse { name, server_time, ..Default::default() });
            };
            let client = clients::get(&mut conn, client_id).await?.ok_or(Error::Unauthenticated)?;
            Ok(pb::TestConnectionResponse {
                client_id: Some(client.id),
                name: client.name,
                account_code: Some(client.account_code),
                servers: clients::granted(&mut conn, client_id).await?,
                server_time,
            })
        })
        .await
    }

    async fn list_do_not_call(
        &self,
        request: Request<pb::ListDoNotCallRequest>,
    ) -> Result<Response<pb::ListDoNotCallResponse>, Status> {
        let client_id = Caller::of(&request)?.acts_for(request.get_ref().client_id)?;
        let (app, request) = (self.0.clone(), request.into_inner());
        run_to_completion(async move {
            fields::check(&request)?;
            let page = Page::new(request.page, request.page_size);
            let mut conn = app.db.read().await?;
            app.client(&mut conn, client_id).await?;
            let (results, count) = lists::list(&mut conn, client_id, request.number.as_deref(), page).await?;
            Ok(pb::ListDoNotCallResponse { results, count, page: page.number, page_size: page.size })
        })
        .await
    }

    async fn add_do_not_call(
        &self,
        request: Request<pb::AddDoNotCallRequest>,
    ) -> Result<Response<pb::AddDoNotCallResponse>, Status> {
        let client_id = Caller::of(&request)?.acts_for(request.get_ref().client_id)?;
        let change = Change::by_caller(self.0.clone(), "AddDoNotCall", &request)?;
        let request = request.into_inner();
        run_to_completion(async move {
            fields::check(&request)?;
            let numbers = rules::numbers(request.numbers);
            let mut tx = change.begin().await?;
            change.app.client(&mut tx, client_id).await?;
            let added = do_not_call::add(&mut tx, client_id, &numbers, change.now).await?;
            tx.commit(target(client_id), Changed::created(&json!({ "added_count": added }))?).await?;
            Ok(pb::AddDoNotCallResponse { added_count: i32::try_from(added).unwrap_or(i32::MAX) })
        })
        .await
    }

    async fn remove_do_not_call(
        &self,
        request: Request<pb::RemoveDoNotCallRequest>,
    ) -> Result<Response<pb::RemoveDoNotCallResponse>, Status> {
        let client_id = Caller::of(&request)?.acts_for(request.get_ref().client_id)?;
        let change = Change::by_caller(self.0.clone(), "RemoveDoNotCall", &request)?;
        let request = request.into_inner();
        run_to_completion(async move {
            fields::check(&request)?;
            let number = rules::canonical(&request.number);
            let mut tx = change.begin().await?;
            if !do_not_call::remove(&mut tx, client_id, &number).await? {
                tx.rollback().await?;
                return Err(rules::not_listed(&number));
            }
            tx.commit(target(client_id), Changed::deleted(&json!({ "number": number }))?).await?;
            Ok(pb::RemoveDoNotCallResponse {})
        })
        .await
    }
}

/// Returns the name of a client's do-not-call list in the audit.
fn target(client_id: i64) -> String {
    format!("clients/{client_id}/do-not-call")
}
