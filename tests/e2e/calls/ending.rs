//! Tests canceling and hanging up calls in every status.

use serde_json::json;

use super::{a_leg, details, get, place, wait_for};
use crate::support::api::{Api, client_of_asterisk, item};
use crate::support::asterisk::Asterisk;
use crate::support::server::Server;

on_both_releases!(
    a_ringing_call_is_canceled_at_once_and_never_tried_again,
    an_answered_call_is_hung_up_and_ends_completed,
    a_waiting_call_is_canceled_and_never_dialed,
    an_end_request_survives_a_crash_of_the_server,
    asterisk_hangs_up_by_name_and_by_uniqueid,
    a_call_without_an_end_is_hung_up_after_its_longest_time,
);

async fn end(client: &Api, id: &str, verb: &str) -> (u16, serde_json::Value) {
    let answer = client.post(&format!("calls/{id}/{verb}"), json!({})).await;
    (answer.status.as_u16(), answer.body)
}

async fn a_ringing_call_is_canceled_at_once_and_never_tried_again(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let mut ringing = item("ast", "Local/60@slow/n", "5");
    ringing["retry"] = json!(3);
    let id = place(&client, vec![ringing]).await.remove(0);
    wait_for(&client, &id, "ringing").await;
    let (status, body) = end(&client, &id, "cancel").await;
    assert_eq!((status, &body["data"]["result"]), (200, &json!("hanging-up")), "{body}");
    let call = wait_for(&client, &id, "canceled").await;
    assert_eq!((&call["outcome"], &call["attempts"]), (&json!("canceled"), &json!(1)), "{call}");
    assert_eq!(details(&call, "note"), ["the client canceled the call; it is being hung up"]);
    assert_eq!(details(&call, "ended").len(), 1);
    asterisk.wait_until_idle();
    assert_eq!(asterisk.witness().wait_for_originates(1).len(), 1);
    let (status, body) = end(&client, &id, "cancel").await;
    assert_eq!((status, &body["data"]["result"]), (200, &json!("already-canceled")), "{body}");
    let (status, body) = end(&client, &id, "hangup").await;
    assert_eq!((status, &body["code"]), (409, &json!("FAILED_PRECONDITION")), "{body}");
}

async fn an_answered_call_is_hung_up_and_ends_completed(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let id = place(&client, vec![item("ast", "Local/60@talk/n", "60")]).await.remove(0);
    let call = wait_for(&client, &id, "answered").await;
    let (status, body) = end(&client, &id, "cancel").await;
    assert_eq!(status, 409, "{body}");
    assert!(body["message"].as_str().is_some_and(|text| text.contains("hang it up instead")), "{body}");
    a_leg(&asterisk, &call);
    let (status, body) = end(&client, &id, "hangup").await;
    assert_eq!((status, &body["data"]["result"]), (200, &json!("hanging-up")), "{body}");
    let call = wait_for(&client, &id, "completed").await;
    assert_eq!(call["outcome"], "answered");
    asterisk.wait_until_idle();
    let (status, body) = end(&client, &id, "hangup").await;
    assert_eq!(status, 409, "{body}");
}

async fn a_waiting_call_is_canceled_and_never_dialed(asterisk: Asterisk) {
    let server = Server::start();
    // The second call is due five seconds after the first.
    let client = client_of_asterisk(&server, &asterisk, 0.2).await;
    let ids = place(&client, vec![item("ast", "Local/100@answer/n", "1"); 2]).await;
    let waiting = &ids[1];
    let (status, body) = end(&client, waiting, "hangup").await;
    assert_eq!(status, 409, "{body}");
    let (status, body) = end(&client, waiting, "cancel").await;
    assert_eq!((status, &body["data"]["result"]), (200, &json!("canceled")), "{body}");
    assert_eq!(body["data"]["status"], "canceled");
    wait_for(&client, &ids[0], "completed").await;
    let call = get(&client, waiting).await;
    assert_eq!((&call["attempts"], &call["outcome"]), (&json!(0), &json!("canceled")));
    let queue = client.wait_until_completed(call["queue_id"].as_i64().expect("a queue")).await;
    assert_eq!((&queue["counts"]["canceled"], &queue["counts"]["completed"]), (&json!(1), &json!(1)));
    assert_eq!(asterisk.witness().originates().len(), 1);
}

async fn an_end_request_survives_a_crash_of_the_server(asterisk: Asterisk) {
    let mut server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let id = place(&client, vec![item("ast", "Local/60@slow/n", "5")]).await.remove(0);
    wait_for(&client, &id, "ringing").await;
    let (status, body) = end(&client, &id, "cancel").await;
    assert_eq!(status, 200, "{body}");
    server.restart();
    let client = client.at(&server);
    let call = crate::support::wait::until_async("the call has ended", async || {
        Some(get(&client, &id).await).filter(|call| call["ended_at"].is_string())
    })
    .await;
    // If it was hung up before the crash and the evidence was lost, no one can tell that it was not answered.
    assert!(call["status"] == "canceled" || call["status"] == "unknown", "{call}");
    assert_eq!(call["attempts"], 1);
    asterisk.wait_until_idle();
}

/// An Echo and the longest Wait go on for ever by themselves, also if another process of Trunkline began them.
async fn a_call_without_an_end_is_hung_up_after_its_longest_time(asterisk: Asterisk) {
    let mut server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let policy = json!({ "technologies": ["Local"], "contexts": ["talk"], "applications": ["Echo", "Wait"] });
    let admin = Api::admin(&server);
    admin.patch("admin/clients/1", json!({ "policy": policy })).await.data();
    let mut echo = item("ast", "Local/60@talk/n", "");
    echo["action"] = json!({ "Action": "Originate", "Channel": "Local/60@talk/n", "Application": "Echo" });
    let ids = place(&client, vec![echo, item("ast", "Local/60@talk/n", "2147483647")]).await;
    for id in &ids {
        wait_for(&client, id, "answered").await;
    }
    server.restart();
    let (client, admin) = (client.at(&server), Api::admin(&server));
    admin.patch("admin/servers/ast", json!({ "max_call_seconds": 1 })).await.data();
    for id in &ids {
        let call = wait_for(&client, id, "completed").await;
        assert_eq!((&call["outcome"], &call["attempts"]), (&json!("answered"), &json!(1)), "{call}");
        assert_eq!(details(&call, "note"), ["hung up after its longest time of 1 s"], "{call}");
    }
    asterisk.wait_until_idle();
}

async fn asterisk_hangs_up_by_name_and_by_uniqueid(asterisk: Asterisk) {
    let mut ami = asterisk.ami();
    for (number, by_name) in [true, false].into_iter().enumerate() {
        let id = format!("tl-{number}");
        let headers = [
            ("Action", "Originate"),
            ("Channel", "Local/60@talk/n"),
            ("ChannelId", id.as_str()),
            ("Async", "true"),
            ("Application", "Wait"),
            ("Data", "60"),
        ];
        ami.send(&headers).expect("sent");
        let answered = ami.wait_for(|message| message.is_event("OriginateResponse")).expect("an outcome");
        let channel = if by_name { answered.get("Channel").to_owned() } else { id };
        let answer = ami.request(&[("Action", "Hangup"), ("Channel", &channel), ("Cause", "16")]).expect("an answer");
        assert_eq!(answer.get("Response"), "Success", "{channel}: {answer:?}");
        asterisk.wait_until_idle();
    }
}
