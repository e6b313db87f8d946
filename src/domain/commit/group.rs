//! Everything that one commit of a lane makes durable.

use super::call_ref::CallRef;
use super::change::Change;
use super::claim::Claim;
use super::deferral::Deferral;
use super::expiry::Expiry;
use super::hold::Hold;
use super::refusal::Refusal;
use super::withdrawal::Withdrawal;
use crate::domain::ids::CallId;
use crate::domain::note::Note;
use crate::domain::status::CallStatus;

/// What goes into one commit. A lane collects groups as things happen, and its journal joins those that arrive while
/// the last commit runs.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Waiting calls to begin an attempt of.
    pub claims: Vec<Claim>,
    /// Waiting calls whose deadline has passed.
    pub expiries: Vec<Expiry>,
    /// Waiting calls that a rule forbids to dial.
    pub refusals: Vec<Refusal>,
    /// Waiting calls that are put off to another day.
    pub deferrals: Vec<Deferral>,
    /// Waiting calls that are held, because their client is braked.
    pub holds: Vec<Hold>,
    /// Granted claims that are taken back.
    pub withdrawn: Vec<Withdrawal>,
    /// What happened to live calls, in the order in which it happened.
    pub changes: Vec<Change>,
    /// What the dialplan reports about calls that are not live in the lane.
    pub notes: Vec<Note>,
    /// Calls that their clients asked to end, and whose request is carried out after the changes.
    pub settled: Vec<CallId>,
}

impl Group {
    /// Returns the number of entries in the group.
    #[must_use]
    pub fn len(&self) -> usize {
        let waiting = self.claims.len() + self.expiries.len() + self.refusals.len() + self.deferrals.len();
        let waiting = waiting + self.holds.len();
        waiting + self.withdrawn.len() + self.changes.len() + self.notes.len() + self.settled.len()
    }

    /// Returns true if the group contains nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the entries of a later group after those of this one.
    pub fn append(&mut self, mut later: Self) {
        self.claims.append(&mut later.claims);
        self.expiries.append(&mut later.expiries);
        self.refusals.append(&mut later.refusals);
        self.deferrals.append(&mut later.deferrals);
        self.holds.append(&mut later.holds);
        self.withdrawn.append(&mut later.withdrawn);
        self.changes.append(&mut later.changes);
        self.notes.append(&mut later.notes);
        self.settled.append(&mut later.settled);
    }

    /// Returns the calls that wait for a retry after this group is committed.
    #[must_use]
    pub fn waiting_for_retry(&self) -> Vec<CallRef> {
        let ended = self.changes.iter().filter(|change| change.next_try().is_some()).map(|change| change.call);
        let withdrawn = self.withdrawn.iter().map(|withdrawal| &withdrawal.claim);
        let put_back = withdrawn.filter(|claim| claim.from == CallStatus::Retrying).map(|claim| claim.call);
        ended.chain(put_back).collect()
    }

    /// Returns the calls that wait again after this group is committed, for a retry or for the attempt that was withdrawn.
    #[must_use]
    pub fn waiting_again(&self) -> Vec<CallRef> {
        let ended = self.changes.iter().filter(|change| change.next_try().is_some()).map(|change| change.call);
        ended.chain(self.withdrawn.iter().map(|withdrawal| withdrawal.claim.call)).collect()
    }
}
