//! The methods of `AdminService` for Asterisk servers.

use crate::ami::{self, probe};
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::api::grpc::unary::count;
use crate::api::validate::{admin, patch};
use crate::api::{Error, Reason};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::secrets::Place;
use crate::store::servers::{self, Removal};
use crate::store::{Conn, StoreError};

/// Adds an Asterisk server and wakes the dialer (`AdminService.CreateServer`).
pub async fn create(mut change: Change, request: pb::CreateServerRequest) -> Result<pb::CreateServerResponse, Error> {
    let violations = change.violations();
    let secret = admin::Secret::New(&request.secret);
    // Secrets are sealed after the transaction has begun, so that a rotation finds those with an earlier key.
    let mut tx = change.begin().await?;
    let new = admin::server(&request, secret, &change.app.sealer, change.now, violations)?;
    let inserted = servers::insert(&mut tx, &new).await;
    inserted.map_err(|error| refused(error, &new.code))?;
    let server = find(&mut tx, &new.code).await?;
    tx.commit(target(&new.code), Changed::created(&server)?).await?;
    change.app.servers_changed.notify_one();
    Ok(pb::CreateServerResponse { server: Some(server) })
}

/// Returns all Asterisk servers with their status (`AdminService.ListServers`).
pub async fn list(app: App, _: pb::ListServersRequest) -> Result<pb::ListServersResponse, Error> {
    let states = servers::states(&mut app.db.read().await?, None).await?;
    let now = Millis::now();
    let results = states.into_iter().map(|state| convert::server(state, now)).collect::<Result<Vec<_>, _>>()?;
    Ok(pb::ListServersResponse { count: count(&results), results })
}

/// Returns the server with a code (`AdminService.GetServer`).
pub async fn get(app: App, request: pb::GetServerRequest) -> Result<pb::GetServerResponse, Error> {
    let server = find(&mut app.db.read().await?, &request.code).await?;
    Ok(pb::GetServerResponse { server: Some(server) })
}

/// Changes the fields of a server that the request sets or names (`AdminService.UpdateServer`).
pub async fn update(mut change: Change, request: pb::UpdateServerRequest) -> Result<pb::UpdateServerResponse, Error> {
    let code = request.code.clone();
    let mut violations = change.violations();
    let mut tx = change.begin().await?;
    let Some(current) = servers::get(&mut tx, &code).await? else {
        tx.rollback().await?;
        violations.finish()?;
        return Err(missing(&code));
    };
    let patched = patch::server(&current, request, &mut violations)?;
    let secret = match &patched.secret {
        Some(secret) => admin::Secret::New(secret),
        None => admin::Secret::Kept(&current.secret),
    };
    let new = admin::server(&patched.fields, secret, &change.app.sealer, change.now, violations)?;
    let before = find(&mut tx, &code).await?;
    servers::update(&mut tx, &new).await?;
    let server = find(&mut tx, &code).await?;
    let changed = Changed::from_to(&before, &server)?.with_secret_replaced(patched.secret.is_some());
    tx.commit(target(&code), changed).await?;
    change.app.servers_changed.notify_one();
    Ok(pb::UpdateServerResponse { server: Some(server) })
}

/// Removes a server that no call needs (`AdminService.DeleteServer`).
pub async fn delete(change: Change, request: pb::DeleteServerRequest) -> Result<pb::DeleteServerResponse, Error> {
    let code = request.code;
    let mut tx = change.begin().await?;
    let before = servers::states(&mut tx, Some(&code)).await?.pop();
    let before = before.map(|state| convert::server(state, change.now)).transpose()?;
    match servers::remove(&mut tx, &code, change.now).await? {
        Removal::Done => {
            let changed = before.map(|before| Changed::deleted(&before)).transpose()?.unwrap_or_default();
            tx.commit(target(&code), changed).await?;
        }
        Removal::NoSuchServer => {
            tx.rollback().await?;
            return Err(missing(&code));
        }
        Removal::InUse { waiting, live } => {
            tx.rollback().await?;
            let message = format!("server {code} is in use: {waiting} calls wait for it, {live} are live on it");
            return Err(Error::FailedPrecondition { reason: Reason::ServerInUse, message });
        }
    }
    change.app.servers_changed.notify_one();
    Ok(pb::DeleteServerResponse {})
}

/// Logs in to a server and returns what dialing needs but did not find (`AdminService.TestServer`).
pub async fn test(app: App, request: pb::TestServerRequest) -> Result<pb::TestServerResponse, Error> {
    let found = servers::get(&mut app.db.read().await?, &request.code).await?;
    let server = found.ok_or_else(|| missing(&request.code))?;
    let secret = match app.sealer.open(&server.secret, &Place::Server(server.code.clone())) {
        Ok(secret) => secret,
        Err(error) => return Ok(failed(error.to_string())),
    };
    let port = u16::try_from(server.port).unwrap_or(0);
    let options = ami::Options::new(server.host, port, server.username, secret, server.tls);
    let warnings: Vec<String> = options.warning().into_iter().collect();
    Ok(match probe::run(&options).await {
        Ok(found) => pb::TestServerResponse {
            warnings: warnings.into_iter().chain(found.warnings).collect(),
            ok: found.missing.is_empty(),
            asterisk_version: found.asterisk_version,
            login_ms: Some(i32::try_from(found.login.as_millis()).unwrap_or(i32::MAX)),
            missing: found.missing.into_iter().map(|missing| missing.to_string()).collect(),
        },
        Err(error) => pb::TestServerResponse { warnings, ..failed(error.to_string()) },
    })
}

/// Returns the server with a code, or a NOT_FOUND error.
pub async fn find(conn: &mut Conn, code: &str) -> Result<pb::Server, Error> {
    let found = servers::states(conn, Some(code)).await?.pop();
    convert::server(found.ok_or_else(|| missing(code))?, Millis::now())
}

fn failed(why: String) -> pb::TestServerResponse {
    pb::TestServerResponse { missing: vec![why], ..pb::TestServerResponse::default() }
}

fn refused(error: StoreError, code: &str) -> Error {
    if error.is_duplicate() {
        return Error::AlreadyExists {
            message: format!("a server with the code {code} already exists"),
            metadata: Vec::new(),
        };
    }
    error.into()
}

fn missing(code: &str) -> Error {
    Error::NotFound(format!("server {code}"))
}

fn target(code: &str) -> String {
    format!("servers/{code}")
}
