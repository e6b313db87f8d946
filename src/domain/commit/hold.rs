//! Waiting calls that are held until an administrator releases the brake on their client.

use super::call_ref::CallRef;
use crate::domain::time::Millis;

/// A call to a destination that is new to its client, which is braked.
#[derive(Clone, Debug)]
pub struct Hold {
    /// The call that is held.
    pub call: CallRef,
    /// When the lane found that it must wait.
    pub at: Millis,
    /// When the call is checked again, if the brake is not released before.
    pub until: Millis,
    /// The destinations that the call rings.
    pub destinations: Vec<String>,
}
