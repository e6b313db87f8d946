//! Tests of the protocol with recorded sessions, and of the link with the sandbox.

use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::codec::Decoder;
use super::{Action, Event, HeaderValue, Incoming, Link, Options, Originate, Target};
use crate::sandbox;

/// Returns the name of every recorded session of both releases, with the bytes that Asterisk sent in it.
fn traces() -> Vec<(String, Vec<u8>)> {
    let mut traces = Vec::new();
    for release in ["asterisk-16", "asterisk-22"] {
        let dir = format!("{}/tests/data/ami/{release}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let received = text.split("\n\n").filter(|block| !block.trim_start().starts_with(">>> "));
            let wire = received.collect::<Vec<_>>().join("\r\n\r\n").replace("\r\n", "\n").replace('\n', "\r\n");
            traces.push((format!("{release}/{}", path.file_stem().unwrap().display()), wire.into_bytes()));
        }
    }
    traces.sort();
    traces
}

fn events<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Vec<Event> {
    let (mut decoder, mut buffer, mut events) = (Decoder::default(), BytesMut::new(), Vec::new());
    let mut banner = None;
    for part in parts {
        buffer.extend_from_slice(part);
        if banner.is_none() {
            banner = decoder.banner(&mut buffer);
        }
        while banner.is_some()
            && let Some(message) = decoder.next(&mut buffer)
        {
            events.extend(Event::parse(&message));
        }
    }
    events
}

#[test]
fn every_recorded_session_is_understood() {
    let mut counts = String::new();
    for (name, wire) in traces() {
        let events = events([&wire[..]]);
        let of = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
        counts += &format!(
            "{name}: {} channels, {} responses, {} dial ends, {} hangups, {} records, {} listed, {} other\n",
            of(|event| matches!(event, Event::Newchannel(_))),
            of(|event| matches!(event, Event::OriginateResponse { action_id, .. } if !action_id.is_empty())),
            of(|event| matches!(event, Event::DialEnd { dest_uniqueid, .. } if !dest_uniqueid.is_empty())),
            of(|event| matches!(event, Event::Hangup { uniqueid, .. } if !uniqueid.is_empty())),
            of(|event| matches!(event, Event::Cdr { uniqueid, .. } if !uniqueid.is_empty())),
            of(|event| matches!(event, Event::CoreShowChannel(channel) if !channel.uniqueid.is_empty())),
            of(|event| matches!(event, Event::Other(_))),
        );
    }
    insta::assert_snapshot!(counts);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_recorded_session_means_the_same_however_it_is_split(trace in 0_usize..31, size in 1_usize..200) {
        let traces = traces();
        let (_, wire) = &traces[trace % traces.len()];
        prop_assert_eq!(events(wire.chunks(size)), events([&wire[..]]));
    }
}

struct Linked {
    link: Link,
    incoming: UnboundedReceiver<Vec<Incoming>>,
    taken: std::collections::VecDeque<Incoming>,
    sandbox: sandbox::Handle,
    _stop: DropGuard,
}

impl Linked {
    async fn start(secret: &str, speed: f64) -> Self {
        let stop = CancellationToken::new();
        let listen = "127.0.0.1:0".parse().unwrap();
        let options = sandbox::Options { listen, username: "u".into(), secret: "s".into(), seed: 1, speed };
        let sandbox = sandbox::start(options, stop.clone()).await.unwrap();
        let (host, port) = (sandbox.address.ip().to_string(), sandbox.address.port());
        let mut options = Options::new(host, port, "u".into(), secret.into(), false);
        // The clock is real, because sockets need one. The deadline is long enough for a busy machine.
        options.ping_every = Duration::from_millis(200);
        options.answer_deadline = Duration::from_secs(2);
        let (link, incoming) = Link::start(options, stop.clone());
        Self { link, incoming, taken: std::collections::VecDeque::new(), sandbox, _stop: stop.drop_guard() }
    }

    async fn next(&mut self) -> Incoming {
        loop {
            if let Some(incoming) = self.taken.pop_front() {
                return incoming;
            }
            let batch = timeout(Duration::from_secs(20), self.incoming.recv()).await.expect("nothing was received");
            self.taken.extend(batch.expect("the link ended"));
        }
    }

