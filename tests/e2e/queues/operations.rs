//! Tests what is done to many calls at once, and changes of calls that wait.

use serde_json::{Value, json};
use tonic::metadata::MetadataValue;
use tonic_types::StatusExt as _;
use trunkline::pb::call_service_client::CallServiceClient;
use trunkline::pb::{CallFilter, CancelCallsRequest, CancelCallsResponse};

use super::{ANSWERS, BUSY, INSERT, NEVER_HANGS_UP, batch, get, item, on_postgres, sandbox, update};
use crate::support::api::{Answer, Api};
use crate::support::postgres::Postgres;
use crate::support::server::{Options, Server};
use crate::support::wait;

/// Returns what a stream of counts told, one response after another.
fn told(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let text = answer.body.as_str().expect("a stream");
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    data.map(|data| serde_json::from_str(data.trim()).expect("JSON")).collect()
}

/// Returns the last response of a stream of counts, which says that all calls are handled.
async fn done(client: &Api, path: &str, body: Value) -> Value {
    let told = told(&client.post(path, body).await);
    let last = told.last().expect("a response").clone();
    assert_eq!(last["done"], true, "{told:?}");
    assert_eq!(last.get("resume_token"), None, "{told:?}");
    last
}

/// Stores calls in a queue that is paused.
async fn paused(client: &Api, batch_id: i64, items: Vec<Value>) -> i64 {
    let mut paused = batch(batch_id, None, items);
    paused["paused"] = json!(true);
    client.post(INSERT, paused).await.data()["queue_id"].as_i64().expect("an id")
}

fn labelled(channel: &str, team: &str) -> Value {
    let mut item = item(channel);
    item["labels"] = json!({ "team": team });
    item
}

fn broken(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 400, "{}", answer.body);
    answer.body["errors"].as_array().expect("a list").iter().map(|one| one["field"].as_str().unwrap()).collect()
}

async fn calls_are_counted_and_then_canceled_by_a_filter(server: Server) {
    let client = Api::sandbox(&server);
    let items = [vec![labelled(ANSWERS, "a"); 600], vec![labelled(ANSWERS, "b"); 5]].concat();
    let queue = paused(&client, 1, items).await;
    let filter = json!({ "label": "team:a", "queue_id": queue });
    let dry = done(&client, "calls/cancel", json!({ "filter": filter, "dry_run": true })).await;
    assert_eq!((&dry["matched_count"], &dry["canceled_count"]), (&json!(600), &json!(0)));
    assert_eq!(get(&client, queue).await["counts"]["queued"], 605);

    let answer = client.post("calls/cancel", json!({ "filter": filter, "expected_count": 599 })).await;
    assert!(answer.error(409, "FAILED_PRECONDITION").contains("600 calls by now, and not to 599"), "{}", answer.body);
    assert_eq!(get(&client, queue).await["counts"]["queued"], 605, "nothing was changed");

    let stream = told(&client.post("calls/cancel", json!({ "filter": filter, "expected_count": 600 })).await);
    assert_eq!((&stream[0]["matched_count"], &stream[0]["canceled_count"]), (&json!(600), &json!(0)));
    let counts: Vec<i64> = stream.iter().map(|one| one["canceled_count"].as_i64().unwrap()).collect();
    assert!(counts.is_sorted() && counts.len() > 3, "one group follows another: {counts:?}");
    assert_eq!(counts.last(), Some(&600));
    assert_eq!(get(&client, queue).await["counts"]["canceled"], 600);
    update(&client, queue, json!({ "queue_status": "in-progress" })).await;
    assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 5);
}

#[tokio::test]
async fn calls_are_counted_and_then_canceled_by_a_filter_on_sqlite() {
    calls_are_counted_and_then_canceled_by_a_filter(sandbox("20").0).await;
}

#[tokio::test]
async fn calls_are_counted_and_then_canceled_by_a_filter_on_postgresql() {
    let Some(mut postgres) = Postgres::start() else { return };
    let server = on_postgres(&postgres.create_database()).arg("--sandbox-speed").arg("20").start();
    calls_are_counted_and_then_canceled_by_a_filter(server).await;
}

