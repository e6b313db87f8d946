//! Tests the contract's section "Calls".

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, dials, with};

fn quick_call() -> Value {
    json!({
        "asterisk_server_code": "server1", "customer_name": "Ada", "number1": "1234567890", "number2": "0987654321",
        "did": "+4930123", "action": {"Action": "Originate", "Application": "Dial"},
    })
}

impl Sandbox {
    async fn quick(&self, call: Value) -> crate::sandbox::Reply {
        self.post("queues/insertquickcall", call).await
    }

    /// Waits until a queue has completed, and returns its only call.
    async fn only_call(&self, queue_id: i64) -> Value {
        self.api.wait_until_completed(queue_id).await;
        let mut calls = self.api.calls(queue_id).await;
        assert_eq!(calls.len(), 1);
        calls.remove(0)
    }
}

#[tokio::test]
async fn a_deadline_already_past_is_accepted_with_a_warning_and_the_call_is_expired() {
    let sandbox = Sandbox::start();
    let late = with(dials("4900"), &["deadline"], json!("2024-12-31T23:59:59Z"));
    let reply = sandbox.insert(json!({"batch_id": 1, "data": [late]})).await;
    assert_eq!(reply.data()["warnings"], json!(["data[0].deadline: has passed, the call is expired"]));
    let call = sandbox.only_call(reply.data()["queue_id"].as_i64().unwrap()).await;
    assert_eq!((&call["status"], &call["attempts"]), (&json!("expired"), &json!(0)));
    assert_eq!(call["deadline"], json!("2024-12-31T23:59:59Z"));
}

#[tokio::test]
async fn retry_is_how_many_further_tries_follow_a_retryable_failure_and_only_that() {
    let sandbox = Sandbox::start();
    // The queue tries again at once. It is made with a call that is never dialed.
    let late = with(dials("4900"), &["deadline"], json!("2024-12-31T23:59:59Z"));
    let queue_id = sandbox.api.insert(1, vec![late]).await;
    sandbox.put(&format!("queues/updatequeuemaster/{queue_id}"), json!({"retry_gap": 0})).await.data();
    // Busy, no answer and congestion are tried again; an unallocated number and an answer are not.
    let endings = [("4901", 3), ("4902", 3), ("4903", 3), ("4904", 1), ("4900", 1)];
    let items: Vec<Value> = endings.iter().map(|(number, _)| with(dials(number), &["retry"], json!(2))).collect();
    sandbox.insert(json!({"queue_id": queue_id, "batch_id": 2, "data": items})).await.data();
    sandbox.api.wait_until_completed(queue_id).await;
    let attempts: Vec<Value> = sandbox.api.calls(queue_id).await.iter().map(|call| call["attempts"].clone()).collect();
    assert_eq!(json!(attempts), json!([0, 3, 3, 3, 1, 1]));
}

#[tokio::test]
async fn the_dids_rotate_evenly_over_the_calls_of_a_batch() {
    let sandbox = Sandbox::start();
    let batch = json!({"batch_id": 1, "dids": ["+1", "+2"], "data": vec![dials("4900"); 5]});
    let queue_id = sandbox.insert(batch).await.data()["queue_id"].as_i64().unwrap();
    let dids: Vec<Value> = sandbox.api.calls(queue_id).await.iter().map(|call| call["did"].clone()).collect();
    assert_eq!(json!(dids), json!(["+1", "+2", "+1", "+2", "+1"]));
}

#[tokio::test]
async fn account_is_the_clients_own_or_403() {
    let sandbox = Sandbox::start();
    let account = ["action", "Account"];
    let own = with(dials("4900"), &account, json!("your_account_code"));
    sandbox.insert(json!({"batch_id": 1, "data": [own]})).await.data();
    let other = with(dials("4900"), &account, json!("somebody_else"));
    let reply = sandbox.insert(json!({"batch_id": 2, "data": [other]})).await;
    reply.error(403, "PERMISSION_DENIED");
    assert_eq!(reply.fields(), ["data[0].action.Account"]);
}

