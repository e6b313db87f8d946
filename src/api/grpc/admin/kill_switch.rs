//! The methods of `AdminService` for the kill switch, which stops all new calls.

use crate::api::Error;
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::convert;
use crate::domain::time::Millis;
use crate::pb;
use crate::store::settings::{self, KillSwitch};

/// Engages or releases the kill switch (`AdminService.SetKillSwitch`).
pub async fn set(change: Change, request: pb::SetKillSwitchRequest) -> Result<pb::SetKillSwitchResponse, Error> {
    let mut tx = change.begin().await?;
    let switch = KillSwitch { engaged: request.engaged.unwrap_or_default(), reason: request.reason };
    let (before, set_at) = settings::get::<KillSwitch>(&mut tx).await?;
    settings::set(&mut tx, &switch, change.now).await?;
    let switch = answer(switch, Some(change.now));
    tx.commit("kill-switch".to_owned(), Changed::from_to(&answer(before, set_at), &switch)?).await?;
    Ok(pb::SetKillSwitchResponse { kill_switch: Some(switch) })
}

/// Returns the state of the kill switch (`AdminService.GetKillSwitch`).
pub async fn get(app: App, _: pb::GetKillSwitchRequest) -> Result<pb::GetKillSwitchResponse, Error> {
    let (switch, changed_at) = settings::get::<KillSwitch>(&mut app.db.read().await?).await?;
    Ok(pb::GetKillSwitchResponse { kill_switch: Some(answer(switch, changed_at)) })
}

fn answer(switch: KillSwitch, changed_at: Option<Millis>) -> pb::KillSwitch {
    let changed_at = changed_at.and_then(|time| convert::time(time.0));
    pb::KillSwitch { engaged: switch.engaged, reason: switch.reason, changed_at }
}
