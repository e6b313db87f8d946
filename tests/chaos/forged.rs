//! Forged histories, each of which breaks one promise. The checker must find that violation and no other.

use std::time::{Duration, Instant};

use crate::checker::{Violation, check};
use crate::history::{
    AttemptRow, Batch, CallRow, ChannelEvent, Client, EventRow, History, LaneRow, Limits, QueueRow, Quick, Sent,
    StoreDump, StreamEvent, kind, outcome, status,
};

const QUEUE: i64 = 7;
const BATCH: i64 = 3;

/// Returns a history without a violation: a batch of one call, `a`, that was first busy and then answered, and a quick
/// call, `q`, that was answered.
fn sound() -> History {
    let at = Instant::now();
    let call = |id: &str, batch_id, attempts, destination: &str| CallRow {
        id: id.into(),
        queue_id: QUEUE,
        batch_id,
        status: status::COMPLETED,
        outcome: Some(outcome::ANSWERED),
        attempts,
        max_retries: 1,
        destination: Some(destination.into()),
    };
    let attempt = |id: &str, call_id: &str, number, outcome| AttemptRow {
        id: id.into(),
        call_id: call_id.into(),
        number,
        channel_id: format!("tl-{id}"),
        ended: true,
        outcome: Some(outcome),
    };
    let sent = |seconds, id: &str| Sent {
        at: at + Duration::from_secs(seconds),
        action_id: id.into(),
        channel_id: format!("tl-{id}"),
        delivered: true,
    };
    let events = vec![
        EventRow { kind: kind::BATCH_INSERTED, batch_id: Some(BATCH), ..EventRow::default() },
        event("a", kind::DIALING, 1, status::DIALING),
        EventRow { outcome: Some(outcome::BUSY), ..event("a", kind::RETRYING, 1, status::RETRYING) },
        event("q", kind::DIALING, 1, status::DIALING),
        event("q", kind::ANSWERED, 1, status::ANSWERED),
        ended("q", 1),
        event("a", kind::DIALING, 2, status::DIALING),
        event("a", kind::RINGING, 2, status::RINGING),
        event("a", kind::ANSWERED, 2, status::ANSWERED),
        ended("a", 2),
    ];
    let mut history = History {
        limits: Limits { max_channels: 1, calls_per_second: 1.0, last_peak: Some(1) },
        client: Client {
            batches: [(BATCH, Batch { items: 1, accepted: Some(QUEUE) })].into(),
            quick: [("key".to_owned(), Quick { accepted: vec!["q".into(), "q".into()] })].into(),
            events: Vec::new(),
        },
        sent: vec![sent(0, "a1"), sent(1, "q1"), sent(2, "a2")],
        channel_events: ["a1", "q1", "a2"].iter().flat_map(|id| [new(id), gone(id)]).collect(),
        store: StoreDump {
            calls: vec![call("a", Some(BATCH), 2, "talk"), call("q", None, 1, "answer")],
            attempts: vec![
                attempt("a1", "a", 1, outcome::BUSY),
                attempt("a2", "a", 2, outcome::ANSWERED),
                attempt("q1", "q", 1, outcome::ANSWERED),
            ],
            events,
            queues: vec![QueueRow { id: QUEUE, total: 2, counts: [0, 0, 0, 0, 0, 2, 0, 0, 0, 0] }],
            lanes: vec![LaneRow { queue_id: QUEUE, waiting: 0, live: 0 }],
        },
    };
    number(&mut history);
    history
}

/// Numbers the log and sends all of it to the client, one minute after the first Originate.
fn number(history: &mut History) {
    let at = history.sent[0].at + Duration::from_secs(60);
    for (seq, event) in (1..).zip(&mut history.store.events) {
        event.seq = seq;
    }
    let events = history.store.events.iter().map(|event| StreamEvent {
        at,
        seq: event.seq,
        call_id: event.call_id.clone(),
        ended: event.kind == kind::ENDED,
    });
    history.client.events = events.collect();
}

fn event(call: &str, kind: i64, attempt: i64, status: i64) -> EventRow {
    EventRow { kind, call_id: Some(call.into()), attempt: Some(attempt), status: Some(status), ..EventRow::default() }
}

fn ended(call: &str, attempt: i64) -> EventRow {
    EventRow { outcome: Some(outcome::ANSWERED), ..event(call, kind::ENDED, attempt, status::COMPLETED) }
}

fn new(id: &str) -> ChannelEvent {
    ChannelEvent::New { uniqueid: format!("tl-{id}"), linkedid: format!("tl-{id}") }
}

