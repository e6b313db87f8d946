//! The method of `AdminService` for the brake on clients that call new destinations.

use serde::Serialize;

use super::clients;
use crate::api::Error;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::domain::time::Millis;
use crate::pb;
use crate::store::brakes;

/// What the audit says of a brake.
#[derive(Serialize)]
struct State {
    braked_at: Option<String>,
    new_destinations: Vec<String>,
}

/// Releases the brake on a client (`AdminService.ReleaseBrake`).
pub async fn release(change: Change, request: pb::ReleaseBrakeRequest) -> Result<pb::ReleaseBrakeResponse, Error> {
    let id = request.client_id;
    let mut tx = change.begin().await?;
    clients::find(&mut tx, id).await?;
    let released = brakes::release(&mut tx, id, change.now).await?;
    let before = State {
        braked_at: released.braked_at.map(Millis::to_rfc3339),
        new_destinations: released.destinations.clone(),
    };
    let after = State { braked_at: None, new_destinations: Vec::new() };
    tx.commit(format!("clients/{id}"), Changed::from_to(&before, &after)?).await?;
    let braked_at = released.braked_at.and_then(|at| convert::time(at.0));
    Ok(pb::ReleaseBrakeResponse { braked_at, destinations: released.destinations })
}
