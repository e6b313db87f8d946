//! Clients, keys and servers. The authentication layer lets only admin keys get here.

use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};

use super::{App, convert, whole};
use crate::api::Error;
use crate::api::auth::{ApiKey, NewKey};
use crate::api::validate::{admin, paging::Page};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::keys::{self, Key};
use crate::store::{Conn, Tx, clients, servers};

/// Serves `AdminService`.
pub struct Admin(pub App);

#[tonic::async_trait]
impl pb::admin_service_server::AdminService for Admin {
    async fn create_client(
        &self,
        request: Request<pb::CreateClientRequest>,
    ) -> Result<Response<pb::CreateClientResponse>, Status> {
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let mut conn = app.db.read().await?;
            let new = admin::client(&request, &servers::list(&mut conn).await?)?;
            if clients::by_name(&mut conn, &new.name).await?.is_some() {
                return Err(taken("client", &new.name));
            }
            let now = Millis::now();
            let mut tx = app.db.begin().await?;
            let created = clients::create(&mut tx, &new, now).await;
            let id = created
                .map_err(|error| if error.is_duplicate() { taken("client", &new.name) } else { error.into() })?;
            let key = make_key(&app, &mut tx, id, None, now).await?;
            tx.commit().await?;
            let mut client = find_client(&mut conn, id).await?;
            client.api_key = Some(key.plaintext.expose_secret().to_owned());
            Ok(pb::CreateClientResponse { client: Some(client) })
        })
        .await
    }

    async fn list_clients(
        &self,
        request: Request<pb::ListClientsRequest>,
    ) -> Result<Response<pb::ListClientsResponse>, Status> {
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let page = Page::new(request.page, request.page_size)?;
            let mut conn = app.db.read().await?;
            let (found, count) = clients::list(&mut conn, page.offset(), page.limit()).await?;
            let mut results = Vec::with_capacity(found.len());
            for client in found {
                let servers = clients::granted(&mut conn, client.id).await?;
                results.push(convert::client(client, servers)?);
            }
            Ok(pb::ListClientsResponse { results, count, page: page.number, page_size: page.size })
        })
        .await
    }

    async fn get_client(
        &self,
        request: Request<pb::GetClientRequest>,
    ) -> Result<Response<pb::GetClientResponse>, Status> {
        let (app, id) = (self.0.clone(), request.into_inner().client_id);
        whole(async move {
            let client = find_client(&mut app.db.read().await?, id).await?;
            Ok(pb::GetClientResponse { client: Some(client) })
        })
        .await
    }

    async fn create_key(
        &self,
        request: Request<pb::CreateKeyRequest>,
    ) -> Result<Response<pb::CreateKeyResponse>, Status> {
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let now = Millis::now();
            let expires_at = request.expires_at.map(jiff::Timestamp::try_from).transpose();
            let expires_at = expires_at.map_err(|error| Error::invalid("expires_at", error.to_string()))?;
            let expires_at = expires_at.map(|time| Millis(time.as_millisecond()));
            if expires_at.is_some_and(|end| end <= now) {
                return Err(Error::invalid("expires_at", "has passed"));
            }
            find_client(&mut app.db.read().await?, request.client_id).await?;
            let mut tx = app.db.begin().await?;
            let new = make_key(&app, &mut tx, request.client_id, expires_at, now).await?;
            tx.commit().await?;
            let key = pb::Key {
                api_key: Some(new.plaintext.expose_secret().to_owned()),
                ..convert::key(stored(&new, request.client_id, expires_at, now))
            };
            Ok(pb::CreateKeyResponse { key: Some(key) })
        })
        .await
    }

    async fn list_keys(&self, request: Request<pb::ListKeysRequest>) -> Result<Response<pb::ListKeysResponse>, Status> {
        let (app, client_id) = (self.0.clone(), request.into_inner().client_id);
        whole(async move {
            let mut conn = app.db.read().await?;
            find_client(&mut conn, client_id).await?;
            let results: Vec<pb::Key> = keys::list(&mut conn, client_id).await?.into_iter().map(convert::key).collect();
            let count = i64::try_from(results.len()).unwrap_or(i64::MAX);
            Ok(pb::ListKeysResponse { results, count })
        })
        .await
    }

    async fn revoke_key(
        &self,
        request: Request<pb::RevokeKeyRequest>,
    ) -> Result<Response<pb::RevokeKeyResponse>, Status> {
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let mut tx = app.db.begin().await?;
            let revoked = keys::revoke(&mut tx, request.client_id, &request.key_id, Millis::now()).await?;
            let key = revoked.ok_or_else(|| Error::NotFound(format!("key {}", request.key_id)))?;
            tx.commit().await?;
            Ok(pb::RevokeKeyResponse { key: Some(convert::key(key)) })
        })
        .await
    }

    async fn create_server(
        &self,
        request: Request<pb::CreateServerRequest>,
    ) -> Result<Response<pb::CreateServerResponse>, Status> {
        let (app, request) = (self.0.clone(), request.into_inner());
        whole(async move {
            let new = admin::server(&request, &app.sealer, Millis::now())?;
            let mut tx = app.db.begin().await?;
            let inserted = servers::insert(&mut tx, &new).await;
            inserted.map_err(|error| if error.is_duplicate() { taken("server", &new.code) } else { error.into() })?;
            tx.commit().await?;
            app.servers_changed.notify_one();
            let server = find_server(&mut app.db.read().await?, &new.code).await?;
            Ok(pb::CreateServerResponse { server: Some(server) })
        })
        .await
    }

    async fn list_servers(
        &self,
        _request: Request<pb::ListServersRequest>,
    ) -> Result<Response<pb::ListServersResponse>, Status> {
        let app = self.0.clone();
        whole(async move {
            let states = servers::states(&mut app.db.read().await?, None).await?;
            let results = states.into_iter().map(convert::server).collect::<Result<Vec<_>, _>>()?;
            let count = i64::try_from(results.len()).unwrap_or(i64::MAX);
            Ok(pb::ListServersResponse { results, count })
        })
        .await
    }

    async fn get_server(
        &self,
        request: Request<pb::GetServerRequest>,
    ) -> Result<Response<pb::GetServerResponse>, Status> {
        let (app, code) = (self.0.clone(), request.into_inner().code);
        whole(async move {
            let server = find_server(&mut app.db.read().await?, &code).await?;
            Ok(pb::GetServerResponse { server: Some(server) })
        })
        .await
    }
}