fn gone(id: &str) -> ChannelEvent {
    ChannelEvent::Gone { uniqueid: format!("tl-{id}"), linkedid: format!("tl-{id}") }
}

/// Returns the violations that the checker finds after `forge` has changed the sound history.
fn forged(forge: impl FnOnce(&mut History)) -> Vec<Violation> {
    let mut history = sound();
    forge(&mut history);
    check(&history)
}

/// Does the same for a change of the event log, which the client then receives as it was changed.
fn relogged(forge: impl FnOnce(&mut Vec<EventRow>)) -> Vec<Violation> {
    forged(|history| {
        forge(&mut history.store.events);
        number(history);
    })
}

macro_rules! caught {
    ($broken:expr, $($expected:pat),+ $(,)?) => {
        let broken = $broken;
        assert!(matches!(broken.as_slice(), [$($expected),+]), "{broken:?}");
    };
}

#[test]
fn a_sound_history_breaks_nothing() {
    assert_eq!(check(&sound()), []);
}

#[test]
fn a_lost_batch_that_was_accepted_is_found() {
    caught!(
        forged(|history| history
            .client
            .batches
            .entry(4)
            .or_default()
            .clone_from(&Batch { items: 2, accepted: Some(1) })),
        Violation::BatchLost { batch: 4, accepted: 2, stored: 0 }
    );
}

#[test]
fn a_batch_that_was_never_answered_and_is_stored_in_part_is_found() {
    caught!(
        forged(|history| {
            history.client.batches.insert(BATCH, Batch { items: 2, accepted: None });
        }),
        Violation::BatchInPart { batch: BATCH, items: 2, stored: 1 }
    );
}

#[test]
fn a_lost_quick_call_that_was_accepted_is_found() {
    caught!(
        forged(|history| {
            history.client.quick.insert("other".into(), Quick { accepted: vec!["x".into()] });
        }),
        Violation::QuickLost { .. }
    );
}

#[test]
fn a_key_that_gave_two_calls_is_found() {
    caught!(
        forged(|history| history.client.quick.entry("key".into()).or_default().accepted.push("a".into())),
        Violation::QuickTwice { .. }
    );
}

#[test]
fn a_quick_call_that_was_not_requested_is_found() {
    caught!(forged(|history| history.client.quick.clear()), Violation::TooManyQuick { sent: 0, stored: 1 });
}

#[test]
fn a_call_that_never_ended_is_found() {
    caught!(
        forged(|history| {
            history.store.calls[0].status = status::ANSWERED;
            history.store.queues[0].counts = [0, 0, 0, 1, 0, 1, 0, 0, 0, 0];
        }),
        Violation::NotEnded { .. },
        Violation::LastEventOff { .. },
    );
}

#[test]
fn a_call_that_ended_twice_is_found() {
    caught!(
        relogged(|events| events.push(ended("a", 2))),
        Violation::EndedTimes { times: 2, .. },
        Violation::EventOutOfOrder { .. },
    );
}

#[test]
fn more_attempts_than_allowed_are_found() {
    caught!(
        forged(|history| history.store.calls[0].max_retries = 0),
        Violation::TooManyAttempts { attempts: 2, allowed: 1, .. }
    );
}

#[test]
fn attempts_that_the_call_does_not_count_are_found() {
    caught!(forged(|history| history.store.calls[0].attempts = 3), Violation::AttemptsMiscounted { said: 3, .. });
}

#[test]
fn attempts_with_the_same_number_are_found() {
    caught!(forged(|history| history.store.attempts[1].number = 1), Violation::AttemptsMisnumbered { .. });
}

#[test]
fn a_permit_that_an_ended_call_holds_is_found() {
    caught!(
        forged(|history| {
            history.store.attempts[2].ended = false;
            history.store.lanes[0].live = 1;
        }),
        Violation::SlotHeld { .. },
        Violation::LaneOff { live: 1, .. },
    );
}

#[test]
fn an_outcome_that_the_dialplan_cannot_produce_is_found() {
    caught!(
        forged(|history| history.store.calls[0].destination = Some("busy".into())),
        Violation::ImpossibleOutcome { outcome: outcome::ANSWERED, .. }
    );
}

#[test]
fn counters_that_differ_from_a_recount_are_found() {
    caught!(
        forged(|history| history.store.queues[0].counts[8] = 1),
        Violation::CounterOff { status: 9, kept: 1, counted: 0, .. }
    );
    caught!(forged(|history| history.store.queues[0].total = 3), Violation::CounterOff { status: 0, kept: 3, .. });
    caught!(forged(|history| history.store.lanes[0].waiting = -1), Violation::LaneOff { waiting: -1, .. });
}

