//! Tests `queue_status` and the effect of `updatequeuemaster` on calls.

use serde_json::{Value, json};

use super::{
    ANSWERS, BUSY, INSERT, NEVER_HANGS_UP, UNALLOCATED, batch, get, item, let_the_lane_go_round, sandbox, update,
};
use crate::support::api::Api;
use crate::support::wait;

async fn calls(client: &Api, queue: i64) -> Vec<(String, i64)> {
    let text = |call: &Value| call["status"].as_str().expect("a status").to_owned();
    client.calls(queue).await.iter().map(|call| (text(call), call["attempts"].as_i64().expect("a count"))).collect()
}

async fn wait_for(client: &Api, queue: i64, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait::until_async(what, async || Some(get(client, queue).await).filter(|queue| is(queue))).await
}

#[tokio::test]
async fn a_queue_is_in_progress_at_creation() {
    let (_server, client) = sandbox("1");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    let queue = get(&client, queue).await;
    assert_eq!((&queue["queue_status"], &queue["kind"]), (&json!("in-progress"), &json!("bulk")));
    assert_eq!(queue["retry_gap"], 300);
}

#[tokio::test]
async fn a_paused_queue_dials_nothing_new_and_leaves_live_calls_alone() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    wait_for(&client, queue, "the call is answered", |queue| queue["counts"]["answered"] == 1).await;
    assert_eq!(update(&client, queue, json!({ "queue_status": "paused" })).await["queue_status"], "paused");
    client.post(INSERT, batch(2, Some(queue), vec![item(ANSWERS); 5])).await.data();
    let_the_lane_go_round(&client, 3).await;
    let counts = get(&client, queue).await["counts"].clone();
    assert_eq!((&counts["answered"], &counts["queued"]), (&json!(1), &json!(5)), "{counts}");
    update(&client, queue, json!({ "queue_status": "in-progress" })).await;
    wait_for(&client, queue, "the rest is dialed", |queue| queue["counts"]["completed"] == 5).await;
}

#[tokio::test]
async fn completed_by_the_client_stops_dialing_and_keeps_what_is_left_which_in_progress_resumes() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    wait_for(&client, queue, "the call is answered", |queue| queue["counts"]["answered"] == 1).await;
    update(&client, queue, json!({ "queue_status": "paused" })).await;
    client.post(INSERT, batch(2, Some(queue), vec![item(ANSWERS); 5])).await.data();
    let completed = update(&client, queue, json!({ "queue_status": "completed" })).await;
    assert_eq!((&completed["queue_status"], &completed["counts"]["queued"]), (&json!("completed"), &json!(5)));
    let_the_lane_go_round(&client, 3).await;
    assert_eq!(get(&client, queue).await["counts"]["queued"], 5, "a call of the paused queue was dialed");

    let answer = client.post(INSERT, batch(4, Some(queue), vec![item(ANSWERS)])).await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (409, &json!("FAILED_PRECONDITION")), "{}", answer.body);

    update(&client, queue, json!({ "queue_status": "in-progress" })).await;
    wait_for(&client, queue, "the rest is dialed", |queue| queue["counts"]["completed"] == 5).await;
    client.post(INSERT, batch(4, Some(queue), vec![item(ANSWERS)])).await.data();
}

#[tokio::test]
async fn a_queue_whose_calls_have_all_ended_completes_by_itself_and_goes_back_when_a_batch_is_added() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(ANSWERS); 2]).await;
    client.wait_until_completed(queue).await;
    client.post(INSERT, batch(2, Some(queue), vec![item(NEVER_HANGS_UP)])).await.data();
    let reopened = get(&client, queue).await;
    assert_eq!((&reopened["queue_status"], &reopened["batches"]), (&json!("in-progress"), &json!([1, 2])));
    wait_for(&client, queue, "the new call is answered", |queue| queue["counts"]["answered"] == 1).await;
}

