//! Tests the contract's section "Queues".

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tonic_types::StatusExt as _;
use trunkline::pb;
use trunkline::pb::queue_service_client::QueueServiceClient;

use crate::sandbox::{Sandbox, dials, names, with};
use crate::support::api::Api;

fn id(reply: &Value) -> i64 {
    reply["queue_id"].as_i64().unwrap()
}

impl Sandbox {
    async fn update(&self, queue_id: i64, body: Value) -> Value {
        self.put(&format!("queues/updatequeuemaster/{queue_id}"), body).await.data().clone()
    }
}

#[tokio::test]
async fn a_null_or_absent_queue_id_creates_a_queue_in_progress() {
    let sandbox = Sandbox::start();
    let absent = sandbox.insert(json!({"batch_id": 1, "data": [dials("4906")]})).await;
    let null = sandbox.insert(json!({"queue_id": null, "batch_id": 2, "data": [dials("4906")]})).await;
    assert_ne!(absent.data()["queue_id"], null.data()["queue_id"]);
    let queue = sandbox.api.queue(id(null.data())).await;
    assert_eq!((&queue["queue_status"], &queue["kind"]), (&json!("in-progress"), &json!("bulk")));
    let added = json!({"queue_id": queue["queue_id"], "batch_id": 3, "data": [dials("4906")]});
    assert_eq!(sandbox.insert(added).await.data()["queue_id"], queue["queue_id"]);
    assert_eq!(sandbox.api.queue(id(&queue)).await["batches"], json!([2, 3]));
}

#[tokio::test]
async fn a_queue_of_another_client_or_none_is_404_and_the_answer_does_not_tell_which() {
    let sandbox = Sandbox::start();
    let other = sandbox.other_client("other", json!({})).await;
    let theirs = sandbox.api.insert(1, vec![dials("4900")]).await;
    for (queue, name) in [(theirs, "theirs"), (99_999, "none")] {
        let expected = format!("queue {queue} not found");
        let batch = json!({"queue_id": queue, "batch_id": 9, "data": [dials("4900")]});
        for answer in [
            other.post("queues/insertdataincallqueue", batch).await,
            other.get(&format!("queues/getqueues?master_queue_id={queue}")).await,
            other.get(&format!("calls/watch?queue_id={queue}")).await,
            other.put(&format!("queues/updatequeuemaster/{queue}"), json!({"retry": true})).await,
        ] {
            assert_eq!((answer.status.as_u16(), &answer.body["message"]), (404, &json!(expected)), "{name}");
        }
    }
    let call_id = sandbox.api.calls(theirs).await[0]["call_id"].as_str().unwrap().to_owned();
    assert_eq!(other.get(&format!("calls/{call_id}")).await.status, 404);
}

#[tokio::test]
async fn a_batch_holds_1_to_1000_items_and_is_stored_whole_or_not_at_all() {
    let sandbox = Sandbox::start();
    for count in [0, 1001] {
        let reply = sandbox.insert(json!({"batch_id": 1, "data": vec![dials("4900"); count]})).await;
        let message = format!("data: must hold 1 to 1000 items, and holds {count}");
        assert_eq!(reply.error(400, "INVALID_ARGUMENT"), message);
    }
    let mut items = vec![dials("4900"); 1000];
    items[500] = with(dials("4900"), &["retry"], json!(101));
    items[999] = with(dials("4900"), &["action", "Action"], json!("Hangup"));
    let reply = sandbox.insert(json!({"batch_id": 1, "data": items})).await;
    reply.error(400, "INVALID_ARGUMENT");
    assert_eq!(reply.fields(), ["data[500].retry", "data[999].action.Action"]);
    assert_eq!(sandbox.get("queues/getmasterqueues").await.data()["count"], json!(0), "nothing is stored");
    let whole = sandbox.insert(json!({"batch_id": 1, "data": vec![dials("4900"); 1000]})).await;
    assert_eq!(whole.data()["inserted_count"], json!(1000));
}

