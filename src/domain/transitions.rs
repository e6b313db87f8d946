//! Which status of a call may follow which. Whatever moves a call is held to this one list.

use super::status::CallStatus;

/// A move of a call that [`CallStatus::may_become`] or [`CallStatus::may_begin`] does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalTransition {
    /// A new call was to begin with a status that no new call has.
    #[error("a new call cannot be {0:?}; it is Queued, Expired or Canceled")]
    Begin(CallStatus),
    /// A call was to go from one status to another that does not follow it.
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
    /// | queued, retrying | canceled | its client cancels it, or its number is on a do-not-call list by now |
    /// | queued, retrying | failed | a rule that was made after its insert forbids it |
    /// | retrying | failed, unknown | its queue grants no further try any more; the last attempt decides which |
    /// | dialing | queued, retrying | its claim is withdrawn |
    /// | dialing | ringing | the far end rings |
    /// | dialing, ringing | answered | the A leg answers |
    /// | dialing, ringing | retrying | the attempt ends without an answer, and another one follows |
    /// | dialing, ringing | failed | the last attempt ends without an answer |
    /// | dialing, ringing | canceled | its client canceled it, and the attempt ends without an answer |
    /// | dialing, ringing | unknown | the last attempt is gone, and nothing tells how it ended |
    /// | answered | completed | the answered call ends |
    /// | answered | failed, canceled | Asterisk refuses the Originate after it had reported an answer |
    /// | failed, unknown | retrying | its queue grants a further try after all |
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

    /// Checks a move of a call from one status to another; `from` is None for a new call. An error is a move that
    /// [`CallStatus::may_become`] or [`CallStatus::may_begin`] does not list.
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
    use super::super::retry::{EndedTry, OwnRetries, Retries, Tally};
    use super::super::status::Outcome;
    use super::super::time::Millis;
    use super::*;

    #[test]
    fn a_waiting_call_may_be_claimed_and_a_live_one_may_not() {
        for from in CallStatus::ALL {
            assert_eq!(from.may_become(CallStatus::Dialing), from.waits(), "{from:?}");
        }
    }

    #[test]
    fn what_a_client_ends_or_a_deadline_stops_never_goes_on() {
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
    fn an_illegal_move_is_refused_with_the_two_statuses() {
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
                let of_an_unanswered_one = !matches!(outcome, Outcome::Answered | Outcome::Expired);
                let to = outcome.final_status();
                assert_eq!(from.may_become(to), of_an_unanswered_one, "{from:?} to {to:?} with {outcome:?}");
            }
        }
    }

    #[test]
    fn a_changed_retry_rule_moves_calls_only_between_a_failure_and_a_further_try() {
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
