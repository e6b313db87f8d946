//! The methods of `AdminService` for grants, which allow clients to dial through servers.

use super::{clients, servers};
use crate::api::Error;
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::api::grpc::unary::count;
use crate::api::validate::numbering;
use crate::pb;
use crate::store::Conn;
use crate::store::clients::{self as store, Grant};

/// Creates a grant or replaces its limits (`AdminService.SetGrant`).
pub async fn set(mut change: Change, request: pb::SetGrantRequest) -> Result<pb::SetGrantResponse, Error> {
    let extensions = numbering::extensions(&request.extensions, change.violations())?;
    let mut tx = change.begin().await?;
    clients::find(&mut tx, request.client_id).await?;
    servers::find(&mut tx, &request.asterisk_server_code).await?;
    let grant = Grant {
        client_id: request.client_id,
        server_code: request.asterisk_server_code,
        max_live_calls: request.max_live_calls,
        calls_per_second: request.calls_per_second,
        extensions: serde_json::to_string(&extensions).map_err(Error::internal)?,
    };
    let before = granted(&mut tx, request.client_id, &grant.server_code).await?;
    store::set_grant(&mut tx, &grant).await?;
    let (target, grant) = (target(&grant), convert::grant(grant)?);
    let changed = match before {
        Some(before) => Changed::from_to(&before, &grant)?,
        None => Changed::created(&grant)?,
    };
    tx.commit(target, changed).await?;
    Ok(pb::SetGrantResponse { grant: Some(grant) })
}

/// Returns all grants of a client (`AdminService.ListGrants`).
pub async fn list(app: App, request: pb::ListGrantsRequest) -> Result<pb::ListGrantsResponse, Error> {
    let mut conn = app.db.read().await?;
    clients::find(&mut conn, request.client_id).await?;
    let found = store::grants(&mut conn, request.client_id).await?;
    let results = found.into_iter().map(convert::grant).collect::<Result<Vec<_>, _>>()?;
    Ok(pb::ListGrantsResponse { count: count(&results), results })
}

/// Deletes the grant of a client for a server (`AdminService.DeleteGrant`).
pub async fn delete(change: Change, request: pb::DeleteGrantRequest) -> Result<pb::DeleteGrantResponse, Error> {
    let (client_id, code) = (request.client_id, request.asterisk_server_code);
    let mut tx = change.begin().await?;
    let before = granted(&mut tx, client_id, &code).await?;
    let deleted = store::revoke_grant(&mut tx, client_id, &code).await?;
    let Some(before) = before.filter(|_| deleted) else {
        tx.rollback().await?;
        return Err(Error::NotFound(format!("grant of server {code} to client {client_id}")));
    };
    tx.commit(format!("clients/{client_id}/grants/{code}"), Changed::deleted(&before)?).await?;
    Ok(pb::DeleteGrantResponse {})
}

/// Returns the grant of a client for a server, if there is one.
async fn granted(conn: &mut Conn, client_id: i64, code: &str) -> Result<Option<pb::Grant>, Error> {
    let found = store::grants(conn, client_id).await?.into_iter().find(|grant| grant.server_code == code);
    found.map(convert::grant).transpose()
}

fn target(grant: &Grant) -> String {
    format!("clients/{}/grants/{}", grant.client_id, grant.server_code)
}
