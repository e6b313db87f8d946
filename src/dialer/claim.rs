//! Claims: what turns a call that waits into an attempt on record, and what an Originate of it needs.

use std::collections::HashMap;

use super::limits::Hold;
use super::ready::Ready;
use super::tracker::Tracker;
use super::wire;
use crate::ami::{InvalidValue, Originate};
use crate::domain::ids::{AttemptId, CallId, channel_id};
use crate::domain::time::Millis;
use crate::store::destinations;
use crate::store::journal::Claim;

/// A claim on its way through the store, with what its Originate needs.
pub struct Claiming {
    pub claim: Claim,
    pub ready: Ready,
    pub originate: Originate,
    /// The slots that it holds.
    pub hold: Hold,
}

/// Nothing on its way stands in the way of the call: neither a live channel that its own id would begin, nor another
/// call to a number that may be called only so often a day.
pub fn is_free(tracker: &Tracker, claiming: &HashMap<CallId, Claiming>, ready: &Ready) -> bool {
    let takes_id = || {
        let own = ready.plan.channel_id.as_deref()?;
        let id = channel_id(Some(own), AttemptId(uuid::Uuid::nil()), ready.call.attempts + 1);
        let blocked =
            tracker.blocks(&id) || claiming.values().any(|claiming| claiming.claim.channel_id.starts_with(&id));
        blocked.then_some(())
    };
    let takes_number = || {
        let own = ready.checks.destination.as_ref()?;
        let same = |other: &Claiming| {
            other.claim.call.client_id == ready.call.client_id
                && other.claim.checks.destination.as_ref().is_some_and(|other| other.number == own.number)
        };
        claiming.values().any(same).then_some(())
    };
    takes_id().is_none() && takes_number().is_none()
}

/// Makes a claim of a call. An error is a row that another version wrote.
pub fn claim(ready: Ready, hold: Hold, at: Millis) -> Result<Claiming, InvalidValue> {
    let attempt = AttemptId::new();
    let number = ready.call.attempts + 1;
    let channel_id = channel_id(ready.plan.channel_id.as_deref(), attempt, number);
    let originate = wire::originate(&ready.call, &ready.plan, &channel_id)?;
    let mut checks = ready.checks.clone();
    if let Some(destination) = &mut checks.destination {
        // It may have been read before midnight.
        destination.day = destinations::day(at).0;
    }
    let claim = Claim { call: ready.call_ref(), from: ready.from, attempt, number, channel_id, at, checks };
    Ok(Claiming { claim, ready, originate, hold })
}
