//! Compares a history with what Trunkline promises. It is a pure function: the same history always has the same
//! violations.

mod store;
mod wire;

use super::history::History;
pub use wire::{pace, peak};

/// A violation of a promise, with the evidence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Violation {
    #[error("batch {batch} was accepted with {accepted} calls, and {stored} are in the store")]
    BatchLost { batch: i64, accepted: i64, stored: i64 },
    #[error("batch {batch} was stored in part: {stored} of {items} calls")]
    BatchInPart { batch: i64, items: i64, stored: i64 },
    #[error("quick call {call} was accepted, and is not in the store")]
    QuickLost { call: String },
    #[error("the Idempotency-Key {key} gave two calls: {calls:?}")]
    QuickTwice { key: String, calls: Vec<String> },
    #[error("{stored} quick calls are stored, and only {sent} were asked for")]
    TooManyQuick { sent: usize, stored: usize },
    #[error("call {call} has not ended: status {status}")]
    NotEnded { call: String, status: i64 },
    #[error("call {call} ended {times} times in the event log")]
    EndedTimes { call: String, times: usize },
    #[error("call {call} was tried {attempts} times, and {allowed} were allowed")]
    TooManyAttempts { call: String, attempts: i64, allowed: i64 },
    #[error("call {call} has {said} attempts by its counter, and {stored} are stored")]
    AttemptsMiscounted { call: String, said: i64, stored: i64 },
    #[error("attempt {attempt} still holds a permit")]
    SlotHeld { attempt: String },
    #[error("call {call} went to {destination}, which cannot end with outcome {outcome}")]
    ImpossibleOutcome { call: String, destination: String, outcome: i64 },
    #[error("queue {queue}: the counter of status {status} says {kept}, and {counted} calls are there")]
    CounterOff { queue: i64, status: i64, kept: i64, counted: i64 },
    #[error("queue {queue}: its lane counts {waiting} waiting and {live} live calls, and there are none")]
    LaneOff { queue: i64, waiting: i64, live: i64 },
    #[error("call {call}, event {seq}: {why}")]
    EventOutOfOrder { call: String, seq: i64, why: &'static str },
    #[error("call {call}: its last event does not show its status")]
    LastEventOff { call: String },
    #[error("batch {batch} has {times} events")]
    BatchTold { batch: i64, times: usize },
    #[error("the stream went back from event {from} to {to}")]
    StreamOutOfOrder { from: i64, to: i64 },
    #[error("the stream omitted event {seq}, or sent it though it is not in the log")]
    StreamOff { seq: i64 },
    #[error("{times} Originates were sent with ActionID {action_id}")]
    SentTwice { action_id: String, times: usize },
    #[error("{times} Originates were sent with ChannelId {channel_id}")]
    ChannelIdTwice { channel_id: String, times: usize },
    #[error("an Originate was sent for {action_id}, which is not stored")]
    SentOffRecord { action_id: String },
    #[error("attempt {attempt} ended with outcome {outcome}, and no Originate of it reached Asterisk")]
    NeverSent { attempt: String, outcome: i64 },
    #[error("attempt {attempt} was sent with ChannelId {channel_id}, which is not the stored one")]
    ChannelIdOff { attempt: String, channel_id: String },
    #[error("call {call}: its attempts are numbered {numbers:?}")]
    AttemptsMisnumbered { call: String, numbers: Vec<i64> },
    #[error("call {call} was dialed again after the client had received the event of its end")]
    DialedAfterEnd { call: String },
    #[error("{live} channels were live, and {most} are allowed")]
    TooManyChannels { live: usize, most: usize },
    #[error("{calls} calls went out in {millis} ms, at {rate} a second")]
    TooFast { calls: usize, millis: u128, rate: f64 },
    #[error("after the faults only {peak} of {most} channels were used")]
    CapacityLost { peak: usize, most: usize },
}

/// Returns every violation in the history.
pub fn check(history: &History) -> Vec<Violation> {
    let mut broken = store::check(history);
    broken.extend(wire::check(history));
    broken
}
