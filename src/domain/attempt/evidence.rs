//! The evidence of how an attempt ended. It is judged as a whole, because no single AMI message can be trusted.

use crate::domain::cause::Cause;
use crate::domain::cdr::Disposition;
use crate::domain::status::Outcome;

/// The status of a DialEnd of the A leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialStatus {
    /// The A leg answered.
    Answer,
    /// The A leg was busy.
    Busy,
    /// The network or the trunk was congested.
    Congestion,
    /// The A leg rang and was not answered. Asterisk says the same of an unallocated number.
    NoAnswer,
    /// The caller's side gave up.
    Cancel,
    /// The channel could not be created.
    ChanUnavail,
    /// The status is any other.
    Other,
}

/// The result that an OriginateResponse reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginateResult {
    /// The response is `Success`.
    pub success: bool,
    /// The `Reason`, a control frame's number: 4 answered, 5 busy, 8 congestion, 3 and 1 no answer, 0 failed.
    pub reason: u8,
}

/// All that is known about how an attempt went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Asterisk refused the Originate in its direct answer.
    pub(super) refused: bool,
    /// The OriginateResponse, if it was received.
    pub(super) originate: Option<OriginateResult>,
    /// The DialEnd of the A leg, if it was received.
    pub(super) dial: Option<DialStatus>,
    /// Some message said that the A leg answered.
    pub(super) answered: bool,
    /// The most telling cause of all legs that hung up; None before the first Hangup.
    pub(super) cause: Option<Cause>,
    /// A channel of the call was seen.
    pub(super) had_channel: bool,
    /// What the A leg's CDRs say, if one was received in time.
    pub(super) cdr: Option<Disposition>,
}

impl Evidence {
    /// Returns true if the evidence proves anything about the end of an attempt of which nothing is left.
    pub(super) fn is_proof(&self) -> bool {
        self.answered || self.originate.is_some() || self.cause.is_some() || self.cdr.is_some()
    }
}

/// Returns the outcome that the evidence proves.
///
/// Facts, from traces of Asterisk 16 and 22: an unallocated number is NOANSWER in DialEnd and 0 in OriginateResponse,
/// and only its cause (1) tells; busy is 17 on a Local channel's second half and 0 on its first; an unknown endpoint
/// yields nothing but an OriginateResponse with reason 0.
pub(super) fn judge(evidence: &Evidence) -> Outcome {
    if evidence.refused {
        return Outcome::Rejected;
    }
    let answered = evidence.answered
        || evidence.dial == Some(DialStatus::Answer)
        || evidence.cdr == Some(Disposition::Answered)
        || evidence.originate.is_some_and(|result| result.success);
    if answered {
        return Outcome::Answered;
    }
    if let Some(outcome) = evidence.cause.and_then(by_cause) {
        return outcome;
    }
    if let Some(outcome) = evidence.dial.and_then(by_dial_status) {
        return outcome;
    }
    match evidence.originate.map(|result| result.reason) {
        Some(5) => Outcome::Busy,
        Some(8) => Outcome::Congestion,
        Some(1 | 3) => Outcome::NoAnswer,
        Some(_) => Outcome::Failed,
        // The CDR counts last: NO ANSWER is also what it says if it knows nothing better.
        None => match evidence.cdr {
            Some(Disposition::Busy) => Outcome::Busy,
            Some(Disposition::Congestion) => Outcome::Congestion,
            Some(Disposition::NoAnswer) => Outcome::NoAnswer,
            Some(_) => Outcome::Failed,
            None if evidence.had_channel => Outcome::Failed,
            // No message about the attempt was ever received.
            None => Outcome::Unknown,
        },
    }
}

/// The outcome of a cause that decides, whatever the other messages say.
const fn by_cause(cause: Cause) -> Option<Outcome> {
    match cause {
        1 | 22 | 28 => Some(Outcome::Unallocated),
        17 | 21 => Some(Outcome::Busy),
        18 | 19 => Some(Outcome::NoAnswer),
        34 | 38 | 41 | 42 | 44 | 47 => Some(Outcome::Congestion),
        _ => None,
    }
}

const fn by_dial_status(status: DialStatus) -> Option<Outcome> {
    match status {
        DialStatus::Answer => Some(Outcome::Answered),
        DialStatus::Busy => Some(Outcome::Busy),
        DialStatus::Congestion => Some(Outcome::Congestion),
        DialStatus::NoAnswer | DialStatus::Cancel => Some(Outcome::NoAnswer),
        DialStatus::ChanUnavail => Some(Outcome::Failed),
        DialStatus::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(reason: u8) -> Option<OriginateResult> {
        Some(OriginateResult { success: false, reason })
    }

    #[test]
    fn only_the_cause_tells_an_unallocated_number() {
        let evidence = Evidence {
            originate: failure(0),
            dial: Some(DialStatus::NoAnswer),
            cause: Some(1),
            had_channel: true,
            ..Evidence::default()
        };
        assert_eq!(judge(&evidence), Outcome::Unallocated);
    }

    #[test]
    fn an_answered_local_channel_is_answered_whatever_its_halves_say() {
        let evidence = Evidence {
            originate: failure(3),
            dial: Some(DialStatus::Answer),
            cause: Some(19),
            had_channel: true,
            ..Evidence::default()
        };
        assert_eq!(judge(&evidence), Outcome::Answered);
    }

    #[test]
    fn an_unknown_endpoint_failed_and_silence_is_unknown() {
        assert_eq!(judge(&Evidence { originate: failure(0), ..Evidence::default() }), Outcome::Failed);
        assert_eq!(judge(&Evidence::default()), Outcome::Unknown);
    }

    #[test]
    fn a_cdr_decides_if_nothing_else_does_and_an_answered_one_always() {
        let told = |cdr, originate| judge(&Evidence { cdr: Some(cdr), originate, ..Evidence::default() });
        assert_eq!(told(Disposition::Busy, None), Outcome::Busy);
        assert_eq!(told(Disposition::NoAnswer, failure(8)), Outcome::Congestion);
        assert_eq!(told(Disposition::Answered, failure(3)), Outcome::Answered);
    }

    #[test]
    fn without_a_cause_the_originate_response_decides() {
        for (reason, outcome) in
            [(5, Outcome::Busy), (8, Outcome::Congestion), (3, Outcome::NoAnswer), (1, Outcome::NoAnswer)]
        {
            let evidence = Evidence { originate: failure(reason), cause: Some(0), ..Evidence::default() };
            assert_eq!(judge(&evidence), outcome, "reason {reason}");
        }
    }
}
