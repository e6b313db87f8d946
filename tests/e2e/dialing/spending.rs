//! Tests that a client spends no more on a day than it may, and that its calls wait and say why.

use serde_json::{Value, json};

use super::{explain, until_it_holds};
use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;

/// A number that answers soon, through its own trunk.
const SHORT: &str = "PJSIP/1234567890@endpoint1";

fn start() -> Server {
    Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20").start()
}

async fn limit(admin: &Api, limits: Value) -> Value {
    admin.patch("admin/clients/1", json!({ "limits": limits })).await.data()["limits"].clone()
}

/// Waits until one of these numbers of a queue's calls is left, and all of them wait for one reason, and returns that.
async fn held(client: &Api, queue: i64, waiting: &[i64]) -> Value {
    wait::until_async("the rest waits for the limit", async || {
        let explained = explain(client, queue).await;
        let reason = explained["reasons"][0].clone();
        let left = explained["waiting"].as_i64().expect("a number");
        let is_held = explained["live"] == 0 && waiting.contains(&left) && reason["calls"] == left;
        (is_held && reason["until"].is_string()).then_some(reason)
    })
    .await
}

#[tokio::test]
async fn calls_beyond_the_calls_of_a_day_wait_and_a_restart_resets_nothing() {
    let mut server = start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    assert_eq!(limit(&admin, json!({ "max_calls_per_day": 5 })).await, json!({ "max_calls_per_day": 5 }));
    until_it_holds().await;
    let mut dialing = item("server1", SHORT, "PJSIP/1234567890@endpoint2");
    dialing["action"]["Application"] = json!("Dial");
    // Each call has two legs, so that the third one reaches the limit.
    let queue = client.insert(1, vec![dialing; 6]).await;
    let reason = held(&client, queue, &[3]).await;
    assert_eq!((&reason["reason"], &reason["limit"]), (&json!("client-calls-per-day"), &json!(5.0)), "{reason}");
    assert_eq!(reason["limit_name"], "max_calls_per_day");
    let text = reason["text"].as_str().expect("a text");
    assert!(text.contains("has called as many legs today as it may: 5 (max_calls_per_day); 6 were used"), "{text}");
    server.restart();
    let (client, admin) = (client.at(&server), Api::admin(&server));
    held(&client, queue, &[3]).await;
    limit(&admin, json!({ "max_calls_per_day": 9 })).await;
    held(&client, queue, &[1]).await;
    limit(&admin, json!({})).await;
    assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 6);
}

#[tokio::test]
async fn calls_beyond_the_minutes_of_a_day_wait() {
    let server = start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    limit(&admin, json!({ "max_minutes_per_day": 1, "max_live_calls": 5 })).await;
    until_it_holds().await;
    // The phones talk for 3 to 20 s each by their own time, which passes 20 times as fast, and which CDRs show.
    let queue = client.insert(1, vec![item("server1", SHORT, "45"); 40]).await;
    let left: Vec<i64> = (1..=37).collect();
    let reason = held(&client, queue, &left).await;
    assert_eq!((&reason["reason"], &reason["limit"]), (&json!("client-minutes-per-day"), &json!(1.0)), "{reason}");
    limit(&admin, json!({ "max_minutes_per_day": 1000 })).await;
    assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 40);
}

#[tokio::test]
async fn a_limit_of_a_day_must_be_one_at_least() {
    let server = start();
    let admin = Api::admin(&server);
    for name in ["max_calls_per_day", "max_minutes_per_day"] {
        let answer = admin.patch("admin/clients/1", json!({ "limits": { name: 0 } })).await;
        let message = answer.error(400, "INVALID_ARGUMENT");
        assert!(message.contains(&format!("limits.{name}: must be at least 1")), "{message}");
    }
}
