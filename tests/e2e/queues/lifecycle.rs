//! Tests that queues are created, named, paused from their beginning, canceled and deleted.

use serde_json::{Value, json};
use trunkline::pb::queue_service_client::QueueServiceClient;
use trunkline::pb::{CreateQueueRequest, QueueRules};

use super::{ANSWERS, INSERT, NEVER_HANGS_UP, batch, get, item, let_the_lane_go_round, on_postgres, sandbox, update};
use crate::support::api::Api;
use crate::support::postgres::Postgres;
use crate::support::server::Server;
use crate::support::wait;

const QUEUES: &str = "queues";

fn in_seconds(seconds: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)).to_string()
}

async fn explained(client: &Api, queue: i64) -> Value {
    client.get(&format!("queues/{queue}/explain")).await.data()
}

async fn reasons(client: &Api, queue: i64) -> Vec<(String, i64)> {
    let data = explained(client, queue).await;
    let reasons = data["reasons"].as_array().expect("a list").iter();
    reasons.map(|one| (one["reason"].as_str().unwrap().to_owned(), one["calls"].as_i64().unwrap())).collect()
}

fn broken(answer: &crate::support::api::Answer) -> Vec<&str> {
    assert_eq!(answer.status, 400, "{}", answer.body);
    answer.body["errors"].as_array().expect("a list").iter().map(|one| one["field"].as_str().unwrap()).collect()
}

async fn a_night_import_dials_nothing_until_its_queue_is_resumed(server: Server) {
    let client = Api::sandbox(&server);
    let rules = json!({ "priority": 7, "max_live_calls": 2 });
    let labels = json!({ "team": "night" });
    let night = json!({ "name": "Night", "paused": true, "rules": rules, "labels": labels });
    let made = client.post(QUEUES, night).await.data();
    let queue = made["queue_id"].as_i64().expect("an id");
    assert_eq!((&made["name"], &made["queue_status"]), (&json!("Night"), &json!("paused")));
    assert_eq!(made["labels"], labels);
    let labelled = client.get("queues/getmasterqueues?label=team:night").await.data();
    assert_eq!((&labelled["count"], &labelled["results"][0]["queue_id"]), (&json!(1), &json!(queue)));
    assert_eq!(client.get(&format!("queues/{queue}/rules")).await.data()["priority"], 7);

    // All calls of the first batch end at once, which must not end the pause.
    let mut late = item(ANSWERS);
    late["deadline"] = json!("2020-01-01T00:00:00Z");
    client.post(INSERT, batch(1, Some(queue), vec![late])).await.data();
    assert_eq!(get(&client, queue).await["queue_status"], "paused");
    client.post(INSERT, batch(2, Some(queue), vec![item(ANSWERS); 5])).await.data();
    let mut of_batch = batch(3, None, vec![item(ANSWERS); 5]);
    of_batch["paused"] = json!(true);
    of_batch["name"] = json!("Of a batch");
    of_batch["rules"] = json!({ "weight": 4 });
    let other = client.post(INSERT, of_batch.clone()).await.data()["queue_id"].as_i64().expect("an id");
    let again = client.post(INSERT, of_batch).await;
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.data()["queue_id"], other);

    let_the_lane_go_round(&client, 4).await;
    for queue in [queue, other] {
        assert_eq!(get(&client, queue).await["counts"]["queued"], 5);
        assert_eq!(reasons(&client, queue).await, [("queue-paused".to_owned(), 5)]);
    }
    let shown = get(&client, other).await;
    assert_eq!((&shown["name"], &shown["queue_status"]), (&json!("Of a batch"), &json!("paused")));
    assert_eq!(client.get(&format!("queues/{other}/rules")).await.data()["weight"], 4);

    for queue in [queue, other] {
        update(&client, queue, json!({ "queue_status": "in-progress" })).await;
        assert_eq!(client.wait_until_completed(queue).await["counts"]["completed"], 5);
    }
}

#[tokio::test]
async fn a_night_import_dials_nothing_until_its_queue_is_resumed_on_sqlite() {
    a_night_import_dials_nothing_until_its_queue_is_resumed(sandbox("20").0).await;
}

#[tokio::test]
async fn a_night_import_dials_nothing_until_its_queue_is_resumed_on_postgresql() {
    let Some(mut postgres) = Postgres::start() else { return };
    let server = on_postgres(&postgres.create_database()).arg("--sandbox-speed").arg("20").start();
    a_night_import_dials_nothing_until_its_queue_is_resumed(server).await;
}

