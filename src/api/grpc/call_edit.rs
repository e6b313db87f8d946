//! Changes single calls that wait (`CallService.UpdateCall`).

use super::call_operations::target;
use super::change::Change;
use super::changed::Changed;
use super::convert;
use crate::api::validate::call_edit;
use crate::api::{Error, Reason};
use crate::domain::ids::CallId;
use crate::pb;
use crate::store::{call_edits, calls};

/// Changes a call; `access` is the client that asks, None for an administrator.
pub async fn update(
    change: Change,
    access: Option<i64>,
    request: pb::UpdateCallRequest,
) -> Result<pb::UpdateCallResponse, Error> {
    let edit = call_edit::edit(&request, change.now)?;
    let id: CallId = request.call_id.parse().map_err(Error::internal)?;
    let mut tx = change.begin().await?;
    loop {
        let Some(call) = calls::get(&mut tx, access, id).await? else {
            tx.rollback().await?;
            return Err(Error::NotFound(format!("call {id}")));
        };
        let status = call.status()?;
        if !status.waits() {
            tx.rollback().await?;
            let message = format!("call {id} {}", if status.is_live() { "is live" } else { "has ended" });
            return Err(Error::FailedPrecondition { reason: Reason::CallStatus, message });
        }
        if let Err(wrong) = call_edit::fits(&edit, &call) {
            tx.rollback().await?;
            return Err(wrong);
        }
        // If a lane claimed the call since it was read, it is read again.
        let Some(edited) = call_edits::edit(&mut tx, &call, edit, change.now).await? else { continue };
        let (before, after) = (convert::call(call, access)?, convert::call(edited, access)?);
        tx.commit(target(Some(id)), Changed::from_to(&before, &after)?).await?;
        return Ok(pb::UpdateCallResponse { call: Some(after) });
    }
}