    async fn until<T>(&mut self, wanted: impl Fn(Incoming) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    async fn online(&mut self) -> super::Session {
        self.until(|incoming| if let Incoming::Online(session) = incoming { Some(session) } else { None }).await
    }

    async fn offline(&mut self) -> (String, bool) {
        let offline = |incoming| match incoming {
            Incoming::Offline { reason, unauthorized, .. } => Some((reason, unauthorized)),
            _ => None,
        };
        self.until(offline).await
    }

    fn dial(&self, channel: &str, id: &str) {
        let value = |text: &str| HeaderValue::try_from(text).unwrap();
        let originate = Originate {
            channel: value(channel),
            channel_id: value(id),
            other_channel_id: None,
            target: Target::Application { name: value("Wait"), data: value("1") },
            timeout: Duration::from_secs(30),
            caller_id: None,
            account: None,
            early_media: false,
            codecs: None,
            variables: Vec::new(),
        };
        self.link.post(value(id), Action::Originate(Box::new(originate))).unwrap();
    }

    /// Waits for the result of an Originate and for `legs` hangups, and returns it with their causes.
    async fn result(&mut self, id: &str, legs: usize) -> (bool, u8, Vec<u16>) {
        let (mut result, mut causes) = (None, Vec::new());
        while result.is_none() || causes.len() < legs {
            match self.next().await {
                Incoming::Event(Event::OriginateResponse { action_id, success, reason, .. }) if action_id == id => {
                    result = Some((success, reason));
                }
                Incoming::Event(Event::Hangup { linkedid, cause, .. }) if linkedid == id => causes.push(cause.into()),
                _ => {}
            }
        }
        let (success, reason) = result.unwrap();
        (success, reason, causes)
    }
}

#[tokio::test]
async fn a_login_reports_the_version_and_filters_the_events() {
    let mut linked = Linked::start("s", 100.0).await;
    let session = linked.online().await;
    assert_eq!(session.banner, "Asterisk Call Manager/11.0.0");
    assert_eq!(session.asterisk_version.as_deref(), Some("22.10.1"));
    assert!(session.filtered);
}

#[tokio::test]
async fn a_refused_login_says_so() {
    let mut linked = Linked::start("wrong", 100.0).await;
    assert_eq!(linked.offline().await, ("the login was refused: Authentication failed".to_owned(), true));
}

#[tokio::test]
async fn a_secret_that_would_end_its_line_never_reaches_the_wire() {
    let mut linked = Linked::start("s\r\n\r\nAction: Originate\r\nChannel: Local/1@x", 100.0).await;
    let (reason, unauthorized) = linked.offline().await;
    assert_eq!(reason, "the manager user's name or secret must not contain CR, LF or NUL");
    assert!(!unauthorized);
    assert_eq!(linked.sandbox.originates(), 0);
}

#[tokio::test]
async fn calls_are_followed_to_their_end() {
    let mut linked = Linked::start("s", 100.0).await;
    linked.online().await;
    linked.dial("PJSIP/1299@trunk", "answered");
    assert_eq!(linked.result("answered", 1).await, (true, 4, vec![16]));
    linked.dial("Local/1201@any/n", "busy");
    assert_eq!(linked.result("busy", 2).await, (false, 5, vec![0, 17]));
    linked.dial("Nope/1", "nothing");
    assert_eq!(linked.result("nothing", 0).await, (false, 0, vec![]));
}

#[tokio::test]
async fn what_happened_before_a_cut_is_reported_before_it_and_the_link_reconnects() {
    let mut linked = Linked::start("s", 100.0).await;
    linked.online().await;
    linked.dial("PJSIP/1206@trunk", "stays");
    linked.until(|incoming| matches!(incoming, Incoming::Event(Event::OriginateResponse { .. })).then_some(())).await;
    linked.sandbox.cut();
    linked.offline().await;
    assert!(matches!(linked.next().await, Incoming::Online(_)), "nothing of the old session follows its end");
    let list = linked.link.list(Action::CoreShowChannels).await.unwrap();
    assert!(matches!(&list.events[..], [Event::CoreShowChannel(channel)] if channel.uniqueid == "stays"), "{list:?}");
}

#[tokio::test]
async fn a_peer_that_reads_bytes_and_does_not_answer_is_detected() {
    let mut linked = Linked::start("s", 100.0).await;
    linked.online().await;
    linked.sandbox.mute(true);
    assert_eq!(linked.offline().await, ("no answer to Ping within 2s".to_owned(), false));
    assert!(linked.link.request(Action::Ping).await.is_err());
    linked.sandbox.mute(false);
    linked.online().await;
    assert!(linked.link.request(Action::Ping).await.unwrap().response.is_success());
}

#[tokio::test]
async fn nothing_posted_for_one_session_is_sent_in_the_next() {
    let mut linked = Linked::start("s", 100.0).await;
    linked.online().await;
    linked.sandbox.refuse_logins(true);
    linked.sandbox.cut();
    linked.offline().await;
    let value = |text: &str| HeaderValue::try_from(text).unwrap();
    let hangup = Action::Hangup { channel: value("x"), cause: 16 };
    assert!(linked.link.post(value("late"), hangup).is_err());
    linked.sandbox.refuse_logins(false);
    linked.online().await;
    assert!(linked.link.request(Action::Ping).await.is_ok());
    assert!(linked.taken.iter().all(|incoming| !matches!(incoming, Incoming::Response { .. })));
}

#[tokio::test]
async fn two_thousand_calls_at_once_all_get_their_response() {
    const CALLS: usize = 2_000;
    let mut linked = Linked::start("s", 1000.0).await;
    linked.online().await;
    for number in 0..CALLS {
        linked.dial(&format!("PJSIP/{number}01@trunk"), &format!("call-{number:05}"));
    }
    let mut answered = std::collections::HashSet::new();
    while answered.len() < CALLS {
        if let Incoming::Event(Event::OriginateResponse { action_id, reason, .. }) = linked.next().await {
            assert_eq!(reason, 5);
            assert!(answered.insert(action_id));
        }
    }
    assert_eq!(linked.sandbox.originates(), CALLS as u64);
}
