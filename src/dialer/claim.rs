//! Claims: what turns a call that waits into an attempt on record, and what an Originate of it needs.

use std::collections::HashMap;

use tracing::error;

use super::tracker::Tracker;
use super::wire;
use crate::ami::Originate;
use crate::domain::ids::{AttemptId, CallId, channel_id};
use crate::domain::originate::Plan;
use crate::domain::time::Millis;
use crate::store::calls::Call;
use crate::store::journal::{CallRef, Claim};

/// A claim on its way through the store, with what its Originate needs.
pub struct Claiming {
    pub claim: Claim,
    pub call: Call,
    pub plan: Plan,
    pub originate: Originate,
}

/// Names a call where it is written about.
pub fn call_ref(call: &Call) -> CallRef {
    CallRef { id: call.id.into(), client_id: call.client_id, queue_id: call.queue_id }
}

/// The call's own channel id is taken by a live one, or about to be.
pub fn is_blocked(tracker: &Tracker, claiming: &HashMap<CallId, Claiming>, call: &Call) -> bool {
    let Ok(plan) = call.plan() else { return false };
    let Some(own) = plan.channel_id else { return false };
    let id = channel_id(Some(&own), AttemptId(uuid::Uuid::nil()), call.attempts + 1);
    tracker.blocks(&id) || claiming.values().any(|claiming| claiming.claim.channel_id.starts_with(&id))
}

/// Makes a claim of a call. None, and a loud line, where the stored call cannot be understood.
pub fn claim(call: Call, at: Millis) -> Option<Claiming> {
    let attempt = AttemptId::new();
    let number = call.attempts + 1;
    let made = (|| {
        let plan = call.plan().map_err(|error| error.to_string())?;
        let from = call.status().map_err(|error| error.to_string())?;
        let channel_id = channel_id(plan.channel_id.as_deref(), attempt, number);
        let originate = wire::originate(&call, &plan, &channel_id).map_err(|error| error.to_string())?;
        Ok::<_, String>((plan, from, channel_id, originate))
    })();
    match made {
        Ok((plan, from, channel_id, originate)) => {
            let claim = Claim { call: call_ref(&call), from, attempt, number, channel_id, at };
            Some(Claiming { claim, call, plan, originate })
        }
        Err(why) => {
            error!(call = %call.id.0, %why, "a stored call cannot be dialed");
            None
        }
    }
}
