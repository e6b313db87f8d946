//! Tests the caller id that is sent: `action.CallerID`, else `caller_id`, else the next of the batch's `dids`.

use serde_json::{Value, json};

use super::{details, get, ids, wait_for};
use crate::support::api::{client_of_asterisk, item};
use crate::support::asterisk::Asterisk;
use crate::support::server::Server;

on_both_releases!(
    the_actions_caller_id_goes_before_the_items_and_that_before_the_dids,
    a_quick_call_shows_its_customers_name_and_did,
);

async fn the_actions_caller_id_goes_before_the_items_and_that_before_the_dids(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let mut items = vec![item("ast", "Local/1@report/n", "1"); 6];
    items[0]["action"]["CallerID"] = json!("The Action <1001>");
    items[0]["caller_id"] = json!("The Item <1002>");
    items[1]["caller_id"] = json!("The Item <1002>");
    let batch = json!({ "batch_id": 1, "dids": ["+1901", "+1902", "+1903"], "data": items });
    let queue = client.post("queues/insertdataincallqueue", batch).await.data()["queue_id"].as_i64().expect("an id");
    client.wait_until_completed(queue).await;
    let expected = [
        ("From: The Action <1001>", "+1901"),
        ("From: The Item <1002>", "+1902"),
        ("+1903", "+1903"),
        ("+1901", "+1901"),
        ("+1902", "+1902"),
        ("+1903", "+1903"),
    ];
    for (id, (from, did)) in ids(&client, queue).await.iter().zip(expected) {
        let call = get(&client, id).await;
        let notes = details(&call, "note");
        assert_eq!(call["did"], did, "the dids rotate over all calls of the batch: {call}");
        assert!(notes[0].contains(from) && notes[0].contains(&format!("Did: {did};")), "{notes:?}");
    }
}

async fn a_quick_call_shows_its_customers_name_and_did(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let quick: Value = json!({
        "asterisk_server_code": "ast", "customer_name": "John Doe", "did": "+1234567890", "create_recording": false,
        "action": { "Action": "Originate", "Channel": "Local/1@report/n", "Application": "Wait", "Data": "1" },
    });
    let placed = client.post("queues/insertquickcall", quick).await.data();
    let call = wait_for(&client, placed["call_id"].as_str().expect("an id"), "completed").await;
    let notes = details(&call, "note");
    assert!(notes[0].contains("From: John Doe <+1234567890>; Did: +1234567890"), "{notes:?}");
}
