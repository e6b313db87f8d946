//! The methods of `AdminService` for Asterisk servers.

use serde_json::json;

use crate::ami::{self, probe};
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::api::grpc::unary::count;
use crate::api::validate::{admin, patch};
use crate::api::{At, Error, Reason, Violations};
use crate::domain::time::Millis;
use crate::pb;
use crate::store::secrets::Place;
use crate::store::servers::{self, Removal};
use crate::store::{Conn, StoreError, waiting};

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

/// Removes a server on which no call is live, after the calls that wait for it were canceled or moved, if the request says
/// so (`AdminService.DeleteServer`).
pub async fn delete(mut change: Change, request: pb::DeleteServerRequest) -> Result<pb::DeleteServerResponse, Error> {
    let mut violations = change.violations();
    let code = &request.code;
    let mut done = pb::DeleteServerResponse::default();
    let fate = Fate::of(&change, &request, &mut violations).await?;
    violations.finish()?;
    if let Some(fate) = &fate {
        announce(&change, code, fate).await?;
    }
    loop {
        let before = (done.canceled_count, done.moved_count);
        let db = &change.app.db;
        match &fate {
            None => {}
            Some(Fate::Cancel) => done.canceled_count += waiting::cancel_on_server(db, code, change.now).await?,
            Some(Fate::MoveTo(to)) => done.moved_count += waiting::move_to_server(db, code, to, change.now).await?,
        }
        let went_on = before != (done.canceled_count, done.moved_count);
        match remove(&change, code, done).await? {
            Removal::Done => break,
            Removal::NoSuchServer => return Err(missing(code)),
            // Calls were inserted for it in the meantime.
            Removal::InUse { live: 0, .. } if went_on => {}
            Removal::InUse { waiting, live } => return Err(in_use(code, waiting, live, done)),
        }
    }
    change.app.servers_changed.notify_one();
    Ok(done)
}

/// What becomes of the calls that wait for a server which is removed.
enum Fate {
    Cancel,
    /// They are moved to the server with this code.
    MoveTo(String),
}

impl Fate {
    async fn of(
        change: &Change,
        request: &pb::DeleteServerRequest,
        violations: &mut Violations,
    ) -> Result<Option<Self>, Error> {
        let at = At::field("move_waiting_to");
        let Some(to) = request.move_waiting_to.clone() else {
            return Ok(request.cancel_waiting.then_some(Self::Cancel));
        };
        let mut conn = change.app.db.read().await?;
        if request.cancel_waiting {
            violations.invalid(&at, "cannot be given together with cancel_waiting");
        } else if to == request.code {
            violations.invalid(&at, "must be another server than the one to remove");
        } else if servers::get(&mut conn, &to).await?.is_none() {
            violations.invalid_if_new(&at, format_args!("server {to} does not exist"));
        } else {
            let clients = waiting::without_grant(&mut conn, &request.code, &to).await?;
            if !clients.is_empty() {
                let names = clients.join(", ");
                violations
                    .invalid(&at, format_args!("these clients have waiting calls and no grant for {to}: {names}"));
            }
        }
        Ok(Some(Self::MoveTo(to)))
    }
}

/// Refuses a server that does not exist or on which calls are live, before anything is done with those that wait. Notes
/// in the audit what is going to be done with these.
async fn announce(change: &Change, code: &str, fate: &Fate) -> Result<(), Error> {
    let mut tx = change.begin().await?;
    let exists = servers::get(&mut tx, code).await?.is_some();
    let (waiting, live) = servers::open_calls(&mut tx, code).await?;
    if !exists || live > 0 {
        tx.rollback().await?;
        let none = pb::DeleteServerResponse::default();
        return Err(if exists { in_use(code, waiting, live, none) } else { missing(code) });
    }
    let noted = match fate {
        Fate::Cancel => json!({ "waiting": waiting, "cancel_waiting": true }),
        Fate::MoveTo(to) => json!({ "waiting": waiting, "move_waiting_to": to }),
    };
    tx.commit(target(code), Changed::created(&noted)?).await
}

/// Removes the server unless it has calls.
async fn remove(change: &Change, code: &str, done: pb::DeleteServerResponse) -> Result<Removal, Error> {
    let mut tx = change.begin().await?;
    let before = servers::states(&mut tx, Some(code)).await?.pop();
    let before = before.map(|state| convert::server(state, change.now)).transpose()?;
    let removal = servers::remove(&mut tx, code, change.now).await?;
    if removal == Removal::Done {
        let changed = before.map(|before| Changed::deleted(&before)).transpose()?.unwrap_or_default();
        tx.commit(target(code), changed.with_counts(done.canceled_count, done.moved_count)).await?;
    } else {
        tx.rollback().await?;
    }
    Ok(removal)
}

fn in_use(code: &str, waiting: i64, live: i64, done: pb::DeleteServerResponse) -> Error {
    let pb::DeleteServerResponse { canceled_count, moved_count } = done;
    let mut message = format!("server {code} is in use: {waiting} calls wait for it, {live} are live on it");
    if canceled_count + moved_count > 0 {
        message += &format!("; {canceled_count} waiting calls were canceled and {moved_count} moved before");
    }
    Error::FailedPrecondition { reason: Reason::ServerInUse, message }
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
