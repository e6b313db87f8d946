//! What an attempt makes of signals, case by case and in any order.

use proptest::prelude::*;

use super::*;
use crate::domain::attempt::course::GRACE;
use crate::domain::attempt::{DialStatus, OriginateResult};
use crate::domain::cause::Cause;
use crate::domain::cdr::{Cdr, Disposition};
use crate::domain::commit::{CallRef, CallSettings, Checks};
use crate::domain::ids::{AttemptId, CallId};

/// The A leg's Uniqueid.
const A_LEG: &str = "c";

/// An attempt whose channel id was made from its own id, and a clock that stands still.
pub(super) fn attempt() -> (Attempt, Now) {
    let now = Now { wall: Millis(1), instant: Instant::now() };
    let recording = Recording { path: "/recordings/a.wav".into(), options: None, command: None };
    let mut attempt = Attempt::begin(claim(), Duration::from_secs(30), Some(recording), now);
    attempt.channel_id = ChannelId::Made;
    (attempt, now)
}

pub(super) fn claim() -> Claim {
    Claim {
        call: CallRef { id: CallId::new(), client_id: 1, queue_id: 1 },
        from: CallStatus::Queued,
        attempt: AttemptId::new(),
        number: 1,
        channel_id: A_LEG.into(),
        at: Millis(1),
        settings: CallSettings::default(),
        checks: Checks::default(),
        details: None,
    }
}

pub(super) fn leg(uniqueid: &str) -> Signal {
    Signal::LegAppeared { uniqueid: uniqueid.into(), name: format!("PJSIP/{uniqueid}") }
}

pub(super) fn gone(uniqueid: &str, cause: Cause) -> Signal {
    Signal::LegGone { uniqueid: uniqueid.into(), cause }
}

pub(super) fn up() -> Signal {
    Signal::StateChanged { name: format!("PJSIP/{A_LEG}"), state: ALegState::Up }
}

pub(super) fn originated(success: bool, reason: u8) -> Signal {
    Signal::Originated { result: OriginateResult { success, reason }, channel: format!("PJSIP/{A_LEG}") }
}

pub(super) fn cdr(disposition: Disposition) -> Signal {
    Signal::CdrReceived(Cdr { disposition, billable_seconds: 1, answered: Some(1), ended: Some(2) })
}

/// What becomes of an attempt of which nothing lives any more: two channel snapshots do not list it.
fn missing() -> [Signal; 3] {
    [Signal::ConnectionLost, Signal::Missing, Signal::Missing]
}

/// The effects of these signals, without those that are about its recording.
fn run(signals: impl IntoIterator<Item = Signal>) -> Vec<Effect> {
    let (mut attempt, now) = attempt();
    apply(&mut attempt, signals, now)
}

fn apply(attempt: &mut Attempt, signals: impl IntoIterator<Item = Signal>, now: Now) -> Vec<Effect> {
    let effects = signals.into_iter().flat_map(|signal| attempt.apply(signal, now));
    effects.filter(|effect| !matches!(effect, Effect::StartRecording { .. })).collect()
}

fn answered() -> Effect {
    Effect::Moved { from: CallStatus::Dialing, to: CallStatus::Answered }
}

/// The outcome and the cause of an end.
fn end(effect: Option<&Effect>) -> Option<(Outcome, Option<Cause>)> {
    match effect {
        Some(Effect::Ended(End { outcome, cause, .. })) => Some((*outcome, *cause)),
        _ => None,
    }
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
    assert_eq!(end(effects.last()), Some((Outcome::Busy, Some(17))));
}

#[test]
fn hangups_before_the_originate_response_wait_for_it() {
    let effects = run([leg("c"), gone("c", 19)]);
    assert_eq!(effects, [Effect::ExpectMore { within: GRACE }]);
    let effects = run([leg("c"), gone("c", 19), originated(false, 3)]);
    assert_eq!(end(effects.last()), Some((Outcome::NoAnswer, Some(19))));
}

#[test]
fn an_unknown_endpoint_ends_when_no_channel_follows_its_originate_response() {
    let effects = run([originated(false, 0), Signal::GraceOver]);
    assert_eq!(effects[..1], [Effect::ExpectMore { within: OVERTAKEN }]);
    assert_eq!((end(effects.get(1)), effects.len()), (Some((Outcome::Failed, None)), 2));
}

#[test]
fn an_originate_response_that_overtakes_its_channels_waits_for_their_causes() {
    let seen = [originated(false, 0), leg("c"), leg("c;2"), gone("c", 0), gone("c;2", 1)];
    assert_eq!(end(run(seen).last()), Some((Outcome::Unallocated, Some(1))));
}

#[test]
fn an_originate_response_before_the_first_event_ends_nothing() {
    let effects = run([originated(true, 4), leg("c"), up()]);
    assert_eq!(effects, [answered()]);
}

