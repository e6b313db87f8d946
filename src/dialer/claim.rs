//! Claims: how a waiting call becomes an attempt, and what its Originate needs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::permits::Permits;
use super::ready::Ready;
use super::tracker::Tracker;
use super::wire;
use crate::ami::{InvalidValue, Originate};
use crate::domain::commit::{CallSettings, Claim};
use crate::domain::destination;
use crate::domain::ids::{AttemptId, CallId, channel_id};
use crate::domain::time::Millis;
use crate::store::calls::Call;

/// A claim that is not committed yet, with what its Originate needs.
pub struct UnconfirmedClaim {
    pub claim: Claim,
    pub ready: Ready,
    pub originate: Originate,
    /// The permits that the attempt holds.
    pub permits: Permits,
    /// When dispatch picked the call.
    pub picked: Instant,
}

/// Returns true if no other call blocks this one: its client has no live or claimed channel id that begins with the
/// call's own, and no claim of a call to one of the same numbers if these may be called only so often a day.
pub fn is_free(tracker: &Tracker, unconfirmed: &HashMap<CallId, UnconfirmedClaim>, ready: &Ready) -> bool {
    let takes_id = || holders(tracker, unconfirmed, ready).contains(&ready.call.client_id);
    let own = &ready.checks.destinations;
    let takes_number = |other: &UnconfirmedClaim| {
        other.claim.call.client_id == ready.call.client_id
            && other.claim.checks.destinations.iter().any(|other| own.iter().any(|own| own.number == other.number))
    };
    !takes_id() && (own.is_empty() || !unconfirmed.values().any(takes_number))
}

/// Returns true if another call has a live or claimed channel id that begins with the call's own. If the call is
/// [free](is_free), that is another client's; its Originate then gets an id that nothing else can have, so that no client
/// keeps another one's call waiting by guessing its id.
pub fn shares_id(tracker: &Tracker, unconfirmed: &HashMap<CallId, UnconfirmedClaim>, ready: &Ready) -> bool {
    !holders(tracker, unconfirmed, ready).is_empty()
}

/// Returns the clients that have a live or claimed channel id that begins with the id of the call's next attempt.
fn holders(tracker: &Tracker, unconfirmed: &HashMap<CallId, UnconfirmedClaim>, ready: &Ready) -> HashSet<i64> {
    let Some(own) = ready.spec.channel_id.as_deref() else { return HashSet::new() };
    let id = channel_id(Some(own), AttemptId(uuid::Uuid::nil()), ready.call.attempts + 1);
    let claimed = unconfirmed.values().map(|unconfirmed| &unconfirmed.claim);
    let claimed = claimed.filter(|claim| claim.channel_id.starts_with(&id)).map(|claim| claim.call.client_id);
    tracker.holders(&id).chain(claimed).collect()
}

/// How long after it was picked a call may still be sent: limits, windows and the kill switch were checked then.
const MAX_CLAIM_AGE: Duration = Duration::from_secs(2);

impl UnconfirmedClaim {
    /// Returns true if the claim took so long that its rules must be checked again, or if the call's deadline has
    /// passed.
    #[must_use]
    pub fn is_stale(&self, at: Millis, now: Instant) -> bool {
        now.saturating_duration_since(self.picked) > MAX_CLAIM_AGE
            || self.ready.call.deadline.is_some_and(|deadline| deadline <= at.0)
    }
}

/// Makes a claim of a call that was picked `now`. If `shares_id`, the attempt's id is added to the client's channel id. An
/// error is a value that Asterisk would not accept.
pub fn claim(
    ready: Ready,
    permits: Permits,
    shares_id: bool,
    at: Millis,
    now: Instant,
) -> Result<UnconfirmedClaim, InvalidValue> {
    let attempt = AttemptId::new();
    let number = ready.call.attempts + 1;
    let mut channel_id = channel_id(ready.spec.channel_id.as_deref(), attempt, number);
    if shares_id {
        channel_id = format!("{channel_id}-{attempt}");
    }
    let originate = wire::originate(&ready.call, &ready.spec, &channel_id)?;
    let mut checks = ready.checks.clone();
    for destination in &mut checks.destinations {
        // The call may have been read before midnight.
        destination.day = destination::day(at).0;
    }
    let (call, from, details) = (ready.call_ref(), ready.from, Some(Arc::clone(&ready.details)));
    let Call { due_at, deadline, max_retries, .. } = ready.call;
    let settings = CallSettings { due_at, deadline, max_retries };
    let claim = Claim { call, from, attempt, number, channel_id, at, settings, checks, details };
    Ok(UnconfirmedClaim { claim, ready, originate, permits, picked: now })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialer::fixtures;

    #[test]
    fn a_claim_that_was_held_up_is_stale_and_so_is_one_after_its_deadline() {
        let (picked, at) = (Instant::now(), Millis(1_000));
        let mut ready = fixtures::ready(1, "PJSIP/1@gw1");
        ready.call.deadline = Some(2_000);
        let unconfirmed = claim(ready, Permits::default(), false, at, picked).unwrap();
        assert!(!unconfirmed.is_stale(at, picked + MAX_CLAIM_AGE));
        assert!(unconfirmed.is_stale(at, picked + MAX_CLAIM_AGE + Duration::from_millis(1)));
        assert!(!unconfirmed.is_stale(Millis(1_999), picked));
        assert!(unconfirmed.is_stale(Millis(2_000), picked));
    }
}