#[tokio::test]
async fn what_is_said_of_a_new_queue_is_refused_for_an_existing_one_and_checked_at_its_path() {
    let (server, client) = sandbox("1");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    let mut into = batch(2, Some(queue), vec![item(ANSWERS)]);
    into["paused"] = json!(true);
    into["name"] = json!("x");
    into["rules"] =
        json!({ "priority": 10, "windows": { "time_zone": "Mars", "windows": [{ "from": "9", "to": "10:00" }] } });
    let answer = client.post(INSERT, into).await;
    let expected = ["rules.priority", "rules.windows.time_zone", "rules.windows.windows[0].from"];
    assert!(expected.iter().all(|field| broken(&answer).contains(field)), "{}", answer.body);
    let mut into = batch(2, Some(queue), vec![item(ANSWERS)]);
    into["paused"] = json!(true);
    assert_eq!(broken(&client.post(INSERT, into).await), ["paused"]);

    let past = json!({ "end_at": "2020-01-01T00:00:00Z", "name": "", "labels": { "Team": "x" } });
    assert_eq!(broken(&client.post(QUEUES, past).await), ["name", "end_at", "labels.Team"]);
    let twisted = json!({ "start_at": in_seconds(200), "end_at": in_seconds(100) });
    assert_eq!(broken(&client.post(QUEUES, twisted).await), ["end_at"]);
    assert_eq!(client.get("queues/getmasterqueues").await.data()["count"], 1, "nothing was stored");

    let mut grpc = QueueServiceClient::connect(server.url("")).await.expect("a channel");
    let rules = QueueRules { weight: Some(0), ..Default::default() };
    let mut request = tonic::Request::new(CreateQueueRequest { rules: Some(rules), ..Default::default() });
    request.metadata_mut().insert("x-api-key", client.key().parse().expect("a key"));
    let refused = grpc.create_queue(request).await.expect_err("a weight of 0");
    assert_eq!(refused.message(), "rules.weight: must be 1 to 100");
}

#[tokio::test]
async fn a_queue_dials_between_its_start_and_its_end_and_says_what_it_waits_for() {
    let (_server, client) = sandbox("20");
    let id = |queue: &Value| queue["queue_id"].as_i64().expect("an id");
    let starts = in_seconds(3600);
    let early = id(&client.post(QUEUES, json!({ "start_at": starts })).await.data());
    client.post(INSERT, batch(1, Some(early), vec![item(ANSWERS); 2])).await.data();
    let short = client.post(QUEUES, json!({ "paused": true, "end_at": in_seconds(2) })).await.data();
    let late = id(&short);
    client.post(INSERT, batch(2, Some(late), vec![item(ANSWERS); 3])).await.data();
    wait::until_async("the end has passed", async || {
        let end: jiff::Timestamp = short["end_at"].as_str().unwrap().parse().unwrap();
        (jiff::Timestamp::now() > end).then_some(())
    })
    .await;
    update(&client, late, json!({ "queue_status": "in-progress" })).await;
    let soon = id(&client.post(QUEUES, json!({ "start_at": in_seconds(1) })).await.data());
    client.post(INSERT, batch(3, Some(soon), vec![item(ANSWERS)])).await.data();
    assert_eq!(client.wait_until_completed(soon).await["counts"]["completed"], 1);
    let_the_lane_go_round(&client, 4).await;
    assert_eq!(reasons(&client, early).await, [("queue-not-started".to_owned(), 2)]);
    assert!(explained(&client, early).await["reasons"][0]["until"].is_string());
    assert_eq!(reasons(&client, late).await, [("queue-ended".to_owned(), 3)]);
}

#[tokio::test]
async fn a_canceled_queue_dials_nothing_more_and_its_live_calls_are_hung_up_if_asked() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP); 2]).await;
    wait::until_async("both calls are answered", async || {
        (get(&client, queue).await["counts"]["answered"] == 2).then_some(())
    })
    .await;
    client
        .put(
            &format!("queues/{queue}/rules"),
            json!({ "windows": { "windows": [{ "from": "00:00", "to": "00:01" }] } }),
        )
        .await
        .data();
    let mut later = item(ANSWERS);
    later["not_before"] = json!(in_seconds(3600));
    client.post(INSERT, batch(2, Some(queue), vec![later; 20])).await.data();
    client.delete(&format!("queues/{queue}")).await.error(409, "FAILED_PRECONDITION");

    let cancel = format!("queues/{queue}/cancel");
    let done = client.post(&cancel, json!({})).await.data();
    assert_eq!(done, json!({ "queue_id": queue, "canceled_count": 20, "hanging_up_count": 0, "live_count": 2 }));
    let shown = get(&client, queue).await;
    assert_eq!((&shown["queue_status"], &shown["counts"]["canceled"]), (&json!("completed"), &json!(20)));
    client.post(INSERT, batch(3, Some(queue), vec![item(ANSWERS)])).await.error(409, "FAILED_PRECONDITION");
    let done = client.post(&cancel, json!({ "hang_up_live": true })).await.data();
    assert_eq!((&done["canceled_count"], &done["hanging_up_count"]), (&json!(0), &json!(2)));
    wait::until_async("both calls are hung up", async || {
        (get(&client, queue).await["counts"]["completed"] == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_deleted_queue_is_left_out_of_lists_takes_nothing_more_and_can_still_be_read() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(ANSWERS)]).await;
    client.wait_until_completed(queue).await;
    let kept = client.post(QUEUES, json!({})).await.data()["queue_id"].as_i64().expect("an id");
    let path = format!("queues/{queue}");
    client.delete(&path).await.data();
    client.delete(&path).await.data();
    for list in ["queues/getmasterqueues", "queues/getmasterqueues?kind=bulk"] {
        let listed = client.get(list).await.data();
        let ids: Vec<i64> =
            listed["results"].as_array().unwrap().iter().map(|queue| queue["queue_id"].as_i64().unwrap()).collect();
        assert_eq!((ids, &listed["count"]), (vec![kept], &json!(1)), "{list}");
    }
    assert!(get(&client, queue).await["deleted_at"].is_string());
    assert_eq!(client.calls(queue).await.len(), 1);
    let gone = format!("queue {queue} was deleted");
    let resumed =
        client.put(&format!("queues/updatequeuemaster/{queue}"), json!({ "queue_status": "in-progress" })).await;
    assert_eq!(resumed.error(409, "FAILED_PRECONDITION"), gone);
    assert_eq!(
        client.put(&format!("{path}/rules"), json!({ "weight": 2 })).await.error(409, "FAILED_PRECONDITION"),
        gone
    );
    assert_eq!(client.post(&format!("{path}/cancel"), json!({})).await.error(409, "FAILED_PRECONDITION"), gone);
    client.post(INSERT, batch(3, Some(queue), vec![item(ANSWERS)])).await.error(409, "FAILED_PRECONDITION");
}