#[tokio::test]
async fn async_false_is_accepted_and_answered_the_same() {
    let sandbox = Sandbox::start();
    let mut answers = Vec::new();
    for (batch_id, waits) in [(1, true), (1, false)] {
        // This phone is never answered: an API that waited for it would not answer either.
        let item = with(dials("4902"), &["action", "Timeout"], json!(600_000));
        let item = with(item, &["action", "Async"], json!(waits));
        let other = sandbox.other_client(if waits { "waits" } else { "waits not" }, json!({})).await;
        let batch = json!({"batch_id": batch_id, "data": [item]});
        let mut data = other.post("queues/insertdataincallqueue", batch).await.data();
        data["queue_id"].take();
        answers.push(data);
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn a_recording_goes_below_the_servers_directories_or_nowhere() {
    let sandbox = Sandbox::start();
    let recorded = with(dials("4900"), &["create_recording"], json!(true));
    for path in ["/etc/passwd", "/recordings/../etc/x.wav", "call.wav", "/recordings/a,b.wav"] {
        for create in [true, false] {
            let item = with(recorded.clone(), &["recording_path"], json!(path));
            let item = with(item, &["create_recording"], json!(create));
            let reply = sandbox.insert(json!({"batch_id": 1, "data": [item]})).await;
            reply.error(400, "INVALID_ARGUMENT");
            assert_eq!(reply.fields(), ["data[0].recording_path"], "{path}");
        }
    }
    let queue_id = sandbox.api.insert(1, vec![recorded]).await;
    let call = sandbox.only_call(queue_id).await;
    assert_eq!(call["recording_path"], json!(format!("/recordings/{}.wav", call["call_id"].as_str().unwrap())));
}

#[tokio::test]
async fn a_mix_monitor_command_takes_options_and_its_own_command_only_where_granted() {
    let sandbox = Sandbox::start();
    let item = with(dials("4900"), &["create_recording"], json!(true));
    let with_command = |command: &str| with(item.clone(), &["mix_monitor_command"], json!(command));
    let command = with_command("MixMonitor /recordings/a.wav,b,rm /recordings/a.wav");
    let reply = sandbox.insert(json!({"batch_id": 1, "data": [command]})).await;
    reply.error(403, "PERMISSION_DENIED");
    assert_eq!(reply.fields(), ["data[0].mix_monitor_command"]);
    for wrong in ["MixMonitor /elsewhere/a.wav", "Record /recordings/a.wav"] {
        let reply = sandbox.insert(json!({"batch_id": 1, "data": [with_command(wrong)]})).await;
        reply.error(400, "INVALID_ARGUMENT");
    }
    let queue_id = sandbox.api.insert(1, vec![with_command("MixMonitor /recordings/a.wav,b")]).await;
    assert_eq!(sandbox.only_call(queue_id).await["recording_path"], json!("/recordings/a.wav"));
}

#[tokio::test]
async fn a_quick_call_dials_number1_through_the_template_in_a_queue_of_its_own() {
    let sandbox = Sandbox::start();
    let reply = sandbox.quick(quick_call()).await;
    let (call_id, queue_id) = (reply.data()["call_id"].as_str().unwrap(), reply.data()["queue_id"].as_i64().unwrap());
    assert_eq!(reply.data().as_object().unwrap().len(), 2);
    assert_eq!((call_id.len(), call_id.matches('-').count()), (36, 4), "a UUID: {call_id}");
    let call = sandbox.get(&format!("calls/{call_id}")).await;
    assert_eq!(
        (&call.data()["channel"], &call.data()["did"]),
        (&json!("PJSIP/1234567890@endpoint1"), &json!("+4930123"))
    );
    let queue = sandbox.api.queue(queue_id).await;
    assert_eq!((&queue["kind"], &queue["total_calls"]), (&json!("quick"), &json!(1)));

    let channel = with(quick_call(), &["action", "Channel"], json!("PJSIP/5550100@endpoint2"));
    let call_id = sandbox.quick(channel).await.data()["call_id"].as_str().unwrap().to_owned();
    assert_eq!(sandbox.get(&format!("calls/{call_id}")).await.data()["channel"], json!("PJSIP/5550100@endpoint2"));
}

#[tokio::test]
async fn a_quick_call_with_nobody_to_dial_is_400() {
    let sandbox = Sandbox::start();
    for number in ["number1", "number2"] {
        let reply = sandbox.quick(with(quick_call(), &[number], Value::Null)).await;
        reply.error(400, "INVALID_ARGUMENT");
        assert_eq!(reply.fields(), [number]);
    }
    let data = with(quick_call(), &["action", "Data"], json!("PJSIP/5550100@endpoint2,30"));
    sandbox.quick(with(data, &["number2"], Value::Null)).await.data();
}
