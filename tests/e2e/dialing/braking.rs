//! Tests that a client which suddenly calls new destinations is braked, and what releases it.

use serde_json::{Value, json};

use super::{change, explain, until_it_holds};
use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;

/// A number that answers soon.
const KNOWN: &str = "PJSIP/1234567890@endpoint1";

/// A number in a country that the client has never called.
const NEW: &str = "PJSIP/4930123490@endpoint1";

fn start() -> Options {
    Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20")
}

/// Makes the client's first day of learning, in which it called [`KNOWN`], a past one.
async fn learn(server: &Server, client: &Api) {
    let queue = client.insert(1, vec![item("server1", KNOWN, "1")]).await;
    client.wait_until_completed(queue).await;
    change(
        server,
        "UPDATE client_destinations SET first_at = 1; UPDATE client_brakes SET learns_from = 1, version = version + 1",
    );
    until_it_holds().await;
}

/// Waits until this many calls of a queue wait for the brake and nothing else, and returns why.
async fn held(client: &Api, queue: i64, calls: i64) -> Value {
    wait::until_async("the rest waits for the brake", async || {
        let explained = explain(client, queue).await;
        let reason = explained["reasons"][0].clone();
        let is_held = explained["live"] == 0 && explained["waiting"] == calls && reason["calls"] == calls;
        (is_held && reason["reason"] == "new-destinations").then_some(reason)
    })
    .await
}

#[tokio::test]
async fn calls_to_new_destinations_wait_until_the_brake_is_released_and_known_ones_go_on() {
    let mut server = start().env("TRUNKLINE_BRAKE_NEW_DESTINATION_CALLS", "2").start();
    let client = Api::sandbox(&server);
    learn(&server, &client).await;
    let queue = client.insert(2, vec![item("server1", NEW, "1"); 5]).await;
    let reason = held(&client, queue, 3).await;
    assert_eq!((&reason["limit"], &reason["limit_name"]), (&json!(2.0), &json!("brake_new_destination_calls")));
    let text = reason["text"].as_str().expect("a text");
    assert!(text.contains("2 were called; new to it are +49"), "{text}");
    let known = client.insert(3, vec![item("server1", KNOWN, "1"); 3]).await;
    assert_eq!(client.wait_until_completed(known).await["counts"]["completed"], 3);

    let admin = Api::admin(&server);
    let entries = wait::until_async("the audit says so", async || {
        let entries = admin.get("admin/audit").await.data()["results"].as_array().expect("a list").clone();
        entries.iter().any(|entry| entry["action"] == "BrakeClient").then_some(entries)
    })
    .await;
    let braked: Vec<&Value> = entries.iter().filter(|entry| entry["action"] == "BrakeClient").collect();
    assert_eq!(
        (braked.len(), &braked[0]["actor"], &braked[0]["target"]),
        (1, &json!("trunkline"), &json!("clients/1"))
    );
    wait::until_async("it is counted and logged", async || {
        let metrics = reqwest::get(server.url("/metrics")).await.expect("an answer").text().await.expect("a text");
        let is_logged = server.output().text().contains("the client is braked");
        (metrics.contains("trunkline_clients_braked_total 1") && is_logged).then_some(())
    })
    .await;
    let mut notes = 0;
    for call in client.calls(queue).await {
        let call = client.get(&format!("calls/{}", call["call_id"].as_str().expect("an id"))).await.data();
        let timeline = call["timeline"].as_array().into_iter().flatten();
        let is_note = |event: &&Value| event["detail"].as_str().is_some_and(|text| text.contains("client is braked"));
        notes += timeline.filter(is_note).count();
    }
    assert_eq!(notes, 1, "one event of the client says so");

    server.restart();
    let (client, admin) = (client.at(&server), Api::admin(&server));
    held(&client, queue, 3).await;
    let released = admin.post("admin/clients/1/release-brake", json!({})).await.data();
    assert_eq!(released["destinations"], json!(["49"]));
    assert!(released["braked_at"].is_string(), "{released}");
    assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 5);
    let entry = admin.get("admin/audit?page_size=1").await.data()["results"][0].clone();
    assert_eq!(entry["action"], "ReleaseBrake", "{entry}");
    assert!(entry["before"].as_str().is_some_and(|before| before.contains(r#""new_destinations":["49"]"#)), "{entry}");
    let again = admin.post("admin/clients/1/release-brake", json!({})).await.data();
    assert_eq!((&again["braked_at"], &again["destinations"]), (&Value::Null, &json!([])));
    assert_eq!(admin.post("admin/clients/99/release-brake", json!({})).await.status, 404);
}

#[tokio::test]
async fn a_limit_of_the_client_brakes_it_and_0_lets_its_calls_go_on() {
    let server = start().start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    learn(&server, &client).await;
    let limit = async |calls: i64| {
        let limits = json!({ "brake_new_destination_calls": calls });
        admin.patch("admin/clients/1", json!({ "limits": limits })).await
    };
    let message = limit(-1).await.error(400, "INVALID_ARGUMENT");
    assert!(message.contains("limits.brake_new_destination_calls: must be at least 0"), "{message}");
    assert_eq!(limit(1).await.data()["limits"], json!({ "brake_new_destination_calls": 1 }));
    until_it_holds().await;
    let queue = client.insert(2, vec![item("server1", NEW, "1"); 4]).await;
    held(&client, queue, 3).await;
    limit(0).await.data();
    assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 4);
}