#[test]
fn an_answered_call_lives_until_its_last_leg_is_gone() {
    let (mut attempt, now) = attempt();
    apply(&mut attempt, [leg("c"), up(), originated(true, 4), leg("x"), gone("c", 16)], now);
    assert!(!attempt.is_over());
    let effects = apply(&mut attempt, [gone("x", 16)], now);
    assert_eq!((end(effects.first()), effects.len()), (Some((Outcome::Answered, Some(16))), 1));
}

#[test]
fn an_attempt_in_doubt_ends_unknown_and_an_answered_one_ends_answered() {
    let effects = run([leg("c")].into_iter().chain(missing()));
    assert_eq!(end(effects.last()), Some((Outcome::Unknown, None)));
    assert!(matches!(effects[..], [Effect::Told { kind: EventKind::Note, .. }, _]), "{effects:?}");
    let now = Now { wall: Millis(2), instant: Instant::now() };
    let known = Resumed { answered_at: Some(Millis(1)), ..Resumed::default() };
    let mut resumed = Attempt::resume(claim(), None, known, now);
    let effects = apply(&mut resumed, [Signal::Missing, Signal::Missing], now);
    assert_eq!((end(effects.first()), effects.len()), (Some((Outcome::Answered, None)), 1));
}

fn signals() -> impl Strategy<Value = Signal> {
    let id = prop_oneof![Just("c".to_owned()), Just("c;2".to_owned()), Just("x".to_owned())];
    prop_oneof![
        Just(Signal::Refused { text: "no".into() }),
        id.clone().prop_map(|uniqueid| leg(&uniqueid)),
        Just(Signal::Ringing),
        Just(up()),
        prop_oneof![Just(DialStatus::Answer), Just(DialStatus::Busy), Just(DialStatus::NoAnswer)]
            .prop_map(Signal::DialEnded),
        (any::<bool>(), 0..9_u8).prop_map(|(success, reason)| originated(success, reason)),
        Just(Signal::Bridged),
        prop_oneof![Just(Disposition::Answered), Just(Disposition::NoAnswer), Just(Disposition::Busy)].prop_map(cdr),
        (id, prop_oneof![Just(0), Just(16), Just(17), Just(19)])
            .prop_map(|(uniqueid, cause)| Signal::LegGone { uniqueid, cause }),
        prop_oneof![Just(Signal::ConnectionLost), Just(Signal::Missing), Just(Signal::Abandoned)],
        prop_oneof![Just(Signal::Accepted), Just(Signal::EndRequested), Just(Signal::Tick)],
        prop_oneof![Just(Signal::ChannelIdTaken), Just(Signal::ChannelIdFree)],
        prop_oneof![
            Just(Signal::MixMonitorAnswered(Ok("/recordings/a.wav".into()))),
            Just(Signal::MixMonitorAnswered(Err("no".into()))),
            Just(Signal::MixMonitorStopped),
            Just(Signal::Noted("a note".into()))
        ],
        Just(Signal::GraceOver),
    ]
}

proptest! {
    #[test]
    fn in_any_order_an_attempt_ends_at_most_once_and_two_snapshots_without_it_end_it(
        seen in prop::collection::vec(signals(), 0..30)
    ) {
        let (mut attempt, now) = attempt();
        let mut effects = Vec::new();
        let mut is_answered = false;
        for signal in seen {
            let tells = match &signal {
                Signal::StateChanged { state, .. } => *state == ALegState::Up,
                Signal::DialEnded(status) => *status == DialStatus::Answer,
                Signal::CdrReceived(cdr) => cdr.disposition == Disposition::Answered,
                Signal::Originated { result, .. } => result.success,
                _ => false,
            };
            is_answered |= tells && !attempt.is_over();
            // A refusal is believed, for Asterisk gives it before it makes a channel.
            is_answered &= !matches!(signal, Signal::Refused { .. }) || attempt.is_over();
            effects.extend(attempt.apply(signal, now));
        }
        for signal in missing() {
            effects.extend(attempt.apply(signal, now));
        }
        let outcome = effects.iter().find_map(|effect| match effect {
            Effect::Ended(End { outcome, .. }) => Some(*outcome),
            _ => None,
        });
        prop_assert!(!is_answered || outcome == Some(Outcome::Answered), "{:?}", outcome);
        let ends = effects.iter().filter(|effect| matches!(effect, Effect::Ended { .. })).count();
        prop_assert_eq!(ends, 1);
        let ended = matches!(effects.last(), Some(Effect::Ended { .. }));
        prop_assert!(ended);
        let answers = effects.iter().filter(|effect| matches!(effect, Effect::Moved { to: CallStatus::Answered, .. }));
        prop_assert!(answers.count() <= 1);
    }
}
