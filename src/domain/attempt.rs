//! The life of one attempt: what each thing seen of it means, and when it is over.
//!
//! AMI promises no order and no completeness: OriginateResponse may come before the events of the same call, a leg may
//! be seen only when it hangs up, any message may be missing after a lost connection, and any may come twice. So an
//! attempt gathers [`Evidence`] and legs, and every signal may come at any time. Only three things end it: Asterisk's
//! refusal, the proof that nothing of it lives any more, or a look that did not find it.
//!
//! | state | signal | then |
//! | --- | --- | --- |
//! | any | `Refused` | ended, rejected |
//! | dialing | `Ringing` | ringing |
//! | dialing, ringing | A leg up, `DialEnd ANSWER`, a successful OriginateResponse or a record of an answer | answered |
//! | failed OriginateResponse | its legs are gone, or the grace is over | ended by the evidence |
//! | all legs gone | answered, or OriginateResponse is there, or the grace is over | ended by the evidence |
//! | any | `Missing` in a look | ended: by the evidence if it proves anything, else unknown |
//! | ended | anything | nothing |

use std::time::Duration;

use super::cause::{self, Cause};
use super::cdr::Disposition;
use super::outcome::{DialStatus, Evidence, OriginateResult, judge};
use super::status::{CallStatus, Outcome};
use super::time::Millis;

/// How long the last message of an attempt may be behind the one that makes it expected.
pub const GRACE: Duration = Duration::from_secs(5);

/// How far a failed OriginateResponse may be ahead of the first event of its channels: the two reach AMI by different
/// ways, and the response was seen to overtake Newchannel. Only without a channel in this time was there none, as with
/// an unknown endpoint.
pub const OVERTAKEN: Duration = Duration::from_millis(500);

/// What was seen of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Asterisk answered the Originate with an error.
    Refused,
    /// A channel of the call exists.
    LegAppeared { uniqueid: String },
    /// The A leg rings.
    Ringing,
    /// The A leg is up.
    Up,
    /// Dialing the A leg ended.
    DialEnded(DialStatus),
    /// OriginateResponse came.
    Originated(OriginateResult),
    /// Two legs hear one another.
    Bridged,
    /// A channel of the call is gone.
    LegGone { uniqueid: String, cause: Cause },
    /// The A leg's call record came. It tells how the leg went, not that it is gone.
    CdrReceived(Disposition),
    /// A look at the live channels found it, with these legs; `up` where its A leg is answered.
    Found { legs: Vec<String>, up: bool, ringing: bool },
    /// A look at the live channels did not find it.
    Missing,
    /// Nothing more came within the grace.
    GraceOver,
}

/// What follows from a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The call now rings.
    Ringing,
    /// The call is now answered.
    Answered,
    /// Two of its legs hear one another, for the first time.
    Bridged,
    /// Something is still expected: signal [`Signal::GraceOver`] when this time has passed.
    ExpectMore { within: Duration },
    /// The attempt is over.
    Ended { outcome: Outcome, cause: Option<Cause> },
}

/// One attempt that holds a channel, or may.
#[derive(Clone, Debug)]
pub struct Attempt {
    evidence: Evidence,
    legs: Vec<String>,
    some_leg_is_gone: bool,
    bridged: bool,
    ended: bool,
    ringing_at: Option<Millis>,
    answered_at: Option<Millis>,
}

impl Attempt {
    /// An attempt whose Originate is about to leave.
    #[must_use]
    pub fn new() -> Self {
        Self::resumed(None, None)
    }

    /// An attempt of which the store knows this much, after a crash.
    #[must_use]
    pub fn resumed(ringing_at: Option<Millis>, answered_at: Option<Millis>) -> Self {
        Self {
            evidence: Evidence {
                answered: answered_at.is_some(),
                had_channel: ringing_at.or(answered_at).is_some(),
                ..Evidence::default()
            },
            legs: Vec::new(),
            some_leg_is_gone: false,
            bridged: false,
            ended: false,
            ringing_at,
            answered_at,
        }
    }

    /// The status of a call whose live attempt this is.
    #[must_use]
    pub fn status(&self) -> CallStatus {
        match (self.answered_at, self.ringing_at) {
            (Some(_), _) => CallStatus::Answered,
            (None, Some(_)) => CallStatus::Ringing,
            (None, None) => CallStatus::Dialing,
        }
    }

    /// When the A leg began to ring, where that was seen.
    #[must_use]
    pub fn ringing_at(&self) -> Option<Millis> {
        self.ringing_at
    }

    /// When the A leg answered.
    #[must_use]
    pub fn answered_at(&self) -> Option<Millis> {
        self.answered_at
    }

