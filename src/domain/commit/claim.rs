//! Claims: a lane's requests to begin an attempt of a waiting call.

use std::sync::Arc;

use super::call_details::CallDetails;
use super::call_ref::CallRef;
use crate::domain::brake::BrakeCheck;
use crate::domain::destination::Destination;
use crate::domain::ids::AttemptId;
use crate::domain::spend::SpendLimits;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;

/// A request to begin an attempt of a waiting call. The commit refuses it if the call no longer waits as it was read,
/// its queue no longer runs, the kill switch is engaged, or one of its [`Checks`] fails: the store's present state
/// decides, not what was read before.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The call to begin.
    pub call: CallRef,
    /// The call's status when it was read.
    pub from: CallStatus,
    /// The id of the attempt that begins.
    pub attempt: AttemptId,
    /// The attempt's number, from 1.
    pub number: i32,
    /// The Uniqueid of the attempt's first channel.
    pub channel_id: String,
    /// When the attempt begins.
    pub at: Millis,
    /// What the call asked for when it was read.
    pub settings: CallSettings,
    /// What the commit checks again before it grants the claim.
    pub checks: Checks,
    /// What the call's events say about it; None if they are to be read from the store.
    pub details: Option<Arc<CallDetails>>,
}

/// What can be changed of a call that waits. A claim that was made before the change is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallSettings {
    /// The call is not dialed before this time, in milliseconds since 1970.
    pub due_at: i64,
    /// The call is not dialed after this time, in milliseconds since 1970.
    pub deadline: Option<i64>,
    /// How many further attempts the call asks for.
    pub max_retries: i32,
}

/// What the commit looks up again when a call is claimed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Every form of every number that the call reaches. The claim is refused if one of them is on a do-not-call list.
    pub numbers: Vec<String>,
    /// How often each number that will ring may be called on this day; empty if the client has no such limit.
    pub destinations: Vec<Destination>,
    /// How many legs the attempt calls.
    pub legs: i32,
    /// How much the client may spend on a day; None if it has no such limit.
    pub spend: Option<SpendLimits>,
    /// The destinations that the call rings; None if all of them are known to be known.
    pub brake: Option<BrakeCheck>,
}
