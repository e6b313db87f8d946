//! Compares the sandbox with the traces of a real Asterisk 22, and tests what clients can do with it.

use std::collections::HashMap;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Handle, Options, start};
use crate::ami::Message;
use crate::ami::codec::Decoder;

/// The events that the sandbox omits, as its documentation says.
const LEFT_OUT: [&str; 3] = ["TestEvent", "VarSet", "DeviceStateChange"];

/// The fields that differ from run to run or depend on the configuration of the traced Asterisk.
const VARYING: [&str; 12] = [
    "Context",
    "DestContext",
    "DestinationContext",
    "StartTime",
    "AnswerTime",
    "EndTime",
    "Duration",
    "BillableSeconds",
    "BridgeUniqueid",
    "TechCause",
    "AppData",
    "ActionID",
];

type Headers = Vec<(String, String)>;

/// A client that speaks the protocol by hand.
struct Client {
    stream: TcpStream,
    decoder: Decoder,
    buffer: BytesMut,
}

impl Client {
    async fn connect(handle: &Handle, events: &str) -> Self {
        let stream = TcpStream::connect(handle.address).await.unwrap();
        let mut client = Self { stream, decoder: Decoder::default(), buffer: BytesMut::new() };
        while client.decoder.banner(&mut client.buffer).is_none() {
            client.read().await;
        }
        client.send(&[("Action", "Login"), ("Username", "u"), ("Secret", "s"), ("Events", events)]).await;
        assert!(client.response().await.is_success());
        client
    }

    async fn send(&mut self, headers: &[(&str, &str)]) {
        let text: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
    }

    /// False at the end of the stream.
    async fn read(&mut self) -> bool {
        let read = timeout(Duration::from_secs(20), self.stream.read_buf(&mut self.buffer)).await;
        read.expect("nothing came").unwrap_or(0) > 0
    }

    async fn message(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.decoder.next(&mut self.buffer) {
                return Some(message);
            }
            if !self.read().await {
                return None;
            }
        }
    }

    async fn response(&mut self) -> Message {
        loop {
            let message = self.message().await.expect("the connection was closed");
            if message.is_response() {
                return message;
            }
        }
    }

    /// Reads events up to the first for which `last` is true, and returns all of them.
    async fn events_until(&mut self, last: impl Fn(&Message) -> bool) -> Vec<Message> {
        let mut events = Vec::new();
        loop {
            let message = self.message().await.expect("the connection was closed");
            if message.is_response() {
                continue;
            }
            let found = last(&message);
            events.push(message);
            if found {
                return events;
            }
        }
    }

    async fn originate(&mut self, channel: &str, id: &str) {
        let headers = [("Action", "Originate"), ("ActionID", id), ("Channel", channel), ("ChannelId", id)];
        self.send(&[&headers[..], &[("Async", "true"), ("Application", "Wait"), ("Data", "1")]].concat()).await;
    }
}

async fn sandbox(speed: f64) -> (Handle, DropGuard) {
    let stop = CancellationToken::new();
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = Options { listen, username: "u".into(), secret: "s".to_owned().into(), seed: 1, speed };
    (start(options, stop.clone()).await.unwrap(), stop.drop_guard())
}

/// Returns the blocks of a trace: those that were sent, and those that were received.
fn trace(name: &str) -> (Vec<Headers>, Vec<Headers>) {
    let path = format!("{}/tests/data/ami/asterisk-22/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for block in text.split("\n\n") {
        let headers = |prefix: &str| -> Headers {
            let lines = block.lines().filter_map(|line| line.strip_prefix(prefix)?.split_once(':'));
            lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
        };
        if block.trim_start().starts_with(">>> ") {
            sent.push(headers(">>> "));
        } else {
            received.push(headers(""));
        }
    }
    (sent, received)
}

fn headers_of(message: &Message) -> Headers {
    message.headers().map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.into_owned())).collect()
}

fn field<'h>(headers: &'h Headers, wanted: &str) -> Option<&'h str> {
    headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

