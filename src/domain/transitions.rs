//! This is the one list of the status transitions of a call. All code that moves a call checks them against it.

use super::status::CallStatus;

/// The error for a move of a call that [`CallStatus::may_become`] or [`CallStatus::may_begin`] does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalTransition {
    /// A new call was given a status that no new call may have.
    #[error("a new call cannot be {0:?}; it is Queued, Expired or Canceled")]
    Begin(CallStatus),
    /// A call was to be moved from one status to another that may not follow it.
    #[error("a call cannot go from {from:?} to {to:?}")]
    Move { from: CallStatus, to: CallStatus },
}

impl CallStatus {
    /// Returns true if a new call may have this status: queued, or ended at once, because its deadline has passed
    /// (expired) or its number is on a do-not-call list (canceled).
    #[must_use]
    pub const fn may_begin(self) -> bool {
        matches!(self, Self::Queued | Self::Expired | Self::Canceled)
    }

    /// Returns true if a call may go from this status to `to`. This is the complete list:
    ///
    /// | from | to | when |
    /// | --- | --- | --- |
    /// | queued, retrying | dialing | a lane claims the call |
    /// | queued, retrying | expired | its deadline passes |
    /// | queued, retrying | canceled | its client cancels it, or its number was put on a do-not-call list |
    /// | queued, retrying | failed | a rule that was made after its insert forbids it |
    /// | retrying | failed, unknown | its queue no longer permits another attempt; the last attempt decides which |
    /// | dialing | queued, retrying | its claim is withdrawn |
    /// | dialing | ringing | the called phone is ringing |
    /// | dialing, ringing | answered | the A leg answers |
    /// | dialing, ringing | retrying | the attempt ends without an answer, and another one follows |
    /// | dialing, ringing | failed | the last attempt ends without an answer |
    /// | dialing, ringing | canceled | its client canceled it, and the attempt ends without an answer |
    /// | dialing, ringing | unknown | the last attempt is gone, and its result is unknown |
    /// | answered | completed | the answered call ends |
    /// | answered | failed, canceled | Asterisk refuses the Originate after it had reported an answer |
    /// | failed, unknown | retrying | its queue now permits another attempt |
    ///
    /// Nothing follows completed, expired and canceled.
    #[must_use]
    pub const fn may_become(self, to: Self) -> bool {
        match self {
            Self::Queued => matches!(to, Self::Dialing | Self::Expired | Self::Canceled | Self::Failed),
            Self::Retrying => {
                matches!(to, Self::Dialing | Self::Expired | Self::Canceled | Self::Failed | Self::Unknown)
            }
            Self::Dialing => matches!(
                to,
                Self::Queued
                    | Self::Ringing
                    | Self::Answered
                    | Self::Retrying
                    | Self::Failed
                    | Self::Canceled
                    | Self::Unknown
            ),
            Self::Ringing => {
                matches!(to, Self::Answered | Self::Retrying | Self::Failed | Self::Canceled | Self::Unknown)
            }
            Self::Answered => matches!(to, Self::Completed | Self::Failed | Self::Canceled),
            Self::Failed | Self::Unknown => matches!(to, Self::Retrying),
            Self::Completed | Self::Expired | Self::Canceled => false,
        }
    }

    /// Checks a move of a call from one status to another; `from` is None for a new call.
    ///
    /// # Errors
    /// Returns the move if [`CallStatus::may_become`] or [`CallStatus::may_begin`] does not list it.
    pub const fn check_move(from: Option<Self>, to: Self) -> Result<(), IllegalTransition> {
        match from {
            None if to.may_begin() => Ok(()),
            None => Err(IllegalTransition::Begin(to)),
            Some(from) if from.may_become(to) => Ok(()),
            Some(from) => Err(IllegalTransition::Move { from, to }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::retry::{EndedTry, OwnRetries, Retries, Tally};
    use super::super::status::Outcome;
    use super::super::time::Millis;
    use super::*;

    /// Reads the pairs of statuses in the table of [`CallStatus::may_become`].
    fn table() -> BTreeSet<(String, String)> {
        let rows = include_str!("transitions.rs").lines().filter_map(|line| line.trim().strip_prefix("/// | "));
        let mut pairs = BTreeSet::new();
        for row in rows.skip(2) {
            let mut columns = row.split(" | ").map(|column| column.split(", "));
            let (from, to) = (columns.next().unwrap(), columns.next().unwrap());
            pairs.extend(from.flat_map(|from| to.clone().map(move |to| (from.to_owned(), to.to_owned()))));
        }
        pairs
    }

    #[test]
    fn the_table_in_the_comment_is_what_the_code_does() {
        let name = |status: &CallStatus| format!("{status:?}").to_lowercase();
        let pairs = CallStatus::ALL.iter().flat_map(|from| CallStatus::ALL.iter().map(move |to| (from, to)));
        let allowed: BTreeSet<_> =
            pairs.filter(|(from, to)| from.may_become(**to)).map(|(from, to)| (name(from), name(to))).collect();
        assert_eq!(table(), allowed);
    }

    #[test]
    fn a_waiting_call_may_be_claimed_and_a_live_one_may_not() {
        for from in CallStatus::ALL {
            assert_eq!(from.may_become(CallStatus::Dialing), from.waits(), "{from:?}");
        }
    }

    #[test]
    fn completed_expired_and_canceled_calls_never_get_another_status() {
        for from in [CallStatus::Completed, CallStatus::Expired, CallStatus::Canceled] {
            assert!(CallStatus::ALL.iter().all(|to| !from.may_become(*to)), "{from:?}");
        }
    }

    #[test]
    fn no_status_follows_itself_and_each_can_be_reached() {
        for status in CallStatus::ALL {
            assert!(!status.may_become(*status), "{status:?}");
            assert!(CallStatus::ALL.iter().any(|from| from.may_become(*status)), "{status:?}");
        }
    }

    #[test]
    fn the_error_for_an_illegal_move_names_both_statuses() {
        let error = CallStatus::check_move(Some(CallStatus::Completed), CallStatus::Dialing).unwrap_err();
        assert_eq!(error, IllegalTransition::Move { from: CallStatus::Completed, to: CallStatus::Dialing });
        assert_eq!(error.to_string(), "a call cannot go from Completed to Dialing");
        let error = CallStatus::check_move(None, CallStatus::Answered).unwrap_err();
        assert_eq!(error.to_string(), "a new call cannot be Answered; it is Queued, Expired or Canceled");
    }

    #[test]
    fn an_unanswered_attempt_may_end_with_each_outcome_that_it_can_have() {
        for from in [CallStatus::Dialing, CallStatus::Ringing] {
            for outcome in Outcome::ALL {
                let possible = !matches!(outcome, Outcome::Answered | Outcome::Expired);
                let to = outcome.final_status();
                assert_eq!(from.may_become(to), possible, "{from:?} to {to:?} with {outcome:?}");
            }
        }
    }

    #[test]
    fn a_changed_retry_rule_moves_calls_only_between_a_failure_and_another_attempt() {
        let at_least_once = Retries { count: 1, at_least_once: true, ..Retries::default() };
        for outcome in Outcome::ALL {
            let tally = Tally::default().with(*outcome);
            let ended = EndedTry { outcome: *outcome, number: 1, tally, at: Millis(1) };
            if at_least_once.next_try(OwnRetries::default(), ended, 0.0).is_some() {
                let ended = outcome.final_status();
                assert!(ended.may_become(CallStatus::Retrying), "{outcome:?}");
                assert!(CallStatus::Retrying.may_become(ended), "{outcome:?}");
            }
        }
    }
}
