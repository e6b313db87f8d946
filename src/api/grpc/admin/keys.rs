//! The methods of `AdminService` for the API keys of clients. A secret is shown once and never stored.

use secrecy::ExposeSecret;

use super::clients;
use super::new_key::{Terms, make};
use crate::api::Error;
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::api::grpc::unary::count;
use crate::api::validate::keys as rules;
use crate::domain::scope::Scope;
use crate::pb;
use crate::store::keys;

/// Creates another API key for a client (`AdminService.CreateKey`).
pub async fn create(mut change: Change, request: pb::CreateKeyRequest) -> Result<pb::CreateKeyResponse, Error> {
    let client_id = request.client_id;
    let mut violations = change.violations();
    let terms = Terms {
        expires_at: rules::expires_at(request.expires_at, change.now, &mut violations),
        scope: if request.scope() == pb::Scope::Read { Scope::Read } else { Scope::Write },
        networks: rules::networks(&request.networks, &mut violations),
    };
    violations.finish()?;
    let mut tx = change.begin().await?;
    clients::find(&mut tx, client_id).await?;
    let (new, stored) = make(&change, &mut tx, client_id, &terms).await?;
    let key = convert::key(stored)?;
    tx.commit(target(client_id, &new.key_id), Changed::created(&key)?).await?;
    let api_key = Some(new.plaintext.expose_secret().to_owned());
    let key = pb::Key { api_key, warnings: change.warnings, ..key };
    Ok(pb::CreateKeyResponse { key: Some(key) })
}

/// Returns a client's keys without their secrets (`AdminService.ListKeys`).
pub async fn list(app: App, request: pb::ListKeysRequest) -> Result<pb::ListKeysResponse, Error> {
    let mut conn = app.db.read().await?;
    clients::find(&mut conn, request.client_id).await?;
    let found = keys::list(&mut conn, request.client_id).await?;
    let results = found.into_iter().map(convert::key).collect::<Result<Vec<_>, _>>()?;
    Ok(pb::ListKeysResponse { count: count(&results), results })
}

/// Revokes an API key of a client (`AdminService.RevokeKey`).
pub async fn revoke(change: Change, request: pb::RevokeKeyRequest) -> Result<pb::RevokeKeyResponse, Error> {
    let mut tx = change.begin().await?;
    let before = keys::find(&mut tx, &request.key_id).await?;
    let revoked = keys::revoke(&mut tx, request.client_id, &request.key_id, change.now).await?;
    let Some(((before, _), key)) = before.zip(revoked) else {
        tx.rollback().await?;
        return Err(Error::NotFound(format!("key {}", request.key_id)));
    };
    let target = target(request.client_id, &key.id);
    let (before, key) = (convert::key(before)?, convert::key(key)?);
    tx.commit(target, Changed::from_to(&before, &key)?).await?;
    Ok(pb::RevokeKeyResponse { key: Some(key) })
}

fn target(client_id: i64, key_id: &str) -> String {
    format!("clients/{client_id}/keys/{key_id}")
}
