//! The methods of `AdminService` for clients.

use secrecy::ExposeSecret;

use super::new_key::{self, Terms};
use crate::api::Error;
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::api::validate::paging::Page;
use crate::api::validate::{admin, patch};
use crate::pb;
use crate::store::{Conn, StoreError, clients, servers};

/// Creates a client and its first API key (`AdminService.CreateClient`).
pub async fn create(mut change: Change, request: pb::CreateClientRequest) -> Result<pb::CreateClientResponse, Error> {
    let violations = change.violations();
    let mut tx = change.begin().await?;
    let new = admin::client(&request, &servers::list(&mut tx).await?, violations)?;
    if clients::by_name(&mut tx, &new.name).await?.is_some() {
        tx.rollback().await?;
        return Err(taken(&new.name));
    }
    let id = clients::create(&mut tx, &new, change.now).await.map_err(|error| refused(error, &new.name))?;
    let (key, _) = new_key::make(&change, &mut tx, id, &Terms::default()).await?;
    let mut client = find(&mut tx, id).await?;
    tx.commit(format!("clients/{id}"), Changed::created(&client)?).await?;
    client.api_key = Some(key.plaintext.expose_secret().to_owned());
    Ok(pb::CreateClientResponse { client: Some(client) })
}

/// Returns a page of all clients (`AdminService.ListClients`).
pub async fn list(app: App, request: pb::ListClientsRequest) -> Result<pb::ListClientsResponse, Error> {
    let page = Page::new(request.page, request.page_size);
    let mut conn = app.db.read().await?;
    let (found, count) = clients::list(&mut conn, page.offset(), page.limit()).await?;
    let mut results = Vec::with_capacity(found.len());
    for client in found {
        let servers = clients::granted(&mut conn, client.id).await?;
        results.push(convert::client(client, servers)?);
    }
    Ok(pb::ListClientsResponse { results, count, page: page.number, page_size: page.size })
}

/// Returns the client with an id (`AdminService.GetClient`).
pub async fn get(app: App, request: pb::GetClientRequest) -> Result<pb::GetClientResponse, Error> {
    let client = find(&mut app.db.read().await?, request.client_id).await?;
    Ok(pb::GetClientResponse { client: Some(client) })
}

/// Changes the fields of a client that the request sets or names (`AdminService.UpdateClient`).
pub async fn update(mut change: Change, request: pb::UpdateClientRequest) -> Result<pb::UpdateClientResponse, Error> {
    let id = request.client_id;
    let mut violations = change.violations();
    let mut tx = change.begin().await?;
    let current = find(&mut tx, id).await;
    // A broken rule, as that of an id below 1, is reported before a client that does not exist.
    let current = current.or_else(|missing| violations.clone().finish().and(Err(missing)))?;
    let patched = patch::client(current.clone(), request, &mut violations)?;
    let new = admin::client(&patched.fields, &servers::list(&mut tx).await?, violations)?;
    if clients::by_name(&mut tx, &new.name).await?.is_some_and(|other| other.id != id) {
        tx.rollback().await?;
        return Err(taken(&new.name));
    }
    let updated = clients::update(&mut tx, id, &new, patched.disabled, change.now).await;
    updated.map_err(|error| refused(error, &new.name))?;
    let client = find(&mut tx, id).await?;
    tx.commit(format!("clients/{id}"), Changed::from_to(&current, &client)?).await?;
    Ok(pb::UpdateClientResponse { client: Some(client) })
}

/// Returns the client with an id, or a NOT_FOUND error.
pub async fn find(conn: &mut Conn, id: i64) -> Result<pb::Client, Error> {
    let client = clients::get(conn, id).await?.ok_or_else(|| Error::NotFound(format!("client {id}")))?;
    let servers = clients::granted(conn, id).await?;
    convert::client(client, servers)
}

/// Converts an error of the store. A duplicate means that another client got the name at the same time.
fn refused(error: StoreError, name: &str) -> Error {
    if error.is_duplicate() { taken(name) } else { error.into() }
}

fn taken(name: &str) -> Error {
    Error::AlreadyExists { message: format!("a client named {name} already exists"), metadata: Vec::new() }
}