#[tokio::test]
async fn updatequeuemaster_takes_any_subset_of_its_four_fields_and_at_least_one() {
    let (_server, client) = sandbox("1");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    assert_eq!(update(&client, queue, json!({ "retry_gap": 7 })).await["retry_gap"], 7);
    let changed = update(&client, queue, json!({ "retry": true, "retry_count": 3 })).await;
    assert_eq!((&changed["retry"], &changed["retry_count"]), (&json!(true), &json!(3)));
    assert_eq!((&changed["retry_gap"], &changed["queue_status"]), (&json!(7), &json!("in-progress")));
    let path = format!("queues/updatequeuemaster/{queue}");
    for (body, field) in [
        (json!({}), "queue_status"),
        (json!({ "queue_status": null, "retry": null }), "queue_status"),
        (json!({ "queue_status": "stopped" }), "queue_status"),
        (json!({ "retry_count": 101 }), "retry_count"),
        (json!({ "retry_gap": -1 }), "retry_gap"),
    ] {
        let answer = client.put(&path, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    let foreign = client.put("queues/updatequeuemaster/4711", json!({ "retry": true })).await;
    assert_eq!(foreign.status, 404);
}

#[tokio::test]
async fn retry_true_gives_calls_that_already_failed_in_a_retryable_way_further_tries_and_no_others() {
    let (_server, client) = sandbox("20");
    let mut patient = item(BUSY);
    patient["retry"] = json!(1);
    let queue = client.insert(1, vec![item(BUSY), item(UNALLOCATED), item(ANSWERS), patient]).await;
    // The call with the default gap waits 300 s for its second try; the others have ended.
    wait_for(&client, queue, "three have ended", |queue| {
        queue["counts"]["failed"] == 2 && queue["counts"]["completed"] == 1 && queue["counts"]["retrying"] == 1
    })
    .await;
    update(&client, queue, json!({ "retry": false })).await;
    let queue_now = get(&client, queue).await;
    assert_eq!(queue_now["queue_status"], "completed", "retry: false did not stop all retries in the queue");
    assert_eq!(queue_now["counts"]["failed"], 3);

    update(&client, queue, json!({ "retry": true, "retry_count": 2, "retry_gap": 0 })).await;
    client.wait_until_completed(queue).await;
    let ended = |status: &str, attempts| (status.to_owned(), attempts);
    let expected = [ended("failed", 3), ended("failed", 1), ended("completed", 1), ended("failed", 3)];
    assert_eq!(calls(&client, queue).await, expected);

    // The larger of the queue's and the item's count is the number of further tries in all.
    update(&client, queue, json!({ "retry": true, "retry_count": 3 })).await;
    client.wait_until_completed(queue).await;
    assert_eq!(calls(&client, queue).await[0], ended("failed", 4));
}

#[tokio::test]
async fn tries_are_retry_gap_seconds_apart_by_default_300() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(BUSY)]).await;
    client.wait_until_completed(queue).await;
    let ended_at = time(&client.calls(queue).await[0]["ended_at"]);
    let reopened = update(&client, queue, json!({ "retry": true, "retry_count": 1 })).await;
    assert_eq!((&reopened["queue_status"], &reopened["counts"]["retrying"]), (&json!("in-progress"), &json!(1)));
    let call = client.calls(queue).await.remove(0);
    assert_eq!((&call["status"], &call["outcome"]), (&json!("retrying"), &json!("busy")));
    assert_eq!(time(&call["due_at"]).duration_since(ended_at).as_secs(), 300);
}

fn time(value: &Value) -> jiff::Timestamp {
    value.as_str().expect("a time").parse().expect("RFC 3339")
}

#[tokio::test]
async fn what_was_never_set_is_shown_as_what_holds() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    let shown = get(&client, queue).await;
    assert_eq!((&shown["retry"], &shown["retry_count"], &shown["retry_gap"]), (&json!(true), &json!(0), &json!(300)));
}

#[tokio::test]
async fn a_queue_that_is_paused_after_its_last_call_holds_back_what_is_added() {
    let (_server, client) = sandbox("20");
    let queue = client.insert(1, vec![item(BUSY)]).await;
    client.wait_until_completed(queue).await;
    let paused = update(&client, queue, json!({ "queue_status": "paused" })).await;
    assert_eq!(paused["queue_status"], "paused");
    client.post(INSERT, batch(2, Some(queue), vec![item(BUSY)])).await.data();
    let shown = get(&client, queue).await;
    assert_eq!((&shown["queue_status"], &shown["counts"]["queued"]), (&json!("paused"), &json!(1)));
    update(&client, queue, json!({ "queue_status": "in-progress" })).await;
    client.wait_until_completed(queue).await;
}
