//! Checks the wire: one Originate for each attempt, none without a stored attempt, none after the end, and the limits.

use std::collections::{HashMap, HashSet};

use super::Violation;
use crate::history::{ChannelEvent, History, outcome};

pub fn check(history: &History) -> Vec<Violation> {
    [originates(history), after_the_end(history), channels(history), pace(history), capacity(history)].concat()
}

/// Checks that there is at most one Originate for each attempt and each ChannelId, that each has a stored attempt, and
/// that each attempt with an outcome was sent.
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

/// Checks that no Originate is sent for a call after the client received the event of its end.
fn after_the_end(history: &History) -> Vec<Violation> {
    let calls: HashMap<&str, &str> =
        history.store.attempts.iter().map(|attempt| (attempt.id.as_str(), attempt.call_id.as_str())).collect();
    let ended: HashMap<&str, _> = history
        .client
        .events
        .iter()
        .filter(|event| event.ended)
        .filter_map(|event| Some((event.call_id.as_deref()?, event.at)))
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

/// Returns the largest number of calls that were live at once, by the order of Asterisk's events.
pub fn peak(channel_events: &[ChannelEvent]) -> usize {
    let mut legs: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut most = 0;
    for event in channel_events {
        match event {
            ChannelEvent::New { uniqueid, linkedid } => {
                legs.entry(linkedid).or_default().insert(uniqueid);
                most = most.max(legs.len());
            }
            ChannelEvent::Gone { uniqueid, linkedid } => {
                if let Some(left) = legs.get_mut(linkedid.as_str()) {
                    left.remove(uniqueid.as_str());
                    if left.is_empty() {
                        legs.remove(linkedid.as_str());
                    }
                }
            }
            ChannelEvent::Restarted => legs.clear(),
        }
    }
    most
}

fn channels(history: &History) -> Vec<Violation> {
    let (live, most) = (peak(&history.channel_events), history.limits.max_channels);
    if live > most { vec![Violation::TooManyChannels { live, most }] } else { Vec::new() }
}

/// How many calls more than the rate allows may begin in any period: one for the token that the bucket holds, and one
/// because an Originate may be late while the next one is on time.
const BESIDES: f64 = 2.0;

/// Checks that the calls began no faster than the rate allows.
pub fn pace(history: &History) -> Vec<Violation> {
    let rate = history.limits.calls_per_second;
    let Some(first) = history.sent.first() else { return Vec::new() };
    // With x(k) = k − rate × t(k), the calls from i to j are too many exactly if x(j) − x(i) + 1 is above BESIDES.
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

/// Checks that the last batch, which is larger than the limit, uses all channels.
fn capacity(history: &History) -> Vec<Violation> {
    let most = history.limits.max_channels;
    match history.limits.last_peak {
        Some(peak) if peak < most => vec![Violation::CapacityLost { peak, most }],
        Some(_) | None => Vec::new(),
    }
}
