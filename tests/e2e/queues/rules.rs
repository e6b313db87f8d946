//! Tests a queue's rules and those of its items.

use serde_json::{Value, json};

use super::{ANSWERS, BUSY, INSERT, NEVER_HANGS_UP, RINGS_LONG, get, item, sandbox, update};
use crate::support::api::Api;
use crate::support::{server::Server, wait};

fn path(queue: i64) -> String {
    format!("queues/{queue}/rules")
}

#[tokio::test]
async fn rules_are_answered_as_they_were_set_and_an_absent_one_keeps_its_value() {
    let (_server, client) = sandbox("1");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    let defaults = json!({ "priority": 5, "weight": 1, "retry_rules": [], "delivery": "at-most-once" });
    assert_eq!(client.get(&path(queue)).await.data(), defaults);
    let rules = json!({
        "priority": 9, "weight": 3, "max_live_calls": 10, "calls_per_second": 2.5,
        "retry_rules": [{ "outcome": "no-answer", "max_retries": 2, "delay": 60, "backoff": 2.0, "jitter": 0.1 }],
        "windows": {
            "time_zone": "Europe/Berlin",
            "windows": [{ "days": ["monday", "friday"], "from": "09:00", "to": "18:30" }],
        },
        "delivery": "at-least-once",
    });
    assert_eq!(client.put(&path(queue), rules.clone()).await.data(), rules);
    assert_eq!(client.get(&path(queue)).await.data(), rules);
    assert_eq!(client.put(&path(queue), json!({})).await.data(), rules);
    let mut other = rules.clone();
    other["priority"] = json!(3);
    assert_eq!(client.put(&path(queue), json!({ "priority": 3 })).await.data(), other, "a partial PUT erases nothing");
    let object = other.as_object_mut().expect("an object");
    object.remove("windows");
    object.remove("calls_per_second");
    object.insert("weight".into(), json!(2));
    let reset = json!({ "windows": null, "calls_per_second": null, "weight": 2 });
    assert_eq!(client.put(&path(queue), reset).await.data(), other, "null resets");
    let all = ["priority", "weight", "max_live_calls", "retry_rules", "delivery"];
    let masked = client.patch(&path(queue), json!({ "update_mask": all })).await.data();
    assert_eq!(masked, defaults, "a field that the mask names and the body omits gets its default");
}