#[tokio::test]
async fn a_stream_of_counts_that_broke_is_continued() {
    let (server, client) = sandbox("1");
    let queue = paused(&client, 1, vec![item(ANSWERS); 900]).await;
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    let request = |resume_token: Option<String>| {
        let filter = Some(CallFilter { queue_id: Some(queue), ..CallFilter::default() });
        let request = CancelCallsRequest { filter, resume_token, expected_count: Some(900), ..Default::default() };
        let mut request = tonic::Request::new(request);
        request.metadata_mut().insert("x-api-key", MetadataValue::try_from(client.key()).expect("a key"));
        request
    };
    let mut stream = grpc.cancel_calls(request(None)).await.expect("a stream").into_inner();
    let mut last = CancelCallsResponse::default();
    while last.canceled_count == 0 {
        last = stream.message().await.expect("a response").expect("a response");
    }
    assert!(last.canceled_count < 900 && !last.done, "{last:?}");
    drop(stream);
    let canceled = async || get(&client, queue).await["counts"]["canceled"].as_i64().expect("a count");
    let mut continued = grpc.cancel_calls(request(last.resume_token.clone())).await.expect("a stream").into_inner();
    let mut first = None;
    while let Some(response) = continued.message().await.expect("a response") {
        first.get_or_insert(response.matched_count);
        last = response;
    }
    assert_eq!((first, last.done, canceled().await), (Some(None), true, 900), "{last:?}");
    let refused = grpc.cancel_calls(request(Some("x".to_owned()))).await.expect_err("it is no token");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    let no_longer = grpc.cancel_calls(request(None)).await.expect_err("there are none by now");
    assert_eq!(no_longer.code(), tonic::Code::FailedPrecondition);
    assert_eq!(no_longer.get_details_error_info().expect("a reason").reason, "COUNT_DIFFERS");
}

#[tokio::test]
async fn live_calls_are_hung_up_only_if_the_request_says_so() {
    let (_server, client) = sandbox("20");
    let mut long = item(NEVER_HANGS_UP);
    long["action"]["Data"] = json!("600");
    let queue = client.insert(1, vec![long; 2]).await;
    let answered = async || (get(&client, queue).await["counts"]["answered"] == 2).then_some(());
    wait::until_async("two calls are live", answered).await;
    let filter = json!({ "queue_id": queue });
    let done_first = done(&client, "calls/cancel", json!({ "filter": filter })).await;
    assert_eq!(done_first["matched_count"], 0, "live calls go on: {done_first}");
    let ended = done(&client, "calls/cancel", json!({ "filter": filter, "hang_up_live": true })).await;
    assert_eq!((&ended["matched_count"], &ended["hanging_up_count"]), (&json!(2), &json!(2)), "{ended}");
    assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 2);
}

#[tokio::test]
async fn what_failed_is_dialed_once_more() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, [vec![item(BUSY); 3], vec![item(ANSWERS)]].concat()).await;
    assert_eq!(client.wait_until_completed(queue).await["counts"]["failed"], 3);
    let retried = json!({ "filter": { "queue_id": queue, "outcome": "busy" }, "expected_count": 3 });
    let done_once = done(&client, "calls/retry", retried.clone()).await;
    assert_eq!((&done_once["retried_count"], &done_once["skipped_count"]), (&json!(3), &json!(0)), "{done_once}");
    let tried_again = async || {
        let calls = client.calls(queue).await;
        (calls.iter().filter(|call| call["status"] == "failed" && call["attempts"] == 2).count() == 3).then_some(())
    };
    wait::until_async("three calls have failed again", tried_again).await;
    assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 1, "what was answered is left alone");
    let call = client.get("calls?status=failed").await.data()["results"][0]["call_id"].clone();
    let shown = client.get(&format!("calls/{}", call.as_str().expect("an id"))).await.data();
    let texts: Vec<_> = shown["timeline"].as_array().unwrap().iter().map(|event| event["detail"].clone()).collect();
    assert!(texts.contains(&json!("it is dialed again on request")), "{texts:?}");

    // Canceled calls were not failures, and those of a canceled queue stay as they are.
    client.post(&format!("queues/{queue}/cancel"), json!({})).await.data();
    let skipped = done(&client, "calls/retry", json!({ "filter": { "queue_id": queue } })).await;
    assert_eq!((&skipped["retried_count"], &skipped["skipped_count"]), (&json!(0), &json!(3)), "{skipped}");
    let past = json!({ "filter": { "queue_id": queue }, "deadline": "2020-01-01T00:00:00Z" });
    assert_eq!(broken(&client.post("calls/retry", past).await), ["deadline"]);
}

