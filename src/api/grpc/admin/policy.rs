//! The methods of `AdminService` for the dial policy that holds for all clients.

use crate::api::Error;
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::pb;
use crate::store::settings::{self, PlatformPolicy};

/// Returns the dial policy that holds for all clients (`AdminService.GetPlatformPolicy`).
pub async fn get(app: App, _: pb::GetPlatformPolicyRequest) -> Result<pb::GetPlatformPolicyResponse, Error> {
    let (policy, _) = settings::get::<PlatformPolicy>(&mut app.db.read().await?).await?;
    Ok(pb::GetPlatformPolicyResponse { policy: Some(answer(policy)) })
}

/// Replaces the dial policy that holds for all clients (`AdminService.SetPlatformPolicy`).
pub async fn set(
    change: Change,
    request: pb::SetPlatformPolicyRequest,
) -> Result<pb::SetPlatformPolicyResponse, Error> {
    let mut tx = change.begin().await?;
    let allow_premium_rate = request.allow_premium_rate.unwrap_or(false);
    let policy = PlatformPolicy { denied_prefixes: request.denied_prefixes, allow_premium_rate };
    let (before, _) = settings::get::<PlatformPolicy>(&mut tx).await?;
    settings::set(&mut tx, &policy, change.now).await?;
    let policy = answer(policy);
    tx.commit("policy".to_owned(), Changed::from_to(&answer(before), &policy)?).await?;
    Ok(pb::SetPlatformPolicyResponse { policy: Some(policy) })
}

fn answer(policy: PlatformPolicy) -> pb::PlatformPolicy {
    let allow_premium_rate = policy.allow_premium_rate.then_some(true);
    pb::PlatformPolicy { denied_prefixes: policy.denied_prefixes, allow_premium_rate }
}
