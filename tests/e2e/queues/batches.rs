//! Tests "The same `batch_id` with the same content is a replay" for repeated and simultaneous requests.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{ANSWERS, INSERT, batch, get, item, on_postgres, sandbox};
use crate::support::api::Api;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

/// How many requests are sent at once.
const ASKERS: usize = 64;

const QUICK: &str = "queues/insertquickcall";

struct Answer {
    status: u16,
    replayed: bool,
    body: Value,
}

/// Sends a request over its own connection.
async fn ask(client: &Api, path: &str, key: Option<&str>, body: &Value) -> Answer {
    let mut request = reqwest::Client::new().post(client.url(path)).header("X-API-KEY", client.key()).json(body);
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let response = request.send().await.expect("an answer");
    let replayed = response.headers().get("Idempotent-Replayed").is_some_and(|value| value == "true");
    Answer { status: response.status().as_u16(), replayed, body: response.json().await.expect("a JSON body") }
}

/// Asserts that simultaneous requests get the same answer and that one of them is not a replay. Returns the data.
async fn ask_all_at_once(client: &Api, path: &str, key: Option<&str>, body: &Value) -> Value {
    let answers = join_all((0..ASKERS).map(|_| ask(client, path, key, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{}", answers[0].body);
    assert_eq!(answers.iter().filter(|answer| answer.replayed).count(), ASKERS - 1);
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    answers[0].body["data"].clone()
}

async fn identical_batches_at_the_same_moment_are_one(client: &Api) {
    let body = batch(1, None, vec![item(ANSWERS); 50]);
    let data = ask_all_at_once(client, INSERT, None, &body).await;
    assert_eq!((&data["inserted_count"], &data["batch_id"]), (&json!(50), &json!(1)));
    let queue = get(client, data["queue_id"].as_i64().expect("an id")).await;
    assert_eq!((&queue["total_calls"], &queue["batches"]), (&json!(50), &json!([1])));
    assert_eq!(client.get("queues/getmasterqueues").await.data()["count"], 1, "a queue was left over");
}

#[tokio::test]
async fn identical_batches_at_the_same_moment_are_one_on_sqlite() {
    let (_server, client) = sandbox("20");
    identical_batches_at_the_same_moment_are_one(&client).await;
}

#[tokio::test]
async fn identical_batches_at_the_same_moment_are_one_on_postgresql() {
    let Some(mut postgres) = Postgres::start() else { return };
    let server = on_postgres(&postgres.create_database()).start();
    identical_batches_at_the_same_moment_are_one(&Api::sandbox(&server)).await;
}

#[tokio::test]
async fn a_batch_that_created_its_queue_is_replayed_also_after_a_restart() {
    let (mut server, client) = sandbox("20");
    let mut body = batch(7, None, vec![item(ANSWERS)]);
    body["data"][0]["deadline"] = json!("2024-12-31T23:59:59Z");
    let first = ask(&client, INSERT, None, &body).await;
    assert!(!first.replayed);
    assert!(first.body["data"]["warnings"][0].as_str().is_some_and(|text| text.starts_with("data[0].deadline:")));
    server.restart();
    let client = Api::sandbox(&server);
    let again = ask(&client, INSERT, None, &body).await;
    assert!(again.replayed);
    assert_eq!(again.body, first.body, "the answers differ, warnings included");
    assert_eq!(client.get("queues/getmasterqueues").await.data()["count"], 1);
}

#[tokio::test]
async fn a_batch_is_compared_after_parsing() {
    let (server, client) = sandbox("20");
    let text = |body: &str| post_text(&server, client.key().to_owned(), body.to_owned());
    let one = r#"{"batch_id": 5, "data": [{"asterisk_server_code": "server1", "retry": 0, "action":
        {"Action": "Originate", "Channel": "PJSIP/1234567890@endpoint1", "Application": "Wait", "Data": "1"}}]}"#;
    let same = r#"{"data":[{"action":{"Data":"1","Application":"Wait","Action":"Originate",
        "Channel":"PJSIP/1234567890@endpoint1"},"asterisk_server_code":"server1"}],"queue_id":null,"batch_id":"5",}"#;
    assert_eq!(text(one).await, (200, false));
    assert_eq!(text(same).await, (200, true), "order, spelling, defaults or null made a difference");
}

async fn post_text(server: &Server, key: String, body: String) -> (u16, bool) {
    let request = reqwest::Client::new().post(server.url("/calling/api/v1/queues/insertdataincallqueue"));
    let request = request.header("X-API-KEY", key).header("Content-Type", "application/json").body(body);
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.headers().contains_key("Idempotent-Replayed"))
}

#[tokio::test]
async fn a_batch_with_other_content_is_409_and_names_the_queue_that_holds_it() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(ANSWERS)]).await;
    for other in [batch(1, None, vec![item(ANSWERS); 2]), batch(1, Some(queue), vec![item(ANSWERS)])] {
        let answer = ask(&client, INSERT, None, &other).await;
        assert_eq!((answer.status, &answer.body["code"]), (409, &json!("ALREADY_EXISTS")), "{}", answer.body);
        let message = answer.body["message"].as_str().expect("a message");
        assert!(message.contains(&format!("queue {queue}")), "{message}");
    }
    assert_eq!(get(&client, queue).await["total_calls"], 1);
}

#[tokio::test]
async fn different_batches_at_the_same_moment_are_both_stored_whole() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(ANSWERS)]).await;
    let bodies: Vec<Value> = (2..=9).map(|id| batch(id, Some(queue), vec![item(ANSWERS); 100])).collect();
    let answers = join_all(bodies.iter().map(|body| ask(&client, INSERT, None, body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && !answer.replayed));
    assert_eq!(get(&client, queue).await["total_calls"], 801);
    for id in 2..=9 {
        let path = format!("queues/getqueues?master_queue_id={queue}&batch_id={id}&page_size=1000");
        let listed = client.get(&path).await.data();
        let ids = listed["results"].as_array().expect("a list").iter().map(|call| call["batch_id"].as_i64());
        assert_eq!(listed["count"], 100);
        assert_eq!(ids.filter(|found| *found == Some(id)).count(), 100, "the batch is not stored together");
    }
}

fn quick(number: &str) -> Value {
    json!({
        "asterisk_server_code": "server1", "customer_name": "John Doe", "number1": number,
        "action": { "Action": "Originate", "Application": "Wait", "Data": "1" },
    })
}

#[tokio::test]
async fn quick_calls_of_one_idempotency_key_are_one_call() {
    let (mut server, client) = sandbox("20");
    let body = quick("1234567890");
    let data = ask_all_at_once(&client, QUICK, Some("once"), &body).await;
    assert_eq!(client.get("queues/getmasterqueues").await.data()["count"], 1);
    let other = ask(&client, QUICK, Some("once"), &quick("1234567891")).await;
    assert_eq!((other.status, &other.body["code"]), (409, &json!("ALREADY_EXISTS")), "{}", other.body);
    let second = ask(&client, QUICK, Some("twice"), &body).await;
    assert!(!second.replayed && second.body["data"]["call_id"] != data["call_id"]);
    server.restart();
    let again = ask(&Api::sandbox(&server), QUICK, Some("once"), &body).await;
    assert!(again.replayed);
    assert_eq!(again.body["data"], data);
}