#[tokio::test]
async fn waiting_calls_move_to_a_server_that_the_client_may_use() {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20").start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    let away = json!({ "code": "away", "host": "127.0.0.1", "port": 1, "username": "dialer", "secret": "secret" });
    admin.post("admin/servers", away).await.data();
    let queue = paused(&client, 1, vec![item(ANSWERS); 4]).await;
    let to_away = json!({ "filter": { "queue_id": queue }, "to_asterisk_server_code": "away" });
    assert_eq!(broken(&client.post("calls/move", to_away.clone()).await), ["to_asterisk_server_code"]);
    let as_admin = done(&admin, "calls/move", to_away.clone()).await;
    assert_eq!((&as_admin["moved_count"], &as_admin["skipped_count"]), (&json!(0), &json!(4)), "{as_admin}");
    let clients = admin.get("admin/clients").await.data();
    let id = clients["results"][0]["client_id"].as_i64().expect("an id");
    admin.put(&format!("admin/clients/{id}/grants/away"), json!({})).await.data();
    let moved = done(&client, "calls/move", to_away.clone()).await;
    assert_eq!((&moved["matched_count"], &moved["moved_count"]), (&json!(4), &json!(4)), "{moved}");
    assert!(client.calls(queue).await.iter().all(|call| call["asterisk_server_code"] == "away"));
    assert_eq!(done(&client, "calls/move", to_away).await["matched_count"], 0, "they are there");
    let back = json!({ "filter": { "asterisk_server_code": "away" }, "to_asterisk_server_code": "server1" });
    assert_eq!(done(&client, "calls/move", back).await["moved_count"], 4);
    update(&client, queue, json!({ "queue_status": "in-progress" })).await;
    assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 4);

    let audit = admin.get("admin/audit").await.data();
    let of_admin: Vec<_> =
        audit["results"].as_array().unwrap().iter().filter(|entry| entry["action"] == "MoveCalls").collect();
    assert_eq!(of_admin.len(), 1, "what the client does is not audited: {audit}");
    assert_eq!(of_admin[0]["target"], "calls");
}

#[tokio::test]
async fn a_filter_that_says_nothing_is_refused_and_a_wrong_one_at_its_path() {
    let (_server, client) = sandbox("1");
    let queue = paused(&client, 1, vec![item(ANSWERS); 2]).await;
    assert_eq!(broken(&client.post("calls/cancel", json!({})).await), ["filter"]);
    assert_eq!(broken(&client.post("calls/cancel", json!({ "filter": {} })).await), ["filter"]);
    let wrong = json!({ "filter": { "label": "x", "queue_id": 0, "status": "queued" }, "expected_count": -1 });
    assert_eq!(
        broken(&client.post("calls/cancel", wrong).await),
        ["filter.label", "filter.queue_id", "expected_count"]
    );
    client.post("calls/cancel", json!({ "filter": { "queue_id": 4711 } })).await.error(404, "NOT_FOUND");
    assert_eq!(get(&client, queue).await["counts"]["queued"], 2);
    let all = done(&client, "calls/cancel", json!({ "filter": {}, "expected_count": 2 })).await;
    assert_eq!(all["canceled_count"], 2, "{all}");
}

#[tokio::test]
async fn a_waiting_call_is_changed_and_a_live_or_ended_one_is_not() {
    let (_server, client) = sandbox("20");
    let mut one_by_one = batch(1, None, vec![item(ANSWERS); 3]);
    one_by_one["paused"] = json!(true);
    one_by_one["rules"] = json!({ "max_live_calls": 1 });
    let queue = client.post(INSERT, one_by_one).await.data()["queue_id"].as_i64().expect("an id");
    let calls = client.calls(queue).await;
    let path = |index: usize| format!("calls/{}", calls[index]["call_id"].as_str().expect("an id"));
    let (day, hour) = ("2999-01-02T00:00:00Z", "2999-01-01T00:00:00Z");
    let changed = client.patch(&path(0), json!({ "deadline": day, "not_before": hour, "retry": 3 })).await.data();
    assert_eq!((&changed["deadline"], &changed["due_at"]), (&json!(day), &json!(hour)), "{changed}");
    let back = client.patch(&path(0), json!({ "deadline": null, "not_before": null })).await.data();
    assert_eq!(back.get("deadline"), None, "{back}");
    let next = client.patch(&path(2), json!({ "dial_next": true })).await.data();
    let created = calls[0]["created_at"].as_str().expect("a time");
    assert!(next["due_at"].as_str().expect("a time") < created, "{next}");

    for (change, field) in [
        (json!({}), ""),
        (json!({ "deadline": "2020-01-01T00:00:00Z" }), "deadline"),
        (json!({ "deadline": hour, "not_before": day }), "not_before"),
        (json!({ "dial_next": true, "not_before": day }), "dial_next"),
        (json!({ "retry": 101 }), "retry"),
        (json!({ "update_mask": ["status"] }), "update_mask[0]"),
    ] {
        assert_eq!(broken(&client.patch(&path(1), change).await), [field]);
    }
    update(&client, queue, json!({ "queue_status": "in-progress" })).await;
    client.wait_until_completed(queue).await;
    let refused = client.patch(&path(1), json!({ "retry": 1 })).await;
    assert!(refused.error(409, "FAILED_PRECONDITION").contains("has ended"), "{}", refused.body);
    let order: Vec<Value> = client.calls(queue).await.iter().map(|call| call["started_at"].clone()).collect();
    assert!(order[2].as_str() < order[1].as_str(), "the third call was dialed first: {order:?}");
}