/// Returns one line for each event, without the parts that vary: serial numbers, times and ids made by Asterisk.
fn comparable(events: &[Headers], of_call: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events {
        let Some(name) = field(event, "Event") else { continue };
        // A Status is a part of an answer and not an event.
        if LEFT_OUT.contains(&name) || matches!(name, "FullyBooted" | "Status") {
            continue;
        }
        let ids = ["Linkedid", "DestLinkedid", "LocalOneLinkedid", "UniqueID", "Uniqueid"];
        let belongs = ids.iter().any(|id| field(event, id).is_some_and(|id| id.split(';').next() == Some(of_call)));
        if !belongs && name != "BridgeCreate" {
            continue;
        }
        let fields = event.iter().filter(|(name, _)| !VARYING.contains(&name.as_str()) && !name.ends_with("Context"));
        let fields: Vec<String> = fields.map(|(name, value)| format!("{name}={}", plain(value, of_call))).collect();
        lines.push(fields.join(" "));
    }
    lines
}

fn plain(value: &str, of_call: &str) -> String {
    let is_id = |value: &str| {
        value.split('.').count() == 2 && value.len() > 10 && value.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    if is_id(value) {
        return "PEER".to_owned();
    }
    match value.rsplit_once('-') {
        Some((name, serial)) if serial.len() >= 8 && value != of_call && name.contains('/') => {
            format!("{name}-N{}", &serial[8..])
        }
        _ => value.to_owned(),
    }
}

/// Sends the Originate of a trace and compares the received events with the trace.
async fn replay(name: &str) {
    let (sent, received) = trace(name);
    let originate = sent.iter().find(|action| field(action, "Action") == Some("Originate")).unwrap();
    let call = field(originate, "ChannelId").unwrap();
    let expected = comparable(&received, call);
    let (handle, _stop) = sandbox(100.0).await;
    let mut client = Client::connect(&handle, "on").await;
    let headers: Vec<(&str, &str)> = originate.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    client.send(&headers).await;
    let mut seen = Vec::new();
    while comparable(&seen, call).len() < expected.len() {
        let message = client.message().await.expect("the connection was closed");
        seen.push(headers_of(&message));
    }
    let seen = comparable(&seen, call);
    for (number, (seen, expected)) in seen.iter().zip(&expected).enumerate() {
        assert_eq!(seen, expected, "event {number} of {name}");
    }
}

#[tokio::test]
async fn calls_go_as_the_traces_of_a_real_asterisk_show() {
    for name in [
        "answered-local",
        "busy",
        "congestion",
        "no-answer",
        "unallocated",
        "no-such-extension",
        "unknown-technology",
        "pjsip-unknown-endpoint",
        "pjsip-answered-dial",
    ] {
        replay(name).await;
    }
}

#[tokio::test]
async fn direct_answers_are_those_of_the_traces() {
    for name in ["missing-channel", "forbidden-application"] {
        let (sent, received) = trace(name);
        let originate = sent.iter().find(|action| field(action, "Action") == Some("Originate")).unwrap();
        let expected = received.iter().find(|block| field(block, "ActionID") == field(originate, "ActionID")).unwrap();
        let (handle, _stop) = sandbox(100.0).await;
        let mut client = Client::connect(&handle, "off").await;
        let headers: Vec<(&str, &str)> =
            originate.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        client.send(&headers).await;
        assert_eq!(&headers_of(&client.response().await), expected, "{name}");
    }
}

#[tokio::test]
async fn an_endpoint_without_a_contact_fails_as_traced() {
    let (handle, _stop) = sandbox(100.0).await;
    let mut client = Client::connect(&handle, "call").await;
    client.originate("PJSIP/unreachable", "cid-p2").await;
    let events = client.events_until(|event| event.event_name() == Some(b"Hangup")).await;
    let response = events.iter().find(|event| event.event_name() == Some(b"OriginateResponse")).unwrap();
    assert_eq!((response.get("Reason").unwrap(), response.get("Response").unwrap()), ("3".into(), "Failure".into()));
    assert_eq!(events.last().unwrap().get("Cause").unwrap(), "19");
}

#[tokio::test]
async fn a_live_id_is_refused_and_so_is_its_beginning() {
    let (handle, _stop) = sandbox(1.0).await;
    let mut client = Client::connect(&handle, "call").await;
    client.originate("Local/1006@any/n", "channel-1234").await;
    let mut reasons = HashMap::new();
    for id in ["channel-1234", "channel-12", "channel-12345"] {
        client.originate("PJSIP/0906@trunk", id).await;
        let of = |event: &Message| {
            event.get("ActionID").as_deref() == Some(id)
                || event.get("Uniqueid").as_deref() == Some(id) && id != "channel-1234"
        };
        let events = client.events_until(of).await;
        reasons.insert(id, events.last().unwrap().get("Reason").map(std::borrow::Cow::into_owned));
    }
    assert_eq!(reasons["channel-1234"].as_deref(), Some("0"));
    assert_eq!(reasons["channel-12"].as_deref(), Some("0"));
    assert_eq!(reasons["channel-12345"], None, "a longer id is allowed, so its channel appears");
    assert_eq!(handle.live().await, ["channel-1234", "channel-12345", "channel-1234;2"]);
    assert_eq!(handle.originates(), 4);
}

#[tokio::test]
async fn live_channels_are_listed_and_can_be_hung_up() {
    let (handle, _stop) = sandbox(100.0).await;
    let mut client = Client::connect(&handle, "call,cdr").await;
    client.originate("PJSIP/1006@trunk", "stays").await;
    let events = client.events_until(|event| event.event_name() == Some(b"OriginateResponse")).await;
    let channel = events.last().unwrap().get("Channel").unwrap().into_owned();
    client.send(&[("Action", "CoreShowChannels"), ("ActionID", "c1")]).await;
    let list = client.events_until(|event| event.get("EventList").as_deref() == Some("Complete")).await;
    assert_eq!(list[0].get("Channel").unwrap(), channel);
    let (_, received) = trace("core-show-channels");
    let traced = received.iter().find(|block| field(block, "Event") == Some("CoreShowChannel")).unwrap();
    let names = |headers: &Headers| headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&headers_of(&list[0])), names(traced));
    assert_eq!(list[1].get("ListItems").unwrap(), "1");
    client.send(&[("Action", "Hangup"), ("ActionID", "h1"), ("Channel", &channel), ("Cause", "21")]).await;
    assert!(client.response().await.is_success());
    let events = client.events_until(|event| event.event_name() == Some(b"Cdr")).await;
    let hangup = events.iter().find(|event| event.event_name() == Some(b"Hangup")).unwrap();
    assert_eq!(hangup.get("Cause").unwrap(), "21");
    assert!(handle.live().await.is_empty());
    client.send(&[("Action", "Hangup"), ("ActionID", "h2"), ("Channel", &channel)]).await;
    assert_eq!(client.response().await.text(), "No such channel");
}