#[tokio::test]
async fn rules_are_changed_by_mask_and_nothing_else_is_touched() {
    let (_server, client) = sandbox("1");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    client.put(&path(queue), json!({ "weight": 3, "max_live_calls": 7 })).await.data();
    let changed = client.patch(&path(queue), json!({ "weight": 5, "max_live_calls": null })).await.data();
    assert_eq!((&changed["weight"], changed.get("max_live_calls")), (&json!(5), None));
    let named = client.patch(&path(queue), json!({ "update_mask": ["priority"], "priority": 9, "weight": 8 })).await;
    let named = named.data();
    assert_eq!((&named["priority"], &named["weight"]), (&json!(9), &json!(5)));
    for (body, field) in [
        (json!({}), ""),
        (json!({ "update_mask": ["name"] }), "update_mask[0]"),
        (json!({ "update_mask": [] }), "update_mask"),
        (json!({ "weight": 0 }), "weight"),
    ] {
        let answer = client.patch(&path(queue), body).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    assert_eq!(client.get(&path(queue)).await.data(), named);
}

#[tokio::test]
async fn every_broken_rule_is_told_at_its_path_and_nothing_is_set() {
    let (_server, client) = sandbox("1");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    let bad = json!({
        "priority": 10,
        "retry_rules": [{ "outcome": "answered" }, { "delay": 604_801 }],
        "windows": { "time_zone": "Mars", "windows": [{ "from": "18:00", "to": "09:00" }] },
    });
    let answer = client.put(&path(queue), bad).await;
    assert_eq!(answer.status, 400);
    let fields: Vec<&str> = answer.body["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| error["field"].as_str().expect("a path"))
        .collect();
    let expected = [
        "priority",
        "retry_rules[0].outcome",
        "retry_rules[1].delay",
        "retry_rules[1].outcome",
        "windows.time_zone",
        "windows.windows[0].to",
    ];
    assert_eq!(fields, expected);
    assert_eq!(client.get(&path(queue)).await.data()["priority"], 5);
}

#[tokio::test]
async fn a_queue_of_another_client_or_none_is_404_and_the_answer_does_not_tell_which() {
    let (server, client) = sandbox("1");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    let other = other_client(&server).await;
    let (own, none) = (format!("queue {queue} not found"), "queue 4711 not found".to_owned());
    for (id, message) in [(queue, own), (4711, none)] {
        for answer in [
            other.get(&format!("queues/getqueuemaster/{id}")).await,
            other.get(&path(id)).await,
            other.put(&path(id), json!({ "weight": 7 })).await,
            other.get(&format!("queues/getqueues?master_queue_id={id}")).await,
        ] {
            assert_eq!((answer.status.as_u16(), &answer.body["code"]), (404, &json!("NOT_FOUND")), "{}", answer.body);
            assert_eq!(answer.body["message"], message);
        }
    }
    assert_eq!(client.get(&path(queue)).await.data()["weight"], 1);
}

async fn other_client(server: &Server) -> Api {
    let body = json!({ "name": "other", "account_code": "other", "servers": ["server1"] });
    let created = Api::admin(server).post("admin/clients", body).await.data();
    Api::new(server, created["api_key"].as_str().expect("a key"))
}

#[tokio::test]
async fn each_failure_is_tried_again_by_its_own_rule_and_an_items_rule_goes_before_the_queues() {
    let (_server, client) = sandbox("20");
    let mut own = item(BUSY);
    own["retry_rules"] = json!([{ "outcome": "busy", "max_retries": 1, "delay": 0 }]);
    let mut never = item(BUSY);
    never["retry"] = json!(5);
    never["retry_rules"] = json!([{ "outcome": "busy", "max_retries": 0 }]);
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    let rules = json!({ "retry_rules": [{ "outcome": "busy", "max_retries": 3, "delay": 0 }] });
    client.put(&path(queue), rules).await.data();
    let items = json!({ "batch_id": 2, "queue_id": queue, "data": [item(BUSY), own, never] });
    client.post(INSERT, items).await.data();
    wait::until_async("all three have failed", async || {
        (get(&client, queue).await["counts"]["failed"] == 3).then_some(())
    })
    .await;
    let attempts: Vec<Value> = client.calls(queue).await.iter().map(|call| call["attempts"].clone()).collect();
    assert_eq!(attempts, [1, 4, 2, 1]);
}

#[tokio::test]
async fn what_is_wrong_with_an_items_zone_or_rules_is_told_at_its_path() {
    let (_server, client) = sandbox("1");
    let mut bad = item(ANSWERS);
    bad["time_zone"] = json!("Europe/Berlln");
    let busy = json!({ "outcome": "busy" });
    bad["retry_rules"] = json!([busy, { "outcome": "busy", "jitter": 1.5 }, { "outcome": "unknown" }]);
    let answer = client.post(INSERT, json!({ "batch_id": 1, "data": [item(ANSWERS), bad] })).await;
    assert_eq!(answer.status, 400);
    let fields: Vec<&Value> =
        answer.body["errors"].as_array().expect("a list").iter().map(|error| &error["field"]).collect();
    let expected = [
        "data[1].time_zone",
        "data[1].retry_rules[1].jitter",
        "data[1].retry_rules[1].outcome",
        "data[1].retry_rules[2].outcome",
    ];
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn a_calls_time_zone_is_shown() {
    let (_server, client) = sandbox("1");
    let mut call = item(NEVER_HANGS_UP);
    call["time_zone"] = json!("Asia/Kolkata");
    let queue = client.insert(1, vec![call]).await;
    let listed = client.calls(queue).await.remove(0);
    let call = client.get(&format!("calls/{}", listed["call_id"].as_str().expect("an id"))).await.data();
    assert_eq!((&listed["time_zone"], &call["time_zone"]), (&json!("Asia/Kolkata"), &json!("Asia/Kolkata")));
}

/// The server is killed together with its sandbox while a phone rings, so that no one can tell how the call ended.
#[tokio::test]
async fn a_call_in_doubt_is_dialed_again_only_where_its_queue_says_at_least_once() {
    let (mut server, client) = sandbox("1");
    let once = client.insert(1, vec![item(RINGS_LONG)]).await;
    let surely = client.insert(2, vec![item(RINGS_LONG)]).await;
    client.put(&path(surely), json!({ "delivery": "at-least-once" })).await.data();
    update(&client, surely, json!({ "retry_gap": 0 })).await;
    for queue in [once, surely] {
        wait::until_async("the phone rings", async || {
            (get(&client, queue).await["counts"]["ringing"] == 1).then_some(())
        })
        .await;
    }
    server.restart();
    let client = Api::sandbox(&server);
    wait::until_async("the phone rings again", async || {
        let call = client.calls(surely).await.remove(0);
        (call["attempts"] == 2 && call["status"] == "ringing").then_some(())
    })
    .await;
    let call = wait::until_async("the other call has ended", async || {
        Some(client.calls(once).await.remove(0)).filter(|call| call["status"] == "unknown")
    })
    .await;
    assert_eq!((&call["attempts"], &call["outcome"]), (&json!(1), &json!("unknown")));
}
