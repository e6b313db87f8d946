//! Waiting calls that are put off to another day.

use super::call_ref::CallRef;
use crate::domain::time::Millis;

/// A call that waits for another day, because its number was called as often today as the client's limit permits.
#[derive(Clone, Copy, Debug)]
pub struct Deferral {
    /// The call that waits.
    pub call: CallRef,
    /// When the day that it waits for begins.
    pub until: Millis,
}