#[tokio::test]
async fn a_call_with_a_lost_response_is_otherwise_like_any_other() {
    let (handle, _stop) = sandbox(100.0).await;
    let mut client = Client::connect(&handle, "call,cdr").await;
    client.originate("PJSIP/1007@trunk", "lost").await;
    let events = client.events_until(|event| event.event_name() == Some(b"Cdr")).await;
    assert!(events.iter().any(|event| event.get("DialStatus").as_deref() == Some("ANSWER")));
    assert!(events.iter().all(|event| event.event_name() != Some(b"OriginateResponse")));
}

#[tokio::test]
async fn the_dialplan_reports_on_the_call_that_its_variables_name() {
    let (handle, _stop) = sandbox(100.0).await;
    let mut client = Client::connect(&handle, "user,call").await;
    for (channel, reporter) in [("PJSIP/1009@trunk", "p"), ("Local/1009@any/n", "l;2")] {
        let id = &reporter[..1];
        let headers = [
            ("Action", "Originate"),
            ("Channel", channel),
            ("ChannelId", id),
            ("Application", "Wait"),
            ("Variable", "__TRUNKLINE_CALL_ID=the-call"),
        ];
        client.send(&headers).await;
        let events = client.events_until(|event| event.event_name() == Some(b"UserEvent")).await;
        let report = headers_of(events.last().unwrap());
        assert_eq!(field(&report, "Uniqueid"), Some(reporter));
        let own: Vec<&(String, String)> = report.iter().skip_while(|(name, _)| name != "UserEvent").collect();
        let own: Vec<(&str, &str)> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [("UserEvent", "Trunkline"), ("CallId", "the-call"), ("Note", "pressed"), ("Digit", "5")];
        assert_eq!(own, expected);
    }
}

