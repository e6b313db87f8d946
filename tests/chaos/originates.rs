//! Finds the Originates in the bytes that were sent.

use std::collections::BTreeMap;

use crate::history::Sent;
use crate::support::proxy::{Chunk, Way};

const END: &[u8] = b"\r\n\r\n";

/// Returns every Originate that the dialer sent completely, by time. One that was cut off does not count, because
/// Asterisk acts on whole messages only.
pub fn in_log(log: &[Chunk]) -> Vec<Sent> {
    let mut connections: BTreeMap<u64, Vec<&Chunk>> = BTreeMap::new();
    for chunk in log.iter().filter(|chunk| chunk.way == Way::Out) {
        connections.entry(chunk.connection).or_default().push(chunk);
    }
    let mut sent: Vec<Sent> = connections.values().flat_map(|chunks| of_connection(chunks)).collect();
    sent.sort_by_key(|sent| sent.at);
    sent
}

fn of_connection(chunks: &[&Chunk]) -> Vec<Sent> {
    let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.iter().copied()).collect();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(length) = bytes[from..].windows(END.len()).position(|window| window == END) {
        let end = from + length + END.len();
        if let Some((action_id, channel_id)) = originate(&String::from_utf8_lossy(&bytes[from..end])) {
            let (chunk, within) = holder(chunks, end);
            found.push(Sent { at: chunk.at, action_id, channel_id, delivered: within <= chunk.delivered });
        }
        from = end;
    }
    found
}

/// Returns the chunk with the byte before `end`, and the position after that byte in the chunk.
fn holder<'c>(chunks: &[&'c Chunk], end: usize) -> (&'c Chunk, usize) {
    let mut passed = 0;
    for chunk in chunks {
        if end <= passed + chunk.bytes.len() {
            return (chunk, end - passed);
        }
        passed += chunk.bytes.len();
    }
    unreachable!("the bytes are those of the chunks");
}

fn originate(message: &str) -> Option<(String, String)> {
    let header = |name: &str| {
        let mut headers = message.split("\r\n").filter_map(|line| line.split_once(": "));
        headers.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    (header("Action")? == "Originate")
        .then(|| (plain(&header("ActionID").unwrap_or_default()), header("ChannelId").unwrap_or_default()))
}

/// Returns an id as `reader` returns it: only its digits.
fn plain(id: &str) -> String {
    id.replace('-', "").to_lowercase()
}
