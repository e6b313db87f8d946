//! The methods of `AdminService` for the keys of administrators. A secret is shown once and never stored.

use secrecy::ExposeSecret;

use super::new_key;
use crate::api::auth::{ApiKey, BOOTSTRAP, KeyKind};
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::api::grpc::unary::count;
use crate::api::validate::keys as rules;
use crate::api::{At, Error};
use crate::pb;
use crate::store::admin_keys::{self, AdminKey};

/// Creates the key of an administrator (`AdminService.CreateAdminKey`).
pub async fn create(
    mut change: Change,
    request: pb::CreateAdminKeyRequest,
) -> Result<pb::CreateAdminKeyResponse, Error> {
    let mut violations = change.violations();
    let expires_at = rules::expires_at(request.expires_at, change.now, &mut violations);
    let networks = rules::networks(&request.networks, &mut violations);
    if request.name == BOOTSTRAP {
        violations.invalid(&At::field("name"), "is the name of the configured admin key");
    }
    violations.finish()?;
    let mut tx = change.begin().await?;
    if admin_keys::has_name(&mut tx, &request.name).await? {
        tx.rollback().await?;
        return Err(taken(&request.name));
    }
    let new = ApiKey::generate(KeyKind::Admin);
    let stored = AdminKey {
        id: new.key_id.clone(),
        name: request.name.clone(),
        secret_sha256: new.secret_sha256.to_vec(),
        networks: new_key::json(&networks)?,
        created_at: change.now.0,
        expires_at: expires_at.map(|end| end.0),
        revoked_at: None,
        last_used_at: None,
    };
    if let Err(error) = admin_keys::insert(&mut tx, &stored).await {
        // Another request took the name at the same time.
        return Err(if error.is_duplicate() { taken(&request.name) } else { error.into() });
    }
    let key = convert::admin_key(stored)?;
    tx.commit(target(&new.key_id), Changed::created(&key)?).await?;
    let api_key = Some(new.plaintext.expose_secret().to_owned());
    let key = pb::AdminKey { api_key, warnings: change.warnings, ..key };
    Ok(pb::CreateAdminKeyResponse { key: Some(key) })
}

/// Returns the keys of administrators without their secrets (`AdminService.ListAdminKeys`).
pub async fn list(app: App, _: pb::ListAdminKeysRequest) -> Result<pb::ListAdminKeysResponse, Error> {
    let found = admin_keys::list(&mut app.db.read().await?).await?;
    let results = found.into_iter().map(convert::admin_key).collect::<Result<Vec<_>, _>>()?;
    Ok(pb::ListAdminKeysResponse { count: count(&results), results })
}

/// Revokes the key of an administrator (`AdminService.RevokeAdminKey`).
pub async fn revoke(change: Change, request: pb::RevokeAdminKeyRequest) -> Result<pb::RevokeAdminKeyResponse, Error> {
    let mut tx = change.begin().await?;
    let before = admin_keys::find_all(&mut tx, std::slice::from_ref(&request.key_id)).await?.pop();
    let revoked = admin_keys::revoke(&mut tx, &request.key_id, change.now).await?;
    let Some((before, key)) = before.zip(revoked) else {
        tx.rollback().await?;
        return Err(Error::NotFound(format!("admin key {}", request.key_id)));
    };
    let target = target(&key.id);
    let (before, key) = (convert::admin_key(before)?, convert::admin_key(key)?);
    tx.commit(target, Changed::from_to(&before, &key)?).await?;
    Ok(pb::RevokeAdminKeyResponse { key: Some(key) })
}

fn target(key_id: &str) -> String {
    format!("keys/{key_id}")
}

fn taken(name: &str) -> Error {
    let message = format!("an admin key named {name} already exists or was revoked; its name stays in the audit");
    Error::AlreadyExists { message, metadata: Vec::new() }
}