#[tokio::test]
async fn a_call_is_hung_up_by_its_uniqueid_and_its_cdr_follows_the_hangup() {
    let (handle, _stop) = sandbox(100.0).await;
    let mut client = Client::connect(&handle, "call,cdr").await;
    client.originate("PJSIP/1006@trunk", "by-id").await;
    client.events_until(|event| event.event_name() == Some(b"OriginateResponse")).await;
    client.send(&[("Action", "Hangup"), ("ActionID", "h"), ("Channel", "by-id"), ("Cause", "16")]).await;
    assert!(client.response().await.is_success());
    let events = client.events_until(|event| event.event_name() == Some(b"Cdr")).await;
    let at = |wanted: &[u8]| events.iter().position(|event| event.event_name() == Some(wanted));
    assert!(at(b"Hangup").is_some() && at(b"Hangup") < at(b"Cdr"));
    assert_eq!(events.last().unwrap().get("UniqueID").unwrap(), "by-id");
}

#[tokio::test]
async fn every_session_gets_every_call_and_a_wrong_secret_is_refused() {
    let (handle, _stop) = sandbox(100.0).await;
    let (mut one, mut two) = (Client::connect(&handle, "call").await, Client::connect(&handle, "call").await);
    one.originate("PJSIP/1001@trunk", "busy").await;
    for client in [&mut one, &mut two] {
        let events = client.events_until(|event| event.event_name() == Some(b"Hangup")).await;
        assert_eq!(events.last().unwrap().get("Cause").unwrap(), "17");
    }
    let mut stream = TcpStream::connect(handle.address).await.unwrap();
    stream.write_all(b"Action: Login\r\nActionID: login-1\r\nUsername: u\r\nSecret: wrong\r\n\r\n").await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(said.ends_with("Response: Error\r\nActionID: login-1\r\nMessage: Authentication failed\r\n\r\n"), "{said}");
}

#[tokio::test]
async fn a_variable_arrives_as_it_was_given() {
    let (handle, _stop) = sandbox(100.0).await;
    let mut client = Client::connect(&handle, "call").await;
    let variable = crate::ami::Variable::new("__NOTE", r#"a,b="c" (d) \e"#).unwrap();
    let headers = [
        ("Action", "Originate"),
        ("Channel", "PJSIP/1006@trunk"),
        ("ChannelId", "v"),
        ("Application", "Wait"),
        ("Variable", variable.header().as_str()),
    ];
    client.send(&headers).await;
    client.events_until(|event| event.event_name() == Some(b"OriginateResponse")).await;
    client.send(&[("Action", "Getvar"), ("ActionID", "g"), ("Channel", "v"), ("Variable", "NOTE")]).await;
    assert_eq!(client.response().await.get("Value").unwrap(), r#"a,b="c" (d) \e"#);
}

#[tokio::test]
async fn thousands_of_calls_live_at_once_and_each_ends_once() {
    const CALLS: usize = 5_000;
    let (handle, _stop) = sandbox(50.0).await;
    let mut client = Client::connect(&handle, "cdr").await;
    let began = std::time::Instant::now();
    for number in 0..CALLS {
        client.originate(&format!("PJSIP/{number}99@trunk"), &format!("call-{number:05}")).await;
    }
    let mut ended = std::collections::HashSet::new();
    let all_live = handle.live().await.len();
    while ended.len() < CALLS {
        let message = client.message().await.expect("the connection was closed");
        if message.event_name() == Some(b"Cdr") {
            assert!(ended.insert(message.get("UniqueID").unwrap().into_owned()), "{message:?} was received twice");
        }
    }
    eprintln!("{all_live} calls were live at once; all had ended after {:?}", began.elapsed());
    assert!(handle.live().await.is_empty());
}
