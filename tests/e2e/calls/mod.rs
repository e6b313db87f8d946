//! Tests single calls on real Asterisks of both releases, one file for each promise.

/// Makes a test for each release of every named function. Each test gets its own Asterisk.
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

/// Inserts items as one batch and returns the ids of their calls in order.
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

/// Waits until the call has this status, and returns it.
async fn wait_for(client: &Api, id: &str, status: &str) -> Value {
    wait::until_async(&format!("the call is {status}"), async || {
        Some(get(client, id).await).filter(|call| call["status"] == status)
    })
    .await
}

/// Waits until the call's timeline has an event of this type, and returns the call.
async fn wait_for_event(client: &Api, id: &str, kind: &str) -> Value {
    wait::until_async(&format!("the call has an event {kind}"), async || {
        Some(get(client, id).await).filter(|call| !details(call, kind).is_empty())
    })
    .await
}

/// Returns the details of a call's events of one type, in order.
fn details(call: &Value, kind: &str) -> Vec<String> {
    // An empty detail is omitted.
    let timeline = call["timeline"].as_array().into_iter().flatten();
    let of_kind = timeline.filter(|event| event["type"] == kind);
    of_kind.map(|event| event["detail"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Returns the name that Asterisk gave the call's A leg.
fn a_leg(asterisk: &Asterisk, call: &Value) -> String {
    let id = call["channel_id"].as_str().expect("a channel id");
    wait::until("the A leg has appeared", || {
        let made = asterisk.witness().events("Newchannel");
        made.iter().find(|event| event.get("Uniqueid") == id).map(|event| event.get("Channel").to_owned())
    })
}

/// Makes an item whose A leg dials another leg after it is answered.
fn dialing(channel: &str, second: &str) -> Value {
    let mut item = crate::support::api::item("ast", channel, second);
    item["action"]["Application"] = "Dial".into();
    item
}
