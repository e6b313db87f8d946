//! The codec of the Asterisk Manager Interface: messages do not depend on how their bytes are split, and Asterisk reads
//! no more headers in what we send than we meant.

use std::time::Duration;

use bytes::BytesMut;
use trunkline::ami::codec::{Decoder, MAX_MESSAGE};
use trunkline::ami::{Action, Event, HeaderValue, Message, Originate, Target, Variable};

use super::asterisk;

/// The longest input that is split at every position.
const SPLIT_EVERYWHERE: usize = 120;

/// Decodes the input, and sends actions with its lines as values.
pub fn check(input: &[u8]) {
    let whole = decode(&[input], false);
    for message in &whole {
        check_message(message);
    }
    let with_banner = decode(&[input], true);
    if input.len() <= SPLIT_EVERYWHERE {
        for position in 0..=input.len() {
            let (one, two) = input.split_at(position);
            assert_eq!(decode(&[one, two], false), whole, "split at {position}");
        }
    }
    for size in [1, 3, 64] {
        let parts: Vec<&[u8]> = input.chunks(size).collect();
        assert_eq!(decode(&parts, false), whole, "in parts of {size} bytes");
        assert_eq!(decode(&parts, true), with_banner, "after a banner in parts of {size} bytes");
    }
    check_sent(&String::from_utf8_lossy(input));
}

/// Decodes bytes that are received in these parts, after a banner if there is one.
fn decode(parts: &[&[u8]], mut banner: bool) -> Vec<Message> {
    let (mut decoder, mut buffer, mut messages) = (Decoder::default(), BytesMut::new(), Vec::new());
    for part in parts {
        buffer.extend_from_slice(part);
        if banner {
            let Some(line) = decoder.banner(&mut buffer) else { continue };
            assert!(!line.contains('\n'), "{line:?} is one line");
            banner = false;
        }
        while let Some(message) = decoder.next(&mut buffer) {
            messages.push(message);
        }
        assert!(buffer.len() <= MAX_MESSAGE + part.len(), "{} bytes are kept", buffer.len());
    }
    messages
}

fn check_message(message: &Message) {
    for (name, value) in message.headers() {
        assert!(!name.contains(&b'\n') && !name.contains(&b':') && !value.contains('\n'), "{message:?}");
        if let Ok(name) = std::str::from_utf8(name) {
            let first = message.headers().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
            assert_eq!(message.get(name), first.map(|(_, value)| value), "the first header of a name is found");
        }
    }
    let _ = (message.is_success(), message.text(), message.action_id());
    if let Some(name) = message.event_name() {
        assert!(!message.is_response(), "{message:?}");
        if let Some(Event::Other(other)) = Event::parse(message) {
            assert_eq!(other, String::from_utf8_lossy(name));
        }
    }
}

/// Sends an Originate whose values are the lines of a text, and reads it as Asterisk does.
fn check_sent(text: &str) {
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let mut value = || HeaderValue::try_from(next()).ok();
    let (Some(id), Some(channel), Some(channel_id), Some(one), Some(two)) =
        (value(), value(), value(), value(), value())
    else {
        return;
    };
    let (name, set) = (next(), next());
    let variable = Variable::new(name, set);
    let originate = Originate {
        channel: channel.clone(),
        channel_id: channel_id.clone(),
        other_channel_id: None,
        target: Target::Application { name: one.clone(), data: two.clone() },
        timeout: Duration::from_secs(30),
        caller_id: Some(channel.clone()),
        account: None,
        early_media: false,
        codecs: None,
        variables: variable.clone().into_iter().collect(),
    };
    let mut sent = BytesMut::new();
    Action::Originate(Box::new(originate)).encode(&id, &mut sent);
    let messages = decode(&[&sent], false);
    assert_eq!(messages.len(), 1, "one action is sent: {sent:?}");
    let mut expected = vec![
        ("Action", "Originate"),
        ("ActionID", id.as_str()),
        ("Channel", channel.as_str()),
        ("ChannelId", channel_id.as_str()),
        ("Async", "true"),
        ("Timeout", "30000"),
        ("Application", one.as_str()),
        ("Data", two.as_str()),
        ("CallerID", channel.as_str()),
    ];
    if let Ok(variable) = &variable {
        let header = variable.header().as_str();
        expected.push(("Variable", header));
        let read = asterisk::separate(header, ',', usize::MAX);
        assert_eq!(read, [format!("{name}={set}")], "Asterisk sets one variable, to what was given");
    }
    let headers: Vec<(&[u8], String)> = messages[0].headers().map(|(name, value)| (name, value.into_owned())).collect();
    let expected: Vec<(&[u8], String)> = expected
        .into_iter()
        .map(|(name, value)| (name.as_bytes(), String::from_utf8_lossy(value.as_bytes().trim_ascii()).into_owned()))
        .collect();
    assert_eq!(headers, expected, "no value adds a header");
}
