//! Checks the store: what was accepted, how it ended, the counters and the event log.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Violation;
use crate::history::{CallRow, EventRow, History, kind, outcome, status};

pub fn check(history: &History) -> Vec<Violation> {
    [accepted(history), ends(history), counters(history), timelines(history), stream(history)].concat()
}

/// Checks that nothing that was accepted is lost, that any other batch is stored whole or not at all, and that nothing
/// is stored twice.
fn accepted(history: &History) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut stored: HashMap<i64, i64> = HashMap::new();
    for batch in history.store.calls.iter().filter_map(|call| call.batch_id) {
        *stored.entry(batch).or_default() += 1;
    }
    for (&batch, sent) in &history.client.batches {
        let (stored, items) = (stored.get(&batch).copied().unwrap_or(0), sent.items);
        if sent.accepted.is_some() && stored != items {
            broken.push(Violation::BatchLost { batch, accepted: items, stored });
        } else if stored != 0 && stored != items {
            broken.push(Violation::BatchInPart { batch, items, stored });
        }
    }
    let known: HashSet<&str> = history.store.calls.iter().map(|call| call.id.as_str()).collect();
    for (key, quick) in &history.client.quick {
        let calls: HashSet<&String> = quick.accepted.iter().collect();
        for call in &calls {
            if !known.contains(call.as_str()) {
                broken.push(Violation::QuickLost { call: (*call).clone() });
            }
        }
        if calls.len() > 1 {
            broken.push(Violation::QuickTwice { key: key.clone(), calls: quick.accepted.clone() });
        }
    }
    let quick = history.store.calls.iter().filter(|call| call.batch_id.is_none()).count();
    if quick > history.client.quick.len() {
        broken.push(Violation::TooManyQuick { sent: history.client.quick.len(), stored: quick });
    }
    broken
}

/// Checks that every call has ended, within its tries, with an outcome that its destination can produce.
fn ends(history: &History) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut tried: HashMap<&str, Vec<i64>> = HashMap::new();
    for attempt in &history.store.attempts {
        tried.entry(&attempt.call_id).or_default().push(attempt.number);
        if !attempt.ended {
            broken.push(Violation::SlotHeld { attempt: attempt.id.clone() });
        }
    }
    for call in &history.store.calls {
        let mut numbers = tried.remove(call.id.as_str()).unwrap_or_default();
        numbers.sort_unstable();
        let (id, stored) = (call.id.clone(), numbers.len() as i64);
        if !numbers.iter().copied().eq(1..=stored) {
            broken.push(Violation::AttemptsMisnumbered { call: id.clone(), numbers });
        }
        if call.status < status::COMPLETED {
            broken.push(Violation::NotEnded { call: id.clone(), status: call.status });
        }
        let allowed = 1 + call.max_retries;
        if stored > allowed {
            broken.push(Violation::TooManyAttempts { call: id.clone(), attempts: stored, allowed });
        }
        if stored != call.attempts {
            broken.push(Violation::AttemptsMiscounted { call: id.clone(), said: call.attempts, stored });
        }
        if let (Some(destination), Some(outcome)) = (&call.destination, call.outcome)
            && !is_possible(destination, outcome)
        {
            broken.push(Violation::ImpossibleOutcome { call: id, destination: destination.clone(), outcome });
        }
    }
    broken
}

/// Returns true for an outcome that the dialplan produces, and for `unknown` if a fault hid it. A fault can also hide
/// why a call failed, but it never makes a failed call look answered, or the other way round.
fn is_possible(destination: &str, said: i64) -> bool {
    let produced = match destination {
        "answer" | "talk" => return matches!(said, outcome::ANSWERED | outcome::UNKNOWN),
        "busy" => outcome::BUSY,
        "congestion" => outcome::CONGESTION,
        "noanswer" => outcome::NO_ANSWER,
        "unallocated" => outcome::UNALLOCATED,
        _ => return true,
    };
    said == produced || matches!(said, outcome::FAILED | outcome::UNKNOWN)
}

/// Checks that a recount gives the stored counters.
fn counters(history: &History) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut counted: HashMap<i64, [i64; 10]> = HashMap::new();
    for call in &history.store.calls {
        if let Some(count) = usize::try_from(call.status - 1)
            .ok()
            .and_then(|index| counted.entry(call.queue_id).or_default().get_mut(index))
        {
            *count += 1;
        }
    }
    for queue in &history.store.queues {
        let counted = counted.get(&queue.id).copied().unwrap_or_default();
        for (status, (kept, counted)) in (1..).zip(queue.counts.into_iter().zip(counted)) {
            if kept != counted {
                broken.push(Violation::CounterOff { queue: queue.id, status, kept, counted });
            }
        }
        let counted = counted.iter().sum();
        if queue.total != counted {
            broken.push(Violation::CounterOff { queue: queue.id, status: 0, kept: queue.total, counted });
        }
    }
    for lane in &history.store.lanes {
        if lane.waiting != 0 || lane.live != 0 {
            let (waiting, live) = (lane.waiting, lane.live);
            broken.push(Violation::LaneOff { queue: lane.queue_id, waiting, live });
        }
    }
    broken
}

