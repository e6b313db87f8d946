//! Granted claims that are taken back.

use super::claim::Claim;
use crate::domain::time::Millis;

/// A granted claim that is taken back: the call returns to the status that it was claimed from, as if it had not been
/// claimed.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// The claim that is taken back.
    pub claim: Claim,
    /// Why it is taken back, as a text for people.
    pub why: &'static str,
    /// The call is not claimed again before this time; None if it may be claimed at once.
    pub due: Option<Millis>,
}