#[test]
fn a_transition_that_is_missing_or_doubled_in_the_log_is_found() {
    let dialing_again = |events: &mut Vec<EventRow>| {
        events.remove(6);
    };
    let broken = relogged(dialing_again);
    assert!(broken.iter().all(|broken| matches!(broken, Violation::EventOutOfOrder { .. })), "{broken:?}");
    assert!(!broken.is_empty());
    caught!(
        relogged(|events| events.insert(4, events[3].clone())),
        Violation::EventOutOfOrder { why: "it was dialed while it was live", .. }
    );
    caught!(
        relogged(|events| events.swap(7, 8)),
        Violation::EventOutOfOrder { why: "it rang without being dialed", .. }
    );
}

#[test]
fn a_call_in_doubt_that_was_tried_again_is_found() {
    caught!(
        relogged(|events| events[2].outcome = Some(outcome::UNKNOWN)),
        Violation::EventOutOfOrder { why: "it is tried again though it is in doubt", .. }
    );
}

#[test]
fn a_claim_that_was_withdrawn_does_not_count_as_an_attempt() {
    let withdrawn = relogged(|events| {
        events.insert(6, event("a", kind::DIALING, 2, status::DIALING));
        events.insert(7, event("a", kind::NOTE, 2, status::RETRYING));
    });
    assert_eq!(withdrawn, []);
}

#[test]
fn a_last_event_that_differs_from_the_call_is_found() {
    caught!(relogged(|events| events[9].outcome = Some(outcome::BUSY)), Violation::LastEventOff { .. });
}

#[test]
fn a_batch_without_an_event_is_found() {
    caught!(relogged(|events| drop(events.remove(0))), Violation::BatchTold { times: 0, .. });
}

#[test]
fn a_stream_that_skips_or_repeats_is_found() {
    caught!(forged(|history| drop(history.client.events.remove(4))), Violation::StreamOff { seq: 5 });
    caught!(
        forged(|history| history.client.events.insert(4, history.client.events[3].clone())),
        Violation::StreamOutOfOrder { from: 4, to: 4 }
    );
}

#[test]
fn an_originate_that_was_sent_twice_is_found() {
    let again = |history: &mut History| {
        let late = Sent { at: history.sent[2].at + Duration::from_secs(5), ..history.sent[2].clone() };
        history.sent.push(late);
    };
    caught!(forged(again), Violation::SentTwice { times: 2, .. }, Violation::ChannelIdTwice { times: 2, .. });
}

#[test]
fn an_originate_without_a_stored_attempt_is_found() {
    let strange = |history: &mut History| {
        let at = history.sent[2].at + Duration::from_secs(5);
        history.sent.push(Sent { at, action_id: "x".into(), channel_id: "tl-x".into(), delivered: true });
    };
    caught!(forged(strange), Violation::SentOffRecord { .. });
}

#[test]
fn an_outcome_of_an_originate_that_never_arrived_is_found() {
    caught!(forged(|history| history.sent[1].delivered = false), Violation::NeverSent { .. });
    caught!(forged(|history| drop(history.sent.remove(1))), Violation::NeverSent { .. });
}

#[test]
fn a_channel_id_that_differs_from_the_stored_one_is_found() {
    caught!(forged(|history| history.sent[1].channel_id = "tl-y".into()), Violation::ChannelIdOff { .. });
}

#[test]
fn a_call_that_was_dialed_after_its_end_is_found() {
    caught!(forged(|history| history.client.events[9].at = history.sent[1].at), Violation::DialedAfterEnd { .. });
}

#[test]
fn more_channels_than_allowed_are_found() {
    caught!(forged(|history| history.channel_events.swap(1, 2)), Violation::TooManyChannels { live: 2, most: 1 });
}

#[test]
fn a_killed_asterisk_has_no_channels() {
    assert_eq!(forged(|history| history.channel_events[1] = ChannelEvent::Restarted), []);
}

#[test]
fn more_calls_a_second_than_allowed_are_found() {
    caught!(
        forged(|history| {
            history.sent[2].at = history.sent[0].at + Duration::from_millis(900);
            history.sent[1].at = history.sent[0].at + Duration::from_millis(500);
        }),
        Violation::TooFast { calls: 3, millis: 900, .. }
    );
}

#[test]
fn permits_that_are_never_released_are_found() {
    caught!(forged(|history| history.limits.last_peak = Some(0)), Violation::CapacityLost { peak: 0, most: 1 });
}