    /// It is over, and nothing that comes changes it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Takes in one thing that was seen `at` this time.
    pub fn apply(&mut self, signal: Signal, at: Millis) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.ended {
            return effects;
        }
        match signal {
            Signal::Refused => {
                self.evidence.refused = true;
                self.end(&mut effects);
                return effects;
            }
            Signal::LegAppeared { uniqueid } => {
                self.evidence.had_channel = true;
                if !self.legs.contains(&uniqueid) {
                    self.legs.push(uniqueid);
                }
            }
            Signal::Ringing => self.ring(at, &mut effects),
            Signal::Up => self.answer(at, &mut effects),
            Signal::DialEnded(status) => {
                self.evidence.dial = Some(status);
                if status == DialStatus::Answer {
                    self.answer(at, &mut effects);
                }
            }
            Signal::Originated(result) => {
                self.evidence.originate = Some(result);
                if result.success {
                    self.answer(at, &mut effects);
                }
            }
            Signal::Bridged => {
                if !std::mem::replace(&mut self.bridged, true) {
                    effects.push(Effect::Bridged);
                }
            }
            Signal::LegGone { uniqueid, cause } => {
                self.evidence.had_channel = true;
                self.evidence.cause = Some(cause::most_telling(self.evidence.cause, cause));
                self.legs.retain(|leg| *leg != uniqueid);
                self.some_leg_is_gone = true;
            }
            Signal::CdrReceived(disposition) => {
                // The A leg of a call that was transferred has several; an answer is not taken back.
                if self.evidence.record != Some(Disposition::Answered) {
                    self.evidence.record = Some(disposition);
                }
                if disposition == Disposition::Answered {
                    self.answer(at, &mut effects);
                }
            }
            Signal::Found { legs, up, ringing } => {
                self.evidence.had_channel = true;
                self.legs = legs;
                if up {
                    self.answer(at, &mut effects);
                } else if ringing {
                    self.ring(at, &mut effects);
                }
            }
            Signal::Missing => {
                self.end_missing(&mut effects);
                return effects;
            }
            Signal::GraceOver => {
                if self.expects_more() {
                    self.end(&mut effects);
                }
                return effects;
            }
        }
        self.settle(&mut effects);
        effects
    }

    fn ring(&mut self, at: Millis, effects: &mut Vec<Effect>) {
        if self.ringing_at.is_none() && self.answered_at.is_none() {
            self.ringing_at = Some(at);
            effects.push(Effect::Ringing);
        }
    }

    fn answer(&mut self, at: Millis, effects: &mut Vec<Effect>) {
        self.evidence.answered = true;
        if self.answered_at.is_none() {
            self.answered_at = Some(at);
            effects.push(Effect::Answered);
        }
    }

    fn originate_failed(&self) -> bool {
        self.evidence.originate.is_some_and(|result| !result.success) && !self.evidence.answered
    }

    fn all_legs_are_gone(&self) -> bool {
        self.some_leg_is_gone && self.legs.is_empty()
    }

    /// The end is near but not proved: a hangup or the OriginateResponse should still come.
    fn expects_more(&self) -> bool {
        self.originate_failed() || self.all_legs_are_gone()
    }

    fn settle(&mut self, effects: &mut Vec<Effect>) {
        let told = self.evidence.answered || self.evidence.originate.is_some();
        if self.all_legs_are_gone() && told {
            self.end(effects);
        } else if self.expects_more() {
            let overtaken = self.originate_failed() && !self.evidence.had_channel;
            effects.push(Effect::ExpectMore { within: if overtaken { OVERTAKEN } else { GRACE } });
        }
    }

    fn end(&mut self, effects: &mut Vec<Effect>) {
        self.ended = true;
        // 0 is "none was given", and so no cause.
        let cause = self.evidence.cause.filter(|cause| *cause != 0);
        effects.push(Effect::Ended { outcome: judge(&self.evidence), cause });
    }

    /// Nothing of it lives. What was proved before counts; without proof nobody can tell, and so it is not redialed.
    fn end_missing(&mut self, effects: &mut Vec<Effect>) {
        let proved = self.evidence.answered
            || self.evidence.originate.is_some()
            || self.evidence.cause.is_some()
            || self.evidence.record.is_some();
        if !proved {
            self.evidence = Evidence::default();
        }
        self.end(effects);
    }
}

impl Default for Attempt {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leg(uniqueid: &str) -> Signal {
        Signal::LegAppeared { uniqueid: uniqueid.into() }
    }

    fn gone(uniqueid: &str, cause: Cause) -> Signal {
        Signal::LegGone { uniqueid: uniqueid.into(), cause }
    }

    fn originated(success: bool, reason: u8) -> Signal {
        Signal::Originated(OriginateResult { success, reason })
    }

    fn run(signals: impl IntoIterator<Item = Signal>) -> Vec<Effect> {
        let mut attempt = Attempt::new();
        signals.into_iter().flat_map(|signal| attempt.apply(signal, Millis(1))).collect()
    }

    fn end(outcome: Outcome, cause: Option<Cause>) -> Effect {
        Effect::Ended { outcome, cause }
    }

    #[test]
    fn a_busy_local_channel_takes_its_cause_from_the_half_that_knows() {
        let effects = run([
            leg("c"),
            leg("c;2"),
            Signal::DialEnded(DialStatus::Busy),
            originated(false, 5),
            gone("c", 0),
            gone("c;2", 17),
        ]);
        assert_eq!(effects.last(), Some(&end(Outcome::Busy, Some(17))));
    }