#[tokio::test]
async fn a_call_is_not_dialed_before_its_own_time() {
    let (_server, client) = sandbox("20");
    let at = in_seconds(2);
    let (mut soon, mut later, mut never) = (item(ANSWERS), item(ANSWERS), item(ANSWERS));
    soon["not_before"] = json!(at);
    later["not_before"] = json!(in_seconds(3600));
    never["not_before"] = json!(in_seconds(3600));
    never["deadline"] = json!(in_seconds(1800));
    let answer = client.post(INSERT, batch(1, None, vec![never])).await;
    assert_eq!(broken(&answer), ["data[0].not_before"]);
    let queue = client.insert(2, vec![soon, later, item(ANSWERS)]).await;
    wait::until_async("two calls are completed", async || {
        (get(&client, queue).await["counts"]["completed"] == 2).then_some(())
    })
    .await;
    let calls = client.calls(queue).await;
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(time(&calls[0]["started_at"]) >= time(&json!(at)), "{}", calls[0]);
    assert_eq!(reasons(&client, queue).await, [("scheduled".to_owned(), 1)]);
    let until = explained(&client, queue).await["reasons"][0]["until"].clone();
    assert_eq!(until, calls[1]["due_at"]);
}

#[tokio::test]
async fn a_batch_that_is_only_validated_is_checked_in_full_and_stores_nothing() {
    let (server, client) = sandbox("1");
    let me = client.get("clients/test-connection").await.data()["client_id"].as_i64().expect("an id");
    let admin = Api::admin(&server);
    let listed = json!({ "numbers": [{ "number": "1234567890" }] });
    client.post("clients/do-not-call", listed).await.data();
    let limits = json!({ "limits": { "max_queued_calls": 3 } });
    admin.patch(&format!("admin/clients/{me}"), limits).await.data();
    let validated = |batch_id: i64, items: Vec<Value>| {
        let mut batch = batch(batch_id, None, items);
        batch["validate_only"] = json!(true);
        batch
    };
    let mut action = item(NEVER_HANGS_UP);
    action["action"].as_object_mut().unwrap().remove("Action");
    let data = client.post(INSERT, validated(1, vec![action.clone(), item(ANSWERS)])).await.data();
    assert_eq!((&data["queue_id"], &data["inserted_count"]), (&json!(0), &json!(2)));
    let warnings = data["warnings"].as_array().expect("warnings");
    assert!(warnings.len() == 1 && warnings[0].as_str().unwrap().contains("do-not-call"), "{warnings:?}");
    let full = client.post(INSERT, validated(2, vec![item(NEVER_HANGS_UP); 4])).await;
    full.error(429, "RESOURCE_EXHAUSTED");
    let denied = client.post(INSERT, validated(3, vec![item("IAX2/1@endpoint1")])).await;
    assert!(matches!(denied.status.as_u16(), 400 | 403), "{}", denied.body);
    assert_eq!(client.get("queues/getmasterqueues").await.data()["count"], 0);

    let real = client.post(INSERT, batch(1, None, vec![action, item(ANSWERS)])).await;
    assert!(real.headers.get("idempotent-replayed").is_none(), "a batch that was only validated is no replay");
    let queue = real.data()["queue_id"].clone();
    let replay = client.post(INSERT, validated(1, vec![item(ANSWERS)])).await;
    assert!(replay.error(409, "ALREADY_EXISTS").contains(&queue.to_string()));
}
