//! What the wire must show: one Originate an attempt, none off the record, none after the end, and the limits kept.

use std::collections::{HashMap, HashSet};

use super::Violation;
use crate::history::{Heard, History, outcome};

pub fn check(history: &History) -> Vec<Violation> {
    [originates(history), after_the_end(history), channels(history), pace(history), capacity(history)].concat()
}

/// At most one Originate for each attempt and each ChannelId; each is on record, and each on record was sent.
fn originates(history: &History) -> Vec<Violation> {
    let mut broken = Vec::new();
    let (mut by_action, mut by_channel) = (HashMap::<&str, usize>::new(), HashMap::<&str, usize>::new());
    for sent in &history.sent {
        *by_action.entry(&sent.action_id).or_default() += 1;
        *by_channel.entry(&sent.channel_id).or_default() += 1;
    }
    for (&action_id, &times) in by_action.iter().filter(|(_, times)| **times > 1) {
        broken.push(Violation::SentTwice { action_id: action_id.to_owned(), times });
    }
    for (&channel_id, &times) in by_channel.iter().filter(|(_, times)| **times > 1) {
        broken.push(Violation::ChannelIdTwice { channel_id: channel_id.to_owned(), times });
    }
    let recorded: HashSet<&str> = history.store.attempts.iter().map(|attempt| attempt.id.as_str()).collect();
    for action_id in by_action.keys().filter(|id| !recorded.contains(*id)) {
        broken.push(Violation::SentOffRecord { action_id: (*action_id).to_owned() });
    }
    let reached: HashMap<&str, &str> = history
        .sent
        .iter()
        .filter(|sent| sent.delivered)
        .map(|sent| (sent.action_id.as_str(), sent.channel_id.as_str()))
        .collect();
    for attempt in &history.store.attempts {
        match (reached.get(attempt.id.as_str()), attempt.outcome) {
            (None, Some(outcome)) if outcome != outcome::UNKNOWN => {
                broken.push(Violation::NeverSent { attempt: attempt.id.clone(), outcome });
            }
            (Some(&channel_id), _) if channel_id != attempt.channel_id => {
                let (attempt, channel_id) = (attempt.id.clone(), channel_id.to_owned());
                broken.push(Violation::ChannelIdOff { attempt, channel_id });
            }
            _ => {}
        }
    }
    broken
}

/// Once a client was told that a call has ended, no phone rings for it any more.
fn after_the_end(history: &History) -> Vec<Violation> {
    let calls: HashMap<&str, &str> =
        history.store.attempts.iter().map(|attempt| (attempt.id.as_str(), attempt.call_id.as_str())).collect();
    let ended: HashMap<&str, _> = history
        .client
        .told
        .iter()
        .filter(|told| told.ended)
        .filter_map(|told| Some((told.call_id.as_deref()?, told.at)))
        .collect();
    let mut broken = Vec::new();
    for sent in &history.sent {
        let Some(&call) = calls.get(sent.action_id.as_str()) else { continue };
        if ended.get(call).is_some_and(|at| *at < sent.at) {
            broken.push(Violation::DialedAfterEnd { call: call.to_owned() });
        }
    }
    broken
}

/// The most calls that were live at once, as Asterisk tells in one order.
pub fn peak(heard: &[Heard]) -> usize {
    let mut legs: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut most = 0;
    for heard in heard {
        match heard {
            Heard::New { uniqueid, linkedid } => {
                legs.entry(linkedid).or_default().insert(uniqueid);
                most = most.max(legs.len());
            }
            Heard::Gone { uniqueid, linkedid } => {
                if let Some(left) = legs.get_mut(linkedid.as_str()) {
                    left.remove(uniqueid.as_str());
                    if left.is_empty() {
                        legs.remove(linkedid.as_str());
                    }
                }
            }
            Heard::Restarted => legs.clear(),
        }
    }
    most
}

fn channels(history: &History) -> Vec<Violation> {
    let (live, most) = (peak(&history.heard), history.limits.max_channels);
    if live > most { vec![Violation::TooManyChannels { live, most }] } else { Vec::new() }
}

/// In any time, no more calls than the rate allows, and two: the token that the bucket holds, and one for what an
/// Originate may be behind its turn when the next one is not.
const BESIDES: f64 = 2.0;

/// Whether the calls went out no faster than they may.
pub fn pace(history: &History) -> Vec<Violation> {
    let rate = history.limits.calls_per_second;
    let Some(first) = history.sent.first() else { return Vec::new() };
    // With x(k) = k − rate × t(k), the calls from i to j are too many exactly where x(j) − x(i) + 1 is above BESIDES.
    let mut least = (f64::INFINITY, 0);
    let mut worst: Option<(f64, usize, usize)> = None;
    for (index, sent) in history.sent.iter().enumerate() {
        let x = index as f64 - rate * sent.at.saturating_duration_since(first.at).as_secs_f64();
        if x < least.0 {
            least = (x, index);
        }
        let over = x - least.0 + 1.0 - BESIDES;
        if over > 0.0 && worst.is_none_or(|(most, ..)| over > most) {
            worst = Some((over, least.1, index));
        }
    }
    let Some((_, from, to)) = worst else { return Vec::new() };
    let millis = (history.sent[to].at - history.sent[from].at).as_millis();
    vec![Violation::TooFast { calls: to - from + 1, millis, rate }]
}

/// What is free is of use: the last batch, larger than the limit, fills it.
fn capacity(history: &History) -> Vec<Violation> {
    let most = history.limits.max_channels;
    match history.limits.last_peak {
        Some(peak) if peak < most => vec![Violation::CapacityLost { peak, most }],
        Some(_) | None => Vec::new(),
    }
}