    #[test]
    fn hangups_before_the_originate_response_wait_for_it() {
        let effects = run([leg("c"), gone("c", 19)]);
        assert_eq!(effects, [Effect::ExpectMore { within: GRACE }]);
        let effects = run([leg("c"), gone("c", 19), originated(false, 3)]);
        assert_eq!(effects.last(), Some(&end(Outcome::NoAnswer, Some(19))));
    }

    #[test]
    fn an_unknown_endpoint_ends_when_no_channel_follows_its_originate_response() {
        let effects = run([originated(false, 0), Signal::GraceOver]);
        assert_eq!(effects, [Effect::ExpectMore { within: OVERTAKEN }, end(Outcome::Failed, None)]);
    }

    #[test]
    fn an_originate_response_that_overtakes_its_channels_waits_for_their_causes() {
        let seen = [originated(false, 0), leg("c"), leg("c;2"), gone("c", 0), gone("c;2", 1)];
        assert_eq!(run(seen).last(), Some(&end(Outcome::Unallocated, Some(1))));
    }

    #[test]
    fn an_originate_response_before_the_first_event_ends_nothing() {
        let effects = run([originated(true, 4), leg("c"), Signal::Up]);
        assert_eq!(effects, [Effect::Answered]);
    }

    #[test]
    fn an_answered_call_lives_until_its_last_leg_is_gone() {
        let mut attempt = Attempt::new();
        for signal in [leg("c"), Signal::Up, originated(true, 4), leg("x"), gone("c", 16)] {
            attempt.apply(signal, Millis(1));
        }
        assert!(!attempt.has_ended());
        assert_eq!(attempt.apply(gone("x", 16), Millis(2)), [end(Outcome::Answered, Some(16))]);
    }

    #[test]
    fn one_in_doubt_is_unknown_and_an_answered_one_is_answered() {
        assert_eq!(run([leg("c"), Signal::Missing]), [end(Outcome::Unknown, None)]);
        let mut resumed = Attempt::resumed(None, Some(Millis(1)));
        assert_eq!(resumed.apply(Signal::Missing, Millis(2)), [end(Outcome::Answered, None)]);
    }

    fn signals() -> impl Strategy<Value = Signal> {
        let id = prop_oneof![Just("c".to_owned()), Just("c;2".to_owned()), Just("x".to_owned())];
        prop_oneof![
            Just(Signal::Refused),
            id.clone().prop_map(|uniqueid| Signal::LegAppeared { uniqueid }),
            Just(Signal::Ringing),
            Just(Signal::Up),
            prop_oneof![Just(DialStatus::Answer), Just(DialStatus::Busy), Just(DialStatus::NoAnswer)]
                .prop_map(Signal::DialEnded),
            (any::<bool>(), 0..9_u8).prop_map(|(success, reason)| originated(success, reason)),
            Just(Signal::Bridged),
            prop_oneof![Just(Disposition::Answered), Just(Disposition::NoAnswer), Just(Disposition::Busy)]
                .prop_map(Signal::CdrReceived),
            (id, prop_oneof![Just(0), Just(16), Just(17), Just(19)])
                .prop_map(|(uniqueid, cause)| Signal::LegGone { uniqueid, cause }),
            Just(Signal::Missing),
            Just(Signal::GraceOver),
        ]
    }

    proptest! {
        #[test]
        fn in_any_order_an_attempt_ends_at_most_once_and_a_look_ends_it(seen in prop::collection::vec(signals(), 0..30)) {
            let mut attempt = Attempt::new();
            let mut effects = Vec::new();
            let mut answered = false;
            for signal in seen {
                let tells = matches!(
                    signal,
                    Signal::Up
                        | Signal::DialEnded(DialStatus::Answer)
                        | Signal::CdrReceived(Disposition::Answered)
                        | Signal::Originated(OriginateResult { success: true, .. })
                );
                answered |= tells && !attempt.has_ended();
                // A refusal is believed, for Asterisk gives it before it makes a channel.
                answered &= signal != Signal::Refused || attempt.has_ended();
                effects.extend(attempt.apply(signal, Millis(1)));
            }
            effects.extend(attempt.apply(Signal::Missing, Millis(2)));
            let outcome = effects.iter().find_map(|effect| match effect {
                Effect::Ended { outcome, .. } => Some(*outcome),
                _ => None,
            });
            prop_assert!(!answered || outcome == Some(Outcome::Answered), "{:?}", outcome);
            let ends = effects.iter().filter(|effect| matches!(effect, Effect::Ended { .. })).count();
            prop_assert_eq!(ends, 1);
            let ended = matches!(effects.last(), Some(Effect::Ended { .. }));
            prop_assert!(ended);
            prop_assert!(effects.iter().filter(|effect| **effect == Effect::Answered).count() <= 1);
        }
    }
}