async fn find_client(conn: &mut Conn, id: i64) -> Result<pb::Client, Error> {
    let client = clients::get(conn, id).await?.ok_or_else(|| Error::NotFound(format!("client {id}")))?;
    let servers = clients::granted(conn, id).await?;
    convert::client(client, servers)
}

async fn find_server(conn: &mut Conn, code: &str) -> Result<pb::Server, Error> {
    let found = servers::states(conn, Some(code)).await?.pop();
    convert::server(found.ok_or_else(|| Error::NotFound(format!("server {code}")))?)
}

async fn make_key(
    app: &App,
    tx: &mut Tx,
    client_id: i64,
    expires_at: Option<Millis>,
    now: Millis,
) -> Result<NewKey, Error> {
    let new = ApiKey::generate(app.client_keys);
    keys::insert(tx, &stored(&new, client_id, expires_at, now)).await?;
    Ok(new)
}

fn stored(new: &NewKey, client_id: i64, expires_at: Option<Millis>, now: Millis) -> Key {
    Key {
        id: new.key_id.clone(),
        client_id,
        secret_sha256: new.secret_sha256.to_vec(),
        created_at: now.0,
        expires_at: expires_at.map(|end| end.0),
        revoked_at: None,
        last_used_at: None,
    }
}

fn taken(what: &str, name: &str) -> Error {
    Error::AlreadyExists { message: format!("there is a {what} {name} already"), metadata: Vec::new() }
}
