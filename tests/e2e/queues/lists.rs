//! Tests the lists and their filters.

use serde_json::{Value, json};

use super::{ANSWERS, BUSY, INSERT, NEVER_HANGS_UP, batch, get, item, sandbox, update};
use crate::support::api::Api;
use crate::support::wait;

async fn listed(client: &Api, path: &str, field: &str) -> (Vec<Value>, i64) {
    let data = client.get(path).await.data();
    let results = data["results"].as_array().expect("a list").iter().map(|one| one[field].clone()).collect();
    (results, data["count"].as_i64().expect("a count"))
}

#[tokio::test]
async fn queues_come_newest_first_and_are_filtered_by_kind_and_status() {
    let (_server, client) = sandbox("20");
    let first = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    let second = client.insert(2, vec![item(ANSWERS)]).await;
    let quick = json!({
        "asterisk_server_code": "server1", "customer_name": "x", "number1": "1234567890",
        "action": { "Action": "Originate", "Application": "Wait", "Data": "1" },
    });
    let third = client.post("queues/insertquickcall", quick).await.data()["queue_id"].as_i64().expect("an id");
    client.wait_until_completed(second).await;
    client.wait_until_completed(third).await;
    update(&client, first, json!({ "queue_status": "paused" })).await;
    for (query, ids, count) in [
        ("", vec![third, second, first], 3),
        ("page_size=2", vec![third, second], 3),
        ("page=2&page_size=2", vec![first], 3),
        ("page=3&page_size=2", vec![], 3),
        ("kind=quick", vec![third], 1),
        ("kind=bulk", vec![second, first], 2),
        ("queue_status=paused", vec![first], 1),
        ("queue_status=completed&kind=bulk", vec![second], 1),
        ("queue_status=in-progress", vec![], 0),
    ] {
        let (found, all) = listed(&client, &format!("queues/getmasterqueues?{query}"), "queue_id").await;
        assert_eq!((found, all), (ids.into_iter().map(Value::from).collect(), count), "{query}");
    }
}

#[tokio::test]
async fn calls_come_in_the_order_inserted_and_are_filtered_by_status_batch_outcome_and_number() {
    let (_server, client) = sandbox("20");
    let numbered = |channel, number: i64| {
        let mut item = item(channel);
        item["contact_number"] = json!(number);
        item
    };
    let items = vec![numbered(ANSWERS, 1), numbered(BUSY, 2), numbered(NEVER_HANGS_UP, 3)];
    let queue = client.insert(1, items).await;
    client.post(INSERT, batch(2, Some(queue), vec![numbered(BUSY, 4), numbered(ANSWERS, 2)])).await.data();
    wait::until_async("one call is live and all others have ended", async || {
        let counts = get(&client, queue).await["counts"].clone();
        (counts["completed"] == 2 && counts["failed"] == 2 && counts["answered"] == 1).then_some(())
    })
    .await;
    for (query, numbers, count) in [
        ("", vec![1, 2, 3, 4, 2], 5),
        ("page_size=2&page=2", vec![3, 4], 5),
        ("status=completed", vec![1, 2], 2),
        ("status=failed&page_size=1&page=2", vec![4], 2),
        ("status=answered", vec![3], 1),
        ("status=queued", vec![], 0),
        ("batch_id=2", vec![4, 2], 2),
        ("batch_id=2&page_size=1&page=2", vec![2], 2),
        ("outcome=busy", vec![2, 4], 2),
        ("contact_number=2", vec![2, 2], 2),
        ("contact_number=2&outcome=answered", vec![2], 1),
        ("batch_id=1&status=failed", vec![2], 1),
        ("batch_id=3", vec![], 0),
    ] {
        let path = format!("queues/getqueues?master_queue_id={queue}&{query}");
        let (found, all) = listed(&client, &path, "contact_number").await;
        assert_eq!((found, all), (numbers.into_iter().map(Value::from).collect(), count), "{query}");
    }
}

#[tokio::test]
async fn a_page_token_leads_to_the_next_page_and_what_is_added_meanwhile_shifts_nothing() {
    let (_server, client) = sandbox("1");
    let mut queues = Vec::new();
    for batch in 1..=5 {
        queues.push(client.insert(batch, vec![item(NEVER_HANGS_UP); 3]).await);
    }
    let queue = queues[4];
    queues.reverse();
    let calls: Vec<Value> = client.calls(queue).await.iter().map(|call| call["call_id"].clone()).collect();
    for (path, field, expected) in [
        ("queues/getmasterqueues?kind=bulk&page_size=2".to_owned(), "queue_id", json!(queues)),
        ("queues/getmasterqueues?page_size=2".to_owned(), "queue_id", json!(queues)),
        (format!("queues/getqueues?master_queue_id={queue}&page_size=2"), "call_id", json!(calls)),
        (format!("queues/getqueues?master_queue_id={queue}&page_size=1&batch_id=5"), "call_id", json!(calls)),
    ] {
        let (mut found, mut token): (Vec<Value>, Option<String>) = (Vec::new(), None);
        loop {
            let query = token.as_ref().map_or(String::new(), |token| format!("&page_token={token}"));
            let page = client.get(&format!("{path}{query}")).await.data();
            assert_eq!(page["page"], i32::from(token.is_none()), "{path}");
            let results = page["results"].as_array().expect("a list");
            found.extend(results.iter().map(|one| one[field].clone()));
            assert_eq!(page["count"], json!(expected.as_array().expect("a list").len()));
            token = page["next_page_token"].as_str().map(str::to_owned);
            if token.is_none() {
                break;
            }
            assert!(!results.is_empty(), "a page before the last one has results");
        }
        assert_eq!(json!(found), expected, "{path}");
    }
    let first = client.get("queues/getmasterqueues?page_size=2").await.data();
    let token = first["next_page_token"].as_str().expect("a token").to_owned();
    client.insert(6, vec![item(NEVER_HANGS_UP)]).await;
    let second = client.get(&format!("queues/getmasterqueues?page_size=2&page_token={token}")).await.data();
    assert_eq!(second["results"][0]["queue_id"], queues[2]);
    for query in [format!("page_token={token}&kind=bulk"), format!("page_token={token}&page=2"), "page_token=x".into()]
    {
        let answer = client.get(&format!("queues/getmasterqueues?{query}")).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], "page_token", "{query}");
    }
}

#[tokio::test]
async fn a_filter_that_nothing_can_pass_and_a_page_that_cannot_be_are_400() {
    let (_server, client) = sandbox("1");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    for (path, field) in [
        ("queues/getmasterqueues?page=0".to_owned(), "page"),
        ("queues/getmasterqueues?page_size=1001".to_owned(), "page_size"),
        ("queues/getmasterqueues?kind=slow".to_owned(), "kind"),
        ("queues/getmasterqueues?queue_status=stopped".to_owned(), "queue_status"),
        ("queues/getqueues".to_owned(), "master_queue_id"),
        (format!("queues/getqueues?master_queue_id={queue}&status=gone"), "status"),
        (format!("queues/getqueues?master_queue_id={queue}&outcome=gone"), "outcome"),
    ] {
        let answer = client.get(&path).await;
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.body["errors"][0]["field"], field, "{path}: {}", answer.body);
    }
}
