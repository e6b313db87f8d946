//! How far an attempt has come, by its evidence and its legs.

use std::time::Duration;

use super::evidence::{DialStatus, Evidence, OriginateResult};
use super::legs::Legs;
use crate::domain::cause::{self, Cause};
use crate::domain::cdr::Disposition;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;

/// How long after the message that makes it expected the last message of an attempt may be received.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// How long before the first event of its channels a failed OriginateResponse may be received. The two reach AMI by
/// different ways, and the response was seen to overtake Newchannel. If no channel appears in this time, there was none,
/// as with an unknown endpoint.
pub(super) const OVERTAKEN: Duration = Duration::from_millis(500);

/// The evidence, the legs, and when the A leg began to ring and was answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Course {
    pub(super) evidence: Evidence,
    pub(super) legs: Legs,
    pub(super) ringing_at: Option<Millis>,
    pub(super) answered_at: Option<Millis>,
}

/// How far an attempt has come. The first table of the module's documentation has a column for each phase but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The Originate was sent, and no more is known.
    Dialing,
    /// The A leg rings.
    Ringing,
    /// The A leg was answered.
    Answered,
    /// An OriginateResponse reported a failure; the causes of the legs are still expected.
    Failed,
    /// All legs are gone; the OriginateResponse is still expected.
    Gone,
    /// The attempt has ended, or its claim was taken back.
    Over,
}

/// What follows from the course of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The attempt goes on.
    Nothing,
    /// The end is near but not proved: a Hangup or the OriginateResponse is still expected within this time.
    More { within: Duration },
    /// The attempt has ended, by its evidence.
    End,
}

/// What the store knows about an attempt that an earlier lane began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resumed {
    /// When the A leg began to ring, if it did.
    pub ringing_at: Option<Millis>,
    /// When the A leg was answered, if it was.
    pub answered_at: Option<Millis>,
    /// Asterisk was asked to record the call.
    pub recording_begun: bool,
}

impl Course {
    /// The course of an attempt that an earlier lane began.
    pub(super) fn resume(known: Resumed) -> Self {
        let Resumed { ringing_at, answered_at, .. } = known;
        let had_channel = ringing_at.or(answered_at).is_some();
        let evidence = Evidence { answered: answered_at.is_some(), had_channel, ..Evidence::default() };
        Self { evidence, legs: Legs::default(), ringing_at, answered_at }
    }

    /// The phase of an attempt that is not over.
    pub(super) fn phase(&self) -> Phase {
        if self.evidence.answered {
            Phase::Answered
        } else if self.evidence.originate.is_some() {
            // A successful OriginateResponse would be an answer.
            Phase::Failed
        } else if self.all_legs_are_gone() {
            Phase::Gone
        } else if self.ringing_at.is_some() {
            Phase::Ringing
        } else {
            Phase::Dialing
        }
    }

    /// What follows from the evidence and the legs.
    pub(super) fn next(&self) -> Next {
        match self.phase() {
            Phase::Answered | Phase::Failed if self.all_legs_are_gone() => Next::End,
            Phase::Failed if !self.evidence.had_channel => Next::More { within: OVERTAKEN },
            Phase::Failed | Phase::Gone => Next::More { within: GRACE },
            Phase::Dialing | Phase::Ringing | Phase::Answered | Phase::Over => Next::Nothing,
        }
    }

    /// The status of the call.
    pub(super) fn status(&self) -> CallStatus {
        match (self.answered_at, self.ringing_at) {
            (Some(_), _) => CallStatus::Answered,
            (None, Some(_)) => CallStatus::Ringing,
            (None, None) => CallStatus::Dialing,
        }
    }

    /// Returns true if the call had legs, and none of them is left.
    fn all_legs_are_gone(&self) -> bool {
        // Before the first Hangup, no leg is left because none has appeared yet.
        self.evidence.cause.is_some() && self.legs.none_is_left()
    }

    /// Notes that the A leg rings. Returns true if the call was dialing until now.
    pub(super) fn ring(&mut self, at: Millis) -> bool {
        let was_dialing = self.status() == CallStatus::Dialing;
        if was_dialing {
            self.ringing_at = Some(at);
        }
        was_dialing
    }

    /// Notes that the A leg is answered. Returns true if it was not until now.
    pub(super) fn answer(&mut self, at: Millis) -> bool {
        self.evidence.answered = true;
        let is_new = self.answered_at.is_none();
        self.answered_at.get_or_insert(at);
        is_new
    }

    /// Takes in a DialEnd. Returns true if it proves an answer.
    pub(super) fn dial_ended(&mut self, status: DialStatus) -> bool {
        self.evidence.dial = Some(status);
        status == DialStatus::Answer
    }

    /// Takes in an OriginateResponse. Returns true if it proves an answer.
    pub(super) fn originated(&mut self, result: OriginateResult) -> bool {
        self.evidence.originate = Some(result);
        result.success
    }

    /// Takes in a CDR of the A leg. Returns true if it proves an answer.
    pub(super) fn cdr_received(&mut self, disposition: Disposition) -> bool {
        // The A leg of a call that was transferred has several CDRs; an answer is not taken back.
        if self.evidence.cdr != Some(Disposition::Answered) {
            self.evidence.cdr = Some(disposition);
        }
        disposition == Disposition::Answered
    }

    /// Takes in a Hangup.
    pub(super) fn leg_gone(&mut self, uniqueid: &str, cause: Cause) {
        self.evidence.had_channel = true;
        self.evidence.cause = Some(cause::most_telling(self.evidence.cause, cause));
        self.legs.gone(uniqueid);
    }

    /// The cause that says most about the end; None if no cause was given, which Asterisk reports as 0.
    pub(super) fn cause(&self) -> Option<Cause> {
        self.evidence.cause.filter(|cause| *cause != 0)
    }
}
