//! What a client can ask about itself.

use tonic::{Request, Response, Status};

use super::{App, convert, whole};
use crate::api::Error;
use crate::api::auth::{Caller, CallerKind};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::clients;

/// Serves `ClientService`.
pub struct Clients(pub App);

#[tonic::async_trait]
impl pb::client_service_server::ClientService for Clients {
    async fn test_connection(
        &self,
        request: Request<pb::TestConnectionRequest>,
    ) -> Result<Response<pb::TestConnectionResponse>, Status> {
        let (app, caller) = (self.0.clone(), Caller::of(&request)?.clone());
        whole(async move {
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
}
