//! Tests that reports of a dialplan by `UserEvent(Trunkline,…)` appear on the call's timeline.

use serde_json::json;

use super::{details, dialing, get, ids, place, wait_for};
use crate::support::ami::Ami;
use crate::support::api::{client_of_asterisk, item};
use crate::support::asterisk::{Asterisk, SECRET};
use crate::support::server::Server;
use crate::support::wait;

on_both_releases!(
    both_legs_know_their_call_and_report_on_it,
    a_report_reaches_a_call_that_is_over_and_what_names_no_call_reaches_none,
);

async fn both_legs_know_their_call_and_report_on_it(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let mut item = dialing("Local/3@report/n", "Local/1@report/n");
    item["action"]["ActionID"] = json!("call-uuid-1234");
    let batch = json!({ "batch_id": 1, "dids": ["+1999"], "data": [item] });
    let queue = client.post("queues/insertdataincallqueue", batch).await.data()["queue_id"].as_i64().expect("an id");
    let id = ids(&client, queue).await.remove(0);
    let call = wait_for(&client, &id, "completed").await;
    let notes = details(&call, "note");
    assert_eq!(notes.len(), 2, "each leg has one: {notes:?}");
    for note in notes {
        assert!(note.starts_with("Note: report; From: "), "{note}");
        let known = format!("; Did: +1999; Queue: {queue}; Action: call-uuid-1234");
        assert!(note.ends_with(&known), "{note}");
    }
}

async fn a_report_reaches_a_call_that_is_over_and_what_names_no_call_reaches_none(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let id = place(&client, vec![item("ast", "Local/100@answer/n", "1")]).await.remove(0);
    wait_for(&client, &id, "completed").await;
    let mut ami = Ami::connect(asterisk.ami_port()).expect("a connection");
    ami.login("witness", SECRET, "off").expect("an answer");
    let unknown = "01920000-0000-7000-8000-000000000000";
    for (event, call, note) in [
        ("Other", id.as_str(), "not ours"),
        ("Trunkline", unknown, "of no call"),
        ("Trunkline", "no id", "of nothing"),
        ("Trunkline", id.as_str(), "after the end"),
    ] {
        let headers = [("Action", "UserEvent"), ("UserEvent", event), ("CallId", call), ("Note", note)];
        let answer = ami.request(&headers).expect("an answer");
        assert_eq!(answer.get("Response"), "Success", "{answer:?}");
    }
    let call = wait::until_async("the report is on the timeline", async || {
        Some(get(&client, &id).await).filter(|call| !details(call, "note").is_empty())
    })
    .await;
    let notes = details(&call, "note");
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("Note: after the end"), "{notes:?}");
    assert_eq!(call["status"], "completed", "a report does not reopen the call");
}
