//! Tests that no call goes on for longer than the shortest limit that is set for it.

use serde_json::{Value, json};

use super::FOREVER;
use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;

fn start() -> Options {
    Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20")
}

/// Waits until the only call of a queue has ended, and returns it with its timeline.
async fn ended(client: &Api, queue: i64) -> Value {
    client.wait_until_completed(queue).await;
    let calls = client.calls(queue).await;
    let id = calls[0]["call_id"].as_str().expect("an id");
    client.get(&format!("calls/{id}")).await.data()
}

fn notes(call: &Value) -> Vec<&str> {
    let timeline = call["timeline"].as_array().into_iter().flatten();
    timeline.filter(|event| event["type"] == "note").filter_map(|event| event["detail"].as_str()).collect()
}

fn assert_hung_up_after(call: &Value, seconds: u32) {
    assert_eq!(notes(call), [format!("hung up after its longest time of {seconds} s")], "{call}");
    assert_eq!((&call["status"], &call["outcome"]), (&json!("completed"), &json!("answered")), "{call}");
    assert_eq!(call["attempts"], 1, "an answered call is not tried again: {call}");
}

/// Places a call that never ends by itself, with three retries, after `limit` was set in one place.
async fn hung_up_by(server: &Server, seconds: u32, limit: impl AsyncFn(&Api, &Api, i64)) {
    let (client, admin) = (Api::sandbox(server), Api::admin(server));
    let mut forever = item("server1", FOREVER, "2147483647");
    forever["retry"] = json!(3);
    let queue = client.insert(1, vec![forever]).await;
    limit(&client, &admin, queue).await;
    assert_hung_up_after(&ended(&client, queue).await, seconds);
}

#[tokio::test]
async fn a_call_is_hung_up_after_the_longest_time_of_its_client() {
    hung_up_by(&start().start(), 2, async |_, admin, _| {
        let id = admin.get("admin/clients").await.data()["results"][0]["client_id"].clone();
        let limits = json!({ "limits": { "max_call_seconds": 2 } });
        let changed = admin.patch(&format!("admin/clients/{id}"), limits).await.data();
        assert_eq!(changed["limits"]["max_call_seconds"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_call_is_hung_up_after_the_longest_time_of_its_queue() {
    hung_up_by(&start().start(), 2, async |client, _, queue| {
        let rules = client.put(&format!("queues/{queue}/rules"), json!({ "max_call_seconds": 2 })).await.data();
        assert_eq!(rules["max_call_seconds"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_call_is_hung_up_after_the_longest_time_of_its_server() {
    hung_up_by(&start().start(), 2, async |_, admin, _| {
        let changed = admin.patch("admin/servers/server1", json!({ "max_call_seconds": 2 })).await.data();
        assert_eq!(changed["max_call_seconds"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_call_is_hung_up_after_the_longest_time_of_the_installation() {
    let server = start().env("TRUNKLINE_MAX_CALL_SECONDS", "2").start();
    hung_up_by(&server, 2, async |_, admin, _| {
        admin.patch("admin/servers/server1", json!({ "max_call_seconds": 3600 })).await.data();
    })
    .await;
}

#[tokio::test]
async fn a_longest_time_must_be_a_second_at_least_and_the_servers_can_be_removed() {
    let server = start().start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    let queue = client.insert(1, vec![item("server1", FOREVER, "1")]).await;
    let zero = json!({ "max_call_seconds": 0 });
    for answer in [
        admin.patch("admin/servers/server1", zero.clone()).await,
        admin.patch("admin/clients/1", json!({ "limits": zero })).await,
        client.put(&format!("queues/{queue}/rules"), zero.clone()).await,
    ] {
        let message = answer.error(400, "INVALID_ARGUMENT");
        assert!(message.contains("max_call_seconds: must be at least 1"), "{message}");
    }
    admin.patch("admin/servers/server1", json!({ "max_call_seconds": 60 })).await.data();
    let removed = admin.patch("admin/servers/server1", json!({ "update_mask": ["max_call_seconds"] })).await.data();
    assert_eq!(removed["max_call_seconds"], Value::Null);
}

/// A phone that rings for ever is not answered, so that its call is tried again as its rules say.
#[tokio::test]
async fn a_call_that_was_not_answered_is_tried_again_after_its_longest_time() {
    let server = start().start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    admin.patch("admin/servers/server1", json!({ "max_call_seconds": 2 })).await.data();
    let mut rings = item("server1", "PJSIP/1234567802@endpoint1", "1");
    rings["action"]["Timeout"] = json!(600_000);
    rings["retry"] = json!(1);
    let queue = client.insert(1, vec![rings]).await;
    client.put(&format!("queues/updatequeuemaster/{queue}"), json!({ "retry_gap": 0 })).await.data();
    let call = ended(&client, queue).await;
    assert_eq!((&call["attempts"], &call["status"]), (&json!(2), &json!("failed")), "{call}");
    assert_eq!(notes(&call).len(), 2, "{call}");
    wait::until_async("nothing is live", async || (client.queue(queue).await["counts"]["ringing"] == 0).then_some(()))
        .await;
}
