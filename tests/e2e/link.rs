//! Tests the AMI link with real Asterisks: they understand what it sends.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use trunkline::ami::event::{CLASSES, WANTED, filters};
use trunkline::ami::{Action, Event, HeaderValue, Incoming, Link, Options, Originate, Session, Target, Variable};

use crate::support::ami::Ami;
use crate::support::asterisk::{Asterisk, SECRET, Version};

#[test]
fn the_filter_lets_through_what_a_lane_wants_and_nothing_else() {
    for version in [Version::V22, Version::V16] {
        let Some(asterisk) = Asterisk::start(version) else { return };
        let mut ami = Ami::connect(asterisk.ami_port()).unwrap();
        ami.login("dialer", SECRET, CLASSES).unwrap();
        for filter in filters() {
            let answer = ami.request(&[("Action", "Filter"), ("Operation", "Add"), ("Filter", &filter)]).unwrap();
            assert_eq!(answer.get("Response"), "Success", "{version:?}: {answer:?}");
        }
        let originate = [
            ("Action", "Originate"),
            ("Channel", "Local/100@answer/n"),
            ("ChannelId", "filtered"),
            ("Async", "true"),
            ("Application", "Wait"),
            ("Data", "5"),
        ];
        ami.send(&originate).unwrap();
        let (mut seen, mut gone, mut records) = (BTreeSet::new(), 0, 0);
        while gone < 2 || records < 2 {
            let message = ami.read().unwrap();
            gone += usize::from(message.is_event("Hangup"));
            records += usize::from(message.is_event("Cdr"));
            seen.insert(message.get("Event").to_owned());
        }
        seen.remove("");
        let expected = ["Cdr", "DialEnd", "Hangup", "Newchannel", "Newstate", "OriginateResponse"];
        assert_eq!(seen.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{version:?}");
        assert!(seen.iter().all(|name| WANTED.contains(&name.as_str())));
    }
}

#[tokio::test]
async fn a_link_follows_a_call_with_and_without_the_right_to_filter() {
    for (version, user, filtered) in
        [(Version::V22, "dialer", true), (Version::V22, "limited", false), (Version::V16, "dialer", true)]
    {
        let Some(asterisk) = Asterisk::start(version) else { return };
        let stop = CancellationToken::new();
        let options = Options::new("127.0.0.1".into(), asterisk.ami_port(), user.into(), SECRET.into(), false);
        let (link, batches) = Link::start(options, stop.clone());
        let mut reports = Reports { batches, taken: VecDeque::new() };
        let session = reports.online().await;
        assert_eq!(session.filtered, filtered, "{version:?} {user}");
        assert!(session.asterisk_version.is_some(), "{version:?} {user}");
        link.post(value("an-attempt"), Action::Originate(Box::new(originate()))).unwrap();
        let (mut reason, mut causes) = (None, Vec::new());
        while reason.is_none() || causes.len() < 2 {
            match reports.next().await {
                Incoming::Event(Event::OriginateResponse { action_id, reason: said, .. }) => {
                    assert_eq!(action_id, "an-attempt");
                    reason = Some(said);
                    let answer =
                        link.request(Action::Hangup { channel: value("/^Local/100@talk.*;1$/"), cause: 16 }).await;
                    assert!(answer.is_ok());
                }
                Incoming::Event(Event::Hangup { linkedid, cause, .. }) => {
                    assert_eq!(linkedid, "cid-link");
                    causes.push(cause);
                }
                _ => {}
            }
        }
        assert_eq!(reason, Some(4), "{version:?} {user}");
        let list = link.list(Action::CoreShowChannels).await.unwrap();
        assert!(list.events.is_empty(), "{list:?}");
        stop.cancel();
    }
}

/// A value with the characters that have a meaning for Asterisk.
#[test]
fn a_variable_reaches_the_dialplan_as_it_was_given() {
    let Some(asterisk) = Asterisk::start(Version::V22) else { return };
    let mut ami = asterisk.ami();
    let given = r#"a,b="c" (d] [e) \f; $g"#;
    let variable = Variable::new("NOTE", given).unwrap();
    let headers = [
        ("Action", "Originate"),
        ("Channel", "Local/30@talk/n"),
        ("ChannelId", "with-variable"),
        ("Async", "true"),
        ("Application", "Wait"),
        ("Data", "30"),
        ("Variable", variable.header().as_str()),
    ];
    ami.send(&headers).unwrap();
    let answered = ami.wait_for(|message| message.is_event("OriginateResponse")).unwrap();
    let channel = answered.get("Channel").to_owned();
    let answer = ami.request(&[("Action", "Getvar"), ("Channel", &channel), ("Variable", "NOTE")]).unwrap();
    assert_eq!(answer.get("Value"), given);
}

fn originate() -> Originate {
    Originate {
        channel: value("Local/100@talk/n"),
        channel_id: value("cid-link"),
        other_channel_id: None,
        target: Target::Application { name: value("Wait"), data: value("60") },
        timeout: Duration::from_secs(10),
        caller_id: None,
        account: None,
        early_media: false,
        codecs: None,
        variables: Vec::new(),
    }
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap()
}

/// A link's reports, one by one.
struct Reports {
    batches: UnboundedReceiver<Vec<Incoming>>,
    taken: VecDeque<Incoming>,
}

impl Reports {
    async fn next(&mut self) -> Incoming {
        loop {
            if let Some(incoming) = self.taken.pop_front() {
                return incoming;
            }
            let batch = timeout(Duration::from_secs(20), self.batches.recv()).await.expect("nothing came");
            self.taken.extend(batch.expect("the link ended"));
        }
    }

    async fn online(&mut self) -> Session {
        loop {
            if let Incoming::Online(session) = self.next().await {
                return session;
            }
        }
    }
}
