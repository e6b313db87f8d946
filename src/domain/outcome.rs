//! How an attempt ended, judged from all evidence together, because no single AMI message can be trusted to tell.

use super::cause::Cause;
use super::cdr::Disposition;
use super::status::Outcome;

/// What DialEnd said about the A leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialStatus {
    /// It answered.
    Answer,
    /// It was busy.
    Busy,
    /// There was no way through.
    Congestion,
    /// It rang and was not answered. Also said of an unallocated number.
    NoAnswer,
    /// The caller's side gave up.
    Cancel,
    /// The channel could not be made.
    ChanUnavail,
    /// Anything else.
    Other,
}

/// What OriginateResponse said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginateResult {
    /// `Response: Success`.
    pub success: bool,
    /// `Reason`, a control frame's number: 4 answered, 5 busy, 8 congestion, 3 and 1 no answer, 0 failed.
    pub reason: u8,
}

/// All that is known about how an attempt went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Asterisk refused the Originate in its direct answer.
    pub refused: bool,
    /// OriginateResponse, once it came.
    pub originate: Option<OriginateResult>,
    /// DialEnd of the A leg, once it came.
    pub dial: Option<DialStatus>,
    /// The A leg was seen in state Up.
    pub answered: bool,
    /// The most telling cause of all legs that hung up.
    pub cause: Option<Cause>,
    /// A channel was seen.
    pub had_channel: bool,
    /// What the A leg's call record said, where one came in time.
    pub record: Option<Disposition>,
}

/// The outcome that the evidence proves.
///
/// Facts, from traces of Asterisk 16 and 22: an unallocated number is NOANSWER in DialEnd and 0 in OriginateResponse,
/// and only its cause (1) tells; busy is 17 on a Local channel's second half and 0 on its first; an unknown endpoint
/// yields nothing but an OriginateResponse with reason 0.
#[must_use]
pub fn judge(evidence: &Evidence) -> Outcome {
    if evidence.refused {
        return Outcome::Rejected;
    }
    let answered = evidence.answered
        || evidence.dial == Some(DialStatus::Answer)
        || evidence.record == Some(Disposition::Answered)
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
        // The record is the last to be asked: NO ANSWER is also what it says when it knows nothing better.
        None => match evidence.record {
            Some(Disposition::Busy) => Outcome::Busy,
            Some(Disposition::Congestion) => Outcome::Congestion,
            Some(Disposition::NoAnswer) => Outcome::NoAnswer,
            Some(_) => Outcome::Failed,
            None if evidence.had_channel => Outcome::Failed,
            // Nothing at all was ever heard of it.
            None => Outcome::Unknown,
        },
    }
}

/// Causes that decide whatever else was said.
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
    fn an_unallocated_number_is_told_by_its_cause_alone() {
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
    fn a_call_record_tells_where_nothing_else_does_and_an_answer_always() {
        let told = |record, originate| judge(&Evidence { record: Some(record), originate, ..Evidence::default() });
        assert_eq!(told(Disposition::Busy, None), Outcome::Busy);
        assert_eq!(told(Disposition::NoAnswer, failure(8)), Outcome::Congestion);
        assert_eq!(told(Disposition::Answered, failure(3)), Outcome::Answered);
    }

    #[test]
    fn without_a_cause_the_originate_response_tells() {
        for (reason, outcome) in
            [(5, Outcome::Busy), (8, Outcome::Congestion), (3, Outcome::NoAnswer), (1, Outcome::NoAnswer)]
        {
            let evidence = Evidence { originate: failure(reason), cause: Some(0), ..Evidence::default() };
            assert_eq!(judge(&evidence), outcome, "reason {reason}");
        }
    }
}
