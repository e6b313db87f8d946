//! Tests that every leg of a call counts against the limits.

use serde_json::{Value, json};

use super::{FOREVER, change, set_kill_switch, until_it_holds};
use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;

fn start() -> Server {
    Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20").start()
}

/// Makes an item that rings this many phones at once when it is answered.
fn ringing(legs: usize) -> Value {
    let mut item = item("server1", FOREVER, &vec![FOREVER; legs].join("&"));
    item["action"]["Application"] = json!("Dial");
    item
}

/// The input of the review: 33 INVITEs in 0.05 s, although every limit was 1.
#[tokio::test]
async fn a_call_with_more_legs_than_any_limit_is_refused_at_its_field() {
    let server = start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    let fast = json!({ "max_channels": 1000, "calls_per_second": 1000 });
    admin.patch("admin/servers/server1", fast).await.data();
    admin.patch("admin/clients/1", json!({ "policy": { "max_legs": 40 } })).await.data();
    let refused = async |limit: &str, legs: usize| {
        let batch = json!({ "batch_id": 7, "data": [ringing(legs)] });
        let answer = client.post("queues/insertdataincallqueue", batch).await;
        let message = answer.error(400, "INVALID_ARGUMENT");
        let expected = format!("data[0].action.Data: has {} legs at once", legs + 1);
        assert!(message.starts_with(&expected) && message.contains(limit), "{limit}: {message}");
    };
    for (path, set, unset, limit) in [
        (
            "admin/servers/server1",
            json!({ "max_channels": 1 }),
            json!({ "max_channels": 1000 }),
            "max_channels of the server",
        ),
        (
            "admin/servers/server1",
            json!({ "calls_per_second": 1 }),
            json!({ "calls_per_second": 1000 }),
            "calls_per_second of the server",
        ),
        (
            "admin/servers/server1",
            json!({ "trunks": [{ "trunk": "endpoint1", "max_channels": 1 }] }),
            json!({ "trunks": [] }),
            "max_channels of trunk endpoint1",
        ),
        (
            "admin/clients/1",
            json!({ "limits": { "max_live_calls": 1 } }),
            json!({ "limits": {} }),
            "max_live_calls of the client",
        ),
        (
            "admin/clients/1",
            json!({ "limits": { "calls_per_second": 1 } }),
            json!({ "limits": {} }),
            "calls_per_second of the client",
        ),
    ] {
        admin.patch(path, set).await.data();
        refused(limit, 33).await;
        admin.patch(path, unset).await.data();
    }
    admin.put("admin/clients/1/grants/server1", json!({ "max_live_calls": 2 })).await.data();
    refused("max_live_calls of the grant", 2).await;
    let queue = client.insert(1, vec![item("server1", "PJSIP/1234567801@endpoint1", "1")]).await;
    client.put(&format!("queues/{queue}/rules"), json!({ "max_live_calls": 1 })).await.data();
    admin.put("admin/clients/1/grants/server1", json!({})).await.data();
    let batch = json!({ "queue_id": queue, "batch_id": 2, "data": [ringing(2)] });
    let answer = client.post("queues/insertdataincallqueue", batch).await;
    let message = answer.error(400, "INVALID_ARGUMENT");
    assert!(message.contains("the max_live_calls of the queue allows: 1"), "{message}");
    // A single second leg is part of an ordinary call.
    let queue = client.insert(3, vec![ringing(1)]).await;
    wait::until_async("the ordinary call is answered", async || {
        (client.queue(queue).await["counts"]["answered"] == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn calls_with_several_legs_are_live_one_after_the_other() {
    let server = start();
    let client = Api::sandbox(&server);
    change(&server, "UPDATE servers SET max_channels = 5, calls_per_second = 1000");
    until_it_holds().await;
    let queue = client.insert(1, vec![ringing(2); 3]).await;
    for ended in 0..3 {
        let live = wait::until_async("a call is answered", async || {
            let counts = client.queue(queue).await["counts"].clone();
            assert!(counts["dialing"].as_i64() < Some(2), "{counts}");
            (counts["answered"] == 1 && counts["completed"] == ended).then_some(counts)
        })
        .await;
        assert_eq!(
            (&live["dialing"], &live["ringing"]),
            (&json!(0), &json!(0)),
            "two calls would have six legs: {live}"
        );
        let calls = client.calls(queue).await;
        let call = calls.iter().find(|call| call["status"] == "answered").expect("a live call");
        let id = call["call_id"].as_str().expect("an id");
        client.post(&format!("calls/{id}/hangup"), json!({})).await.data();
    }
    client.wait_until_completed(queue).await;
}

#[tokio::test]
async fn a_call_that_a_lowered_limit_never_lets_begin_is_rejected_and_says_why() {
    let server = start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    set_kill_switch(&server, true);
    until_it_holds().await;
    let queue = client.insert(1, vec![ringing(2)]).await;
    admin.patch("admin/servers/server1", json!({ "max_channels": 2 })).await.data();
    set_kill_switch(&server, false);
    client.wait_until_completed(queue).await;
    let call = client.calls(queue).await.remove(0);
    assert_eq!((&call["status"], &call["outcome"]), (&json!("failed"), &json!("rejected")), "{call}");
    let id = call["call_id"].as_str().expect("an id");
    let call = client.get(&format!("calls/{id}")).await.data();
    let why = call["timeline"].as_array().expect("events").last().expect("an end")["detail"].clone();
    assert_eq!(why, "the call has 3 legs at once, which is more than the max_channels of the server allows: 2");
}
