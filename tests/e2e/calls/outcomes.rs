//! Tests outcomes that are judged from all evidence together, and Asterisk's own count of billable seconds.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::{a_leg, details, dialing, get, place, wait_for, wait_for_event};
use crate::support::api::{client_of_asterisk, item};
use crate::support::asterisk::Asterisk;
use crate::support::server::Server;
use crate::support::sipp::{Scenario, Sipp};
use crate::support::wait;

on_both_releases!(
    a_busy_far_leg_leaves_an_answered_call_answered,
    a_phone_that_hangs_up_first_was_answered,
    a_second_phone_that_hangs_up_first_ends_the_call_answered,
    billable_seconds_are_those_of_asterisks_call_records,
    a_call_that_is_redirected_away_ends_answered,
    two_calls_that_are_joined_end_answered_both,
);

#[track_caller]
fn assert_answered_once(call: &Value) {
    let seen = (&call["status"], &call["outcome"], &call["attempts"]);
    assert_eq!(seen, (&json!("completed"), &json!("answered"), &json!(1)), "{call}");
}

async fn a_busy_far_leg_leaves_an_answered_call_answered(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let mut items: Vec<Value> = ["busy", "congestion", "unallocated"]
        .map(|far| dialing("Local/60@talk/n", &format!("Local/1@{far}/n,5")))
        .into();
    items.iter_mut().for_each(|item| item["retry"] = json!(2));
    for id in place(&client, items).await {
        assert_answered_once(&wait_for(&client, &id, "completed").await);
    }
}

async fn a_phone_that_hangs_up_first_was_answered(asterisk: Asterisk) {
    let phone = Sipp::start(&asterisk, 0, Scenario::HangUp);
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let id = place(&client, vec![item("ast", "PJSIP/endpoint1", "60")]).await.remove(0);
    assert_hung_up_by_the_far_end(&wait_for(&client, &id, "completed").await);
    wait::until("the phone's BYE is answered", || (phone.hung_up() == 1).then_some(()));
    assert_eq!(phone.received(), 1);
}

/// The far end hangs up first; the A leg alone would never end.
async fn a_second_phone_that_hangs_up_first_ends_the_call_answered(asterisk: Asterisk) {
    let phones = [Sipp::start(&asterisk, 0, Scenario::Answer), Sipp::start(&asterisk, 1, Scenario::HangUp)];
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let id = place(&client, vec![dialing("PJSIP/endpoint1", "PJSIP/endpoint2")]).await.remove(0);
    assert_hung_up_by_the_far_end(&wait_for(&client, &id, "completed").await);
    wait::until("Asterisk ends the other leg", || (phones[0].ended() == 1).then_some(()));
    assert_eq!((phones[0].received(), phones[1].hung_up()), (1, 1));
}

/// Asserts that the call ended two seconds after its answer, long before the application or the other leg would have
/// ended.
#[track_caller]
fn assert_hung_up_by_the_far_end(call: &Value) {
    assert_answered_once(call);
    assert!((1..=10).contains(&call["billable_seconds"].as_i64().expect("seconds")), "{call}");
}

/// Compares the billable seconds with the CDRs of calls in which the far end or the application ends first.
async fn billable_seconds_are_those_of_asterisks_call_records(asterisk: Asterisk) {
    let mut ami = asterisk.ami();
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let lengths = [("0", "60"), ("1", "60"), ("2", "60"), ("3", "60"), ("60", "1"), ("60", "2"), ("60", "3")];
    let items = lengths.map(|(far, near)| item("ast", &format!("Local/{far}@talk/n"), near)).into();
    let ids = place(&client, items).await;
    let mut channels = HashMap::new();
    for id in &ids {
        let call = wait_for(&client, id, "completed").await;
        assert_answered_once(&call);
        channels.insert(call["channel_id"].as_str().expect("a channel id").to_owned(), id.clone());
    }
    while !channels.is_empty() {
        let record = ami.wait_for(|message| message.is_event("Cdr")).expect("a CDR");
        let Some(id) = channels.remove(record.get("UniqueID")) else { continue };
        let seconds: i64 = record.get("BillableSeconds").parse().expect("a number");
        wait::until_async("the CDR's billable seconds are stored", async || {
            (get(&client, &id).await["billable_seconds"] == seconds).then_some(())
        })
        .await;
    }
}

/// A blind transfer takes the A leg away from the other leg, which continues.
async fn a_call_that_is_redirected_away_ends_answered(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let id = place(&client, vec![dialing("Local/60@talk/n", "Local/60@talk/n")]).await.remove(0);
    let call = wait_for_event(&client, &id, "bridged").await;
    let channel = a_leg(&asterisk, &call);
    let redirect = [
        ("Action", "Redirect"),
        ("Channel", channel.as_str()),
        ("Context", "answer"),
        ("Exten", "100"),
        ("Priority", "1"),
    ];
    let answer = asterisk.ami().request(&redirect).expect("an answer");
    assert_eq!(answer.get("Response"), "Success", "{answer:?}");
    assert_answered_once(&wait_for(&client, &id, "completed").await);
    asterisk.wait_until_idle();
}

/// An attended transfer joins legs of two calls in one bridge.
async fn two_calls_that_are_joined_end_answered_both(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let ids = place(&client, vec![item("ast", "Local/60@talk/n", "60"); 2]).await;
    let mut legs = Vec::new();
    for id in &ids {
        legs.push(a_leg(&asterisk, &wait_for(&client, id, "answered").await));
    }
    let join = [("Action", "Bridge"), ("Channel1", legs[0].as_str()), ("Channel2", legs[1].as_str())];
    let answer = asterisk.ami().request(&join).expect("an answer");
    assert_eq!(answer.get("Response"), "Success", "{answer:?}");
    // The leg that enters second finds the other there.
    wait::until_async("the calls are joined", async || {
        let calls = [get(&client, &ids[0]).await, get(&client, &ids[1]).await];
        calls.iter().any(|call| !details(call, "bridged").is_empty()).then_some(())
    })
    .await;
    for id in &ids {
        // The end of one call may end the other, too.
        client.post(&format!("calls/{id}/hangup"), json!({})).await;
    }
    for id in &ids {
        assert_answered_once(&wait_for(&client, id, "completed").await);
    }
    asterisk.wait_until_idle();
}