/// Checks that the event log has every transition once, in order, and that the last event of each call is its end.
fn timelines(history: &History) -> Vec<Violation> {
    let mut broken = Vec::new();
    let mut events: BTreeMap<&str, Vec<&EventRow>> = BTreeMap::new();
    let mut batches: HashMap<i64, usize> = HashMap::new();
    for event in &history.store.events {
        if let Some(call) = &event.call_id {
            events.entry(call).or_default().push(event);
        }
        if event.kind == kind::BATCH_INSERTED
            && let Some(batch) = event.batch_id
        {
            *batches.entry(batch).or_default() += 1;
        }
    }
    let stored: HashSet<i64> = history.store.calls.iter().filter_map(|call| call.batch_id).collect();
    for batch in stored {
        let times = batches.get(&batch).copied().unwrap_or(0);
        if times != 1 {
            broken.push(Violation::BatchTold { batch, times });
        }
    }
    for call in &history.store.calls {
        let events = events.get(call.id.as_str()).map_or(&[][..], Vec::as_slice);
        broken.extend(timeline(call, events));
    }
    broken
}

fn timeline(call: &CallRow, events: &[&EventRow]) -> Vec<Violation> {
    let mut broken = Vec::new();
    let ends = events.iter().filter(|event| event.kind == kind::ENDED).count();
    if ends != 1 {
        broken.push(Violation::EndedTimes { call: call.id.clone(), times: ends });
    }
    let mut stands = status::QUEUED;
    let mut attempt = 0;
    for event in events {
        let is_live = (status::DIALING..=status::ANSWERED).contains(&stands);
        let is_waiting = matches!(stands, status::QUEUED | status::RETRYING);
        let why = match event.kind {
            _ if stands >= status::COMPLETED && event.kind <= kind::ENDED => "it had ended",
            kind::DIALING if !is_waiting => "it was dialed while it was live",
            kind::DIALING if event.attempt != Some(attempt + 1) => "its attempts are not counted up by one",
            kind::RINGING if stands != status::DIALING => "it rang without being dialed",
            kind::ANSWERED if !matches!(stands, status::DIALING | status::RINGING) => {
                "it answered without being dialed"
            }
            kind::BRIDGED if stands != status::ANSWERED && stands != status::DIALING && stands != status::RINGING => {
                "it was bridged while it was not live"
            }
            kind::RETRYING if !is_live => "it is tried again without having been tried",
            kind::RETRYING if event.outcome == Some(outcome::UNKNOWN) => "it is tried again though it is in doubt",
            kind::ENDED if !is_live && !is_waiting => "it ended twice",
            kind::RINGING | kind::ANSWERED | kind::RETRYING if event.attempt != Some(attempt) => {
                "it is of another attempt"
            }
            _ => "",
        };
        if !why.is_empty() {
            broken.push(Violation::EventOutOfOrder { call: call.id.clone(), seq: event.seq, why });
        }
        match (event.kind, event.status) {
            (kind::DIALING, _) => attempt = event.attempt.unwrap_or(0),
            // The claim was withdrawn, because nothing had been sent.
            (kind::NOTE, Some(status::QUEUED | status::RETRYING)) if is_live => attempt -= 1,
            _ => {}
        }
        stands = event.status.unwrap_or(stands);
    }
    let last = events.iter().rev().find(|event| event.kind != kind::NOTE);
    let says = last.map(|event| (event.kind, event.status, event.outcome));
    if says != Some((kind::ENDED, Some(call.status), call.outcome)) {
        broken.push(Violation::LastEventOff { call: call.id.clone() });
    }
    broken
}

/// Checks that the stream sent every event once, in order, over all its interruptions.
fn stream(history: &History) -> Vec<Violation> {
    let mut broken = Vec::new();
    for pair in history.client.events.windows(2) {
        if pair[1].seq <= pair[0].seq {
            broken.push(Violation::StreamOutOfOrder { from: pair[0].seq, to: pair[1].seq });
        }
    }
    let sent: HashSet<i64> = history.client.events.iter().map(|event| event.seq).collect();
    let logged: HashSet<i64> = history.store.events.iter().map(|event| event.seq).collect();
    broken.extend(sent.symmetric_difference(&logged).map(|&seq| Violation::StreamOff { seq }));
    broken
}
