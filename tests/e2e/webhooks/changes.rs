//! Tests changes to a webhook: another URL, other events, and a break.

use serde_json::{Value, json};

use super::{Post, Receiver, items, listed, sandbox, seqs, watched, webhook};
use crate::support::api::Api;
use crate::support::wait;

fn path(made: &Value) -> String {
    format!("admin/webhooks/{}", made["webhook_id"])
}

#[tokio::test]
async fn a_changed_webhook_posts_everything_to_its_new_url_at_once() {
    let server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (broken, old_url) = Receiver::start(503).await;
    let (receiver, url) = Receiver::start(200).await;
    let made = webhook(&admin, &old_url, json!([])).await;
    let queue = client.insert(1, items(12)).await;
    let events = watched(&client, queue).await;
    wait::until_async("some tries have failed", async || {
        (listed(&admin, &made["webhook_id"]).await["failures"].as_i64() >= Some(2)).then_some(())
    })
    .await;
    let changed = admin.patch(&path(&made), json!({ "url": url })).await.data();
    assert_eq!((&changed["url"], &changed["failures"], changed.get("last_error")), (&json!(url), &json!(0), None));
    receiver.wait_until_taken(&seqs(&events)).await;
    let tries = broken.posts().len();
    let only_ended = admin.patch(&path(&made), json!({ "events": ["ended"] })).await.data();
    assert_eq!(only_ended["events"], json!(["ended"]));
    let before = receiver.posts().len();
    let queue = client.insert(2, items(3)).await;
    let events = watched(&client, queue).await;
    let last = events.iter().rfind(|event| event["type"] == "ended").expect("an end")["seq"].clone();
    wait::until_async("the last end is posted", async || {
        receiver.posts().iter().any(|post| post.json()["seq"] == last).then_some(())
    })
    .await;
    let new: Vec<Value> = receiver.posts()[before..].iter().map(Post::json).collect();
    let of_queue = |event: &&Value| event["queue_id"] == queue;
    assert!(new.iter().filter(of_queue).all(|event| event["type"] == "ended"), "{new:?}");
    assert_eq!(broken.posts().len(), tries, "nothing more goes to the old URL");
    let all = admin.patch(&path(&made), json!({ "events": [] })).await.data();
    assert_eq!(all["events"], json!([]), "an empty list stands for all types");
}

#[tokio::test]
async fn a_disabled_webhook_loses_nothing_and_continues_when_it_is_enabled() {
    let server = sandbox().start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let (receiver, url) = Receiver::start(200).await;
    let made = webhook(&admin, &url, json!([])).await;
    let disabled = admin.patch(&path(&made), json!({ "disabled": true })).await.data();
    assert_eq!(disabled["disabled"], true);
    let queue = client.insert(1, items(9)).await;
    let events = watched(&client, queue).await;
    assert_eq!(receiver.posts().len(), 0, "nothing is posted while it is disabled");
    let replay = admin.post(&format!("{}/dead-letters/replay", path(&made)), json!({})).await;
    assert!(replay.error(409, "FAILED_PRECONDITION").contains("is disabled"));
    assert_eq!(admin.patch(&path(&made), json!({ "disabled": false })).await.data()["disabled"], false);
    receiver.wait_until_taken(&seqs(&events)).await;

    receiver.answer(410);
    let queue = client.insert(2, items(2)).await;
    wait::until_async("the receiver wants no more", async || {
        (listed(&admin, &made["webhook_id"]).await["disabled"] == true).then_some(())
    })
    .await;
    receiver.answer(200);
    let enabled = admin.patch(&path(&made), json!({ "disabled": false })).await.data();
    assert_eq!((&enabled["disabled"], enabled.get("last_error")), (&json!(false), None));
    let events = watched(&client, queue).await;
    receiver.wait_until_taken(&seqs(&events)).await;
}

#[tokio::test]
async fn a_change_that_cannot_be_is_refused_and_changes_nothing() {
    let server = sandbox().start();
    let admin = Api::admin(&server);
    let (_receiver, url) = Receiver::start(200).await;
    let made = webhook(&admin, &url, json!(["ended"])).await;
    for (body, field) in [
        (json!({ "url": "" }), "url"),
        (json!({}), ""),
        (json!({ "url": "ftp://crm.example/" }), "url"),
        (json!({ "url": "http://10.0.0.7/hook" }), "url"),
        (json!({ "events": ["snapshot"] }), "events[0]"),
        (json!({ "events": [], "update_mask": ["client_id"] }), "update_mask[0]"),
        (json!({ "update_mask": ["url"] }), "url"),
    ] {
        let answer = admin.patch(&path(&made), body.clone()).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], field, "{body}: {}", answer.body);
    }
    let shown = listed(&admin, &made["webhook_id"]).await;
    assert_eq!((&shown["url"], &shown["events"]), (&json!(url), &json!(["ended"])));
    admin.patch("admin/webhooks/999", json!({ "disabled": true })).await.error(404, "NOT_FOUND");
}