#[tokio::test]
async fn other_content_under_the_same_batch_id_is_409_and_names_the_queue() {
    let sandbox = Sandbox::start();
    let queue_id = sandbox.api.insert(7, vec![dials("4900")]).await;
    let reply = sandbox.insert(json!({"batch_id": 7, "data": [dials("4901")]})).await;
    assert_eq!(reply.error(409, "ALREADY_EXISTS"), format!("batch_id 7 is in queue {queue_id} with other content"));
    let item = pb::QueueItem {
        asterisk_server_code: "server1".to_owned(),
        action: Some(pb::OriginateAction {
            action: "Originate".to_owned(),
            channel: Some("PJSIP/4902@endpoint1".to_owned()),
            application: Some("Wait".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let batch = pb::InsertBatchRequest { batch_id: Some(7), data: vec![item], ..Default::default() };
    let mut queues = QueueServiceClient::new(sandbox.channel().await);
    let status = queues.insert_batch(sandbox.grpc(batch)).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::AlreadyExists);
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["queue_id"], queue_id.to_string());
    // Another client's batch ids are independent.
    let other = sandbox.other_client("other", json!({})).await;
    assert_ne!(other.insert(7, vec![dials("4901")]).await, queue_id);
}

#[tokio::test]
async fn the_success_data_are_exactly_three_fields_and_warnings_only_when_there_are_any() {
    let sandbox = Sandbox::start();
    let reply = sandbox.insert(json!({"batch_id": 5_000_000_000_i64, "data": [dials("4900")]})).await;
    assert_eq!(names(reply.data()), BTreeSet::from(["queue_id", "inserted_count", "batch_id"]));
    assert_eq!(reply.data()["batch_id"], json!(5_000_000_000_i64));
    let local = with(dials("4900"), &["deadline"], json!("2999-01-01T00:00:00"));
    let reply = sandbox.insert(json!({"batch_id": 2, "data": [local]})).await;
    assert_eq!(reply.data()["warnings"], json!(["data[0].deadline: has no offset, taken as UTC"]));
}

#[tokio::test]
async fn a_server_that_was_not_granted_is_400_at_its_field() {
    let sandbox = Sandbox::start();
    let item = with(dials("4900"), &["asterisk_server_code"], json!("server9"));
    let reply = sandbox.insert(json!({"batch_id": 1, "data": [dials("4900"), item]})).await;
    reply.error(400, "INVALID_ARGUMENT");
    assert_eq!(reply.fields(), ["data[1].asterisk_server_code"]);
}

#[tokio::test]
async fn lists_have_pages_newest_queue_first_and_calls_in_the_order_inserted() {
    let sandbox = Sandbox::start();
    let numbers: Vec<String> = (0..7).map(|index| format!("49{index}00")).collect();
    let first = sandbox.api.insert(1, numbers.iter().map(|number| dials(number)).collect()).await;
    let second = sandbox.api.insert(2, vec![dials("4900")]).await;

    let queues = sandbox.get("queues/getmasterqueues").await;
    assert_eq!(names(queues.data()), BTreeSet::from(["results", "count", "page", "page_size"]));
    assert_eq!(
        (&queues.data()["page"], &queues.data()["page_size"], &queues.data()["count"]),
        (&json!(1), &json!(100), &json!(2))
    );
    let ids: Vec<i64> = queues.data()["results"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(ids, [second, first]);

    let mut channels = Vec::new();
    for page in 1..=4 {
        let reply = sandbox.get(&format!("queues/getqueues?master_queue_id={first}&page={page}&page_size=2")).await;
        assert_eq!(reply.data()["count"], json!(7));
        let results = reply.data()["results"].as_array().unwrap();
        channels.extend(results.iter().map(|call| call["channel"].as_str().unwrap().to_owned()));
    }
    let dialed: Vec<String> = numbers.iter().map(|number| format!("PJSIP/{number}@endpoint1")).collect();
    assert_eq!(channels, dialed);
    for (query, field) in [("page=0", "page"), ("page_size=0", "page_size"), ("page_size=1001", "page_size")] {
        let reply = sandbox.get(&format!("queues/getmasterqueues?{query}")).await;
        reply.error(400, "INVALID_ARGUMENT");
        assert_eq!(reply.fields(), [field]);
    }
}

#[tokio::test]
async fn statuses_and_outcomes_are_the_contracts_and_a_list_can_be_filtered_by_them() {
    let sandbox = Sandbox::start();
    let endings = [
        ("4900", "completed", "answered"),
        ("4901", "failed", "busy"),
        ("4902", "failed", "no-answer"),
        ("4903", "failed", "congestion"),
        ("4904", "failed", "unallocated"),
    ];
    let queue_id = sandbox.api.insert(1, endings.iter().map(|(number, ..)| dials(number)).collect()).await;
    sandbox.api.wait_until_completed(queue_id).await;
    for (call, (number, status, outcome)) in sandbox.api.calls(queue_id).await.iter().zip(endings) {
        assert_eq!((&call["status"], &call["outcome"]), (&json!(status), &json!(outcome)), "{number}");
    }
    let failed = sandbox.get(&format!("queues/getqueues?master_queue_id={queue_id}&status=failed")).await;
    assert_eq!(failed.data()["count"], json!(4));
    let reply = sandbox.get(&format!("queues/getqueues?master_queue_id={queue_id}&status=FAILED")).await;
    assert!(reply.error(400, "INVALID_ARGUMENT").starts_with("status: expected one of queued, dialing, ringing, "));
}

#[tokio::test]
async fn a_queue_and_a_call_have_the_fields_of_the_contract_and_leave_out_what_has_no_value() {
    let sandbox = Sandbox::start();
    let queue_id =
        sandbox.api.insert(1, vec![with(dials("4900"), &["contact_number"], json!(4_900_000_000_i64))]).await;
    let queue = sandbox.api.wait_until_completed(queue_id).await;
    let always =
        "queue_id kind queue_status retry retry_count retry_gap created_at updated_at total_calls batches counts";
    assert_eq!(names(&queue), always.split(' ').collect());
    let statuses = "queued dialing ringing answered retrying completed failed expired canceled unknown";
    assert_eq!(names(&queue["counts"]), statuses.split(' ').collect());
    sandbox.update(queue_id, json!({"retry": true, "retry_count": 1})).await;
    let queue = sandbox.api.queue(queue_id).await;
    assert_eq!((&queue["retry"], &queue["retry_count"]), (&json!(true), &json!(1)));

    let call = &sandbox.api.calls(queue_id).await[0];
    let known = "call_id queue_id batch_id asterisk_server_code status outcome attempts channel contact_number channel_id \
                 created_at due_at started_at answered_at ended_at duration billable_seconds hangup_cause hangup_cause_text";
    assert_eq!(names(call), known.split_whitespace().collect());
    assert_eq!(call["contact_number"], json!(4_900_000_000_i64));
    assert!(call["created_at"].as_str().unwrap().ends_with('Z'), "{call}");
    let whole = sandbox.get(&format!("calls/{}", call["call_id"].as_str().unwrap())).await;
    assert_eq!(whole.data()["attempt_history"].as_array().unwrap().len(), 1);
    let types: Vec<_> =
        whole.data()["timeline"].as_array().unwrap().iter().map(|event| event["type"].clone()).collect();
    assert!(types.contains(&json!("answered")) && types.contains(&json!("ended")), "{types:?}");
}

#[tokio::test]
async fn an_event_of_the_stream_has_the_fields_of_the_contract_and_its_seq_is_the_id() {
    let sandbox = Sandbox::start();
    let queue_id = sandbox.api.insert(1, vec![dials("4900")]).await;
    sandbox.api.wait_until_completed(queue_id).await;
    let request = reqwest::Client::new().request(Method::GET, sandbox.api.url("calls/watch?after=0"));
    let response = request.header("x-api-key", sandbox.api.key()).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    while !(text.contains(r#""type":"ended""#) && text.ends_with("\n\n")) {
        text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    let mut seen = Vec::new();
    for event in text.split("\n\n").filter(|event| event.contains("data: ")) {
        let id = event.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let Ok(data) = serde_json::from_str::<Value>(data) else { continue };
        assert_eq!(data["seq"].to_string(), id);
        assert!(data["at"].is_string() && data["queue_id"] == queue_id, "{data}");
        seen.push((data["type"].as_str().unwrap().to_owned(), data));
    }
    assert_eq!((seen[0].0.as_str(), &seen[0].1["count"]), ("batch-inserted", &json!(1)));
    let (_, ended) = seen.iter().find(|(kind, _)| kind == "ended").unwrap();
    for (name, value) in [
        ("attempt", json!(1)),
        ("status", json!("completed")),
        ("outcome", json!("answered")),
        ("hangup_cause", json!(16)),
    ] {
        assert_eq!(ended[name], value, "{ended}");
    }
    assert!(ended["call_id"].is_string());
}

#[tokio::test]
async fn a_quick_calls_own_queue_takes_no_other_calls() {
    let sandbox = Sandbox::start();
    let quick = json!({
        "asterisk_server_code": "server1", "customer_name": "Ada", "number1": "4900", "number2": "4900",
        "action": {"Action": "Originate", "Application": "Dial"},
    });
    let queue_id = id(sandbox.post("queues/insertquickcall", quick).await.data());
    let reply = sandbox.insert(json!({"queue_id": queue_id, "batch_id": 1, "data": [dials("4900")]})).await;
    reply.error(409, "FAILED_PRECONDITION");
    assert_eq!(sandbox.api.queue(queue_id).await["total_calls"], 1);
}

#[tokio::test]
async fn a_null_beside_the_paths_queue_id_is_as_good_as_absent() {
    let sandbox = Sandbox::start();
    let queue_id = sandbox.api.insert(1, vec![dials("4906")]).await;
    let queue = sandbox.update(queue_id, json!({"queue_id": null, "queue_status": "paused"})).await;
    assert_eq!((&queue["queue_id"], &queue["queue_status"]), (&json!(queue_id), &json!("paused")));
    let given = json!({"queue_id": queue_id, "queue_status": "in-progress"});
    sandbox.put(&format!("queues/updatequeuemaster/{queue_id}"), given).await.error(400, "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_batch_is_replayed_also_when_its_client_may_not_dial_it_any_more() {
    let sandbox = Sandbox::start();
    let admin = Api::admin(&sandbox.server);
    let client = sandbox.other_client("restricted", json!({})).await;
    let batch = json!({"batch_id": 1, "data": [dials("4900")]});
    let first = client.post("queues/insertdataincallqueue", batch.clone()).await.data();
    let client_id = client.get("clients/test-connection").await.data()["client_id"].clone();
    admin.delete(&format!("admin/clients/{client_id}/grants/server1")).await.data();
    assert_eq!(client.post("queues/insertdataincallqueue", batch).await.data(), first);
    let new = json!({"batch_id": 2, "data": [dials("4900")]});
    assert_eq!(client.post("queues/insertdataincallqueue", new).await.status, 400);
}
