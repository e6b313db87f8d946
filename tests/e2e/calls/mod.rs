//! Single calls on real Asterisks of both releases, filed by what is promised of them.

/// Makes a test for each release of every function named; each gets an Asterisk of its own.
macro_rules! on_both_releases {
    ($($name:ident),* $(,)?) => {
        mod on_asterisk_22 {
            $(#[tokio::test]
            async fn $name() {
                use crate::support::asterisk::{Asterisk, Version};
                if let Some(asterisk) = Asterisk::start(Version::V22) { super::$name(asterisk).await }
            })*
        }
        mod on_asterisk_16 {
            $(#[tokio::test]
            async fn $name() {
                use crate::support::asterisk::{Asterisk, Version};
                if let Some(asterisk) = Asterisk::start(Version::V16) { super::$name(asterisk).await }
            })*
        }
    };
}

mod caller_ids;
mod ending;
mod outcomes;
mod reconcile;
mod recordings;
mod reports;

use serde_json::Value;

use crate::support::api::Api;
use crate::support::asterisk::Asterisk;
use crate::support::wait;

/// Inserts items as one batch and answers the ids of their calls, in order.
async fn place(client: &Api, items: Vec<Value>) -> Vec<String> {
    let queue = client.insert(1, items).await;
    ids(client, queue).await
}

async fn ids(client: &Api, queue: i64) -> Vec<String> {
    let calls = client.calls(queue).await;
    calls.iter().map(|call| call["call_id"].as_str().expect("an id").to_owned()).collect()
}

async fn get(client: &Api, id: &str) -> Value {
    client.get(&format!("calls/{id}")).await.data()
}

/// The call once it stands there.
async fn wait_for(client: &Api, id: &str, status: &str) -> Value {
    wait::until_async(&format!("the call is {status}"), async || {
        Some(get(client, id).await).filter(|call| call["status"] == status)
    })
    .await
}

/// The call once its timeline holds an event of this type.
async fn wait_for_event(client: &Api, id: &str, kind: &str) -> Value {
    wait::until_async(&format!("the call is told as {kind}"), async || {
        Some(get(client, id).await).filter(|call| !details(call, kind).is_empty())
    })
    .await
}

/// The details of a call's events of one type, in order.
fn details(call: &Value, kind: &str) -> Vec<String> {
    // An empty one is left out.
    let timeline = call["timeline"].as_array().into_iter().flatten();
    let of_kind = timeline.filter(|event| event["type"] == kind);
    of_kind.map(|event| event["detail"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The name that Asterisk gave the call's A leg.
fn a_leg(asterisk: &Asterisk, call: &Value) -> String {
    let id = call["channel_id"].as_str().expect("a channel id");
    wait::until("the A leg has appeared", || {
        let made = asterisk.witness().events("Newchannel");
        made.iter().find(|event| event.get("Uniqueid") == id).map(|event| event.get("Channel").to_owned())
    })
}

/// An item whose A leg, once answered, dials another.
fn dialing(channel: &str, second: &str) -> Value {
    let mut item = crate::support::api::item("ast", channel, second);
    item["action"]["Application"] = "Dial".into();
    item
}
