//! Tests what a quick call may say of itself beside its numbers.

use serde_json::{Value, json};

use super::{get, sandbox};
use crate::support::api::Api;
use crate::support::ports::Port;
use crate::support::wait;

const QUICK: &str = "queues/insertquickcall";

fn quick(number: &str) -> Value {
    json!({
        "asterisk_server_code": "server1", "customer_name": "A", "number1": number,
        "action": { "Application": "Wait", "Data": "1" },
    })
}

async fn placed(client: &Api, call: Value) -> Value {
    let placed = client.post(QUICK, call).await.data();
    client.get(&format!("calls/{}", placed["call_id"].as_str().expect("an id"))).await.data()
}

fn time(value: &Value) -> jiff::Timestamp {
    value.as_str().unwrap_or_else(|| panic!("{value} is no time")).parse().expect("a time")
}

#[tokio::test]
async fn a_quick_call_has_a_minute_to_leave_unless_it_says_otherwise() {
    let (server, client) = sandbox("20");
    let admin = Api::admin(&server);
    let me = client.get("clients/test-connection").await.data()["client_id"].clone();
    let gone = json!({
        "code": "gone", "host": "127.0.0.1", "port": Port::reserve().number(), "username": "u", "secret": "s",
    });
    admin.post("admin/servers", gone).await.data();
    admin.put(&format!("admin/clients/{me}/grants/gone"), json!({})).await.data();
    let mut call = quick("4930123401");
    call["asterisk_server_code"] = json!("gone");
    let shown = placed(&client, call.clone()).await;
    let left = time(&shown["deadline"]).duration_since(time(&shown["created_at"]));
    assert!((59..=61).contains(&left.as_secs()), "{left:?}");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
    call["deadline"] = json!(soon.to_string());
    let shown = placed(&client, call.clone()).await;
    let queue = shown["queue_id"].as_i64().expect("an id");
    wait::until_async("the call has expired", async || {
        (get(&client, queue).await["counts"]["expired"] == 1).then_some(())
    })
    .await;
    call.as_object_mut().unwrap().remove("deadline");
    call["not_before"] = json!((soon + jiff::SignedDuration::from_secs(3600)).to_string());
    let shown = placed(&client, call).await;
    assert!(time(&shown["due_at"]) > soon, "the call is scheduled");
    let left = time(&shown["deadline"]).duration_since(time(&shown["due_at"]));
    assert_eq!(left.as_secs(), 60, "the default counts from the call's own time");
}

#[tokio::test]
async fn a_quick_call_has_a_project_a_contact_number_retries_and_variables() {
    let (_server, client) = sandbox("20");
    let mut call = quick("4930123401");
    call["project"] = json!("callbacks");
    call["contact_number"] = json!("+49 30 23125018");
    call["retry"] = json!(1);
    call["retry_rules"] = json!([{ "outcome": "busy", "max_retries": 2, "delay": 0 }]);
    call["variables"] = json!({ "CUSTOMER": "7", "WHO": "beside" });
    call["action"]["variables"] = json!({ "WHO": "inside" });
    let shown = placed(&client, call.clone()).await;
    assert_eq!((&shown["project"], &shown["contact_number"]), (&json!("callbacks"), &json!(493_023_125_018_i64)));
    let queue = shown["queue_id"].as_i64().expect("an id");
    client.wait_until_completed(queue).await;
    let ended = client.calls(queue).await.remove(0);
    assert_eq!((&ended["attempts"], &ended["outcome"]), (&json!(3), &json!("busy")), "{ended}");

    let listed = json!({ "numbers": [{ "number": "+49 30 23125018" }] });
    client.post("clients/do-not-call", listed).await.data();
    let answer = client.post(QUICK, call.clone()).await;
    answer.error(403, "PERMISSION_DENIED");
    assert_eq!(answer.body["errors"][0]["field"], "contact_number", "{}", answer.body);

    call["variables"] = json!({ "TRUNKLINE_X": "1" });
    call["retry"] = json!(101);
    call["action"]["Action"] = json!("Redirect");
    let answer = client.post(QUICK, call).await;
    answer.error(400, "INVALID_ARGUMENT");
    let fields: Vec<&str> =
        answer.body["errors"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    for field in ["action.Action", "retry", "variables.TRUNKLINE_X"] {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }
}

/// The default deadline is for the first attempt only: a retry that is due later takes place.
#[tokio::test]
async fn the_default_deadline_ends_no_further_attempts() {
    let (_server, client) = sandbox("20");
    let mut call = quick("4930123401");
    call["retry_rules"] = json!([{ "outcome": "busy", "max_retries": 1, "delay": 3600 }]);
    let shown = placed(&client, call).await;
    assert!(shown["deadline"].is_string());
    let queue = shown["queue_id"].as_i64().expect("an id");
    wait::until_async("the call waits for its next attempt", async || {
        (get(&client, queue).await["counts"]["retrying"] == 1).then_some(())
    })
    .await;
    assert_eq!(client.calls(queue).await[0].get("deadline"), None);
}
