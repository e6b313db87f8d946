//! Statistics of calls: every attempt and every call is counted once, where it belongs.

use serde_json::{Value, json};

use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;

/// Numbers that answer, that are busy, and that ring until the call is given up; see docs/sandbox.md.
const ANSWERS: &str = "PJSIP/1234567890@endpoint1";
const BUSY: &str = "PJSIP/4930123401@carrier1";

fn start() -> Server {
    Options::default().arg("--sandbox").arg("--sandbox-speed").arg("50").start()
}

async fn statistics(api: &Api, query: &str) -> Vec<Value> {
    let answer = api.get(&format!("calls/statistics{query}")).await.data();
    answer["series"].as_array().expect("a list").clone()
}

/// Waits until so many calls that ended are counted, and returns the only series.
async fn counted(api: &Api, ended_calls: i64) -> Value {
    wait::until_async("all calls are counted", async || {
        let series = statistics(api, "").await;
        let series = series.first()?.clone();
        (series["total"]["ended_calls"] == ended_calls).then_some(series)
    })
    .await
}

fn with(channel: &str, project: &str) -> Value {
    let mut item = item("server1", channel, "1");
    item["project"] = json!(project);
    item
}

#[tokio::test]
async fn attempts_and_calls_are_counted_by_what_they_have_in_common() {
    let server = start();
    let client = Api::sandbox(&server);
    let queue = client.insert(1, vec![with(ANSWERS, "spring"); 3]).await;
    let mut again = with(BUSY, "");
    again["retry_rules"] = json!([{ "outcome": "busy", "max_retries": 1, "delay": 0 }]);
    let busy = client.insert(2, vec![again; 2]).await;
    let total = counted(&client, 5).await["total"].clone();
    assert_eq!(
        [&total["calls"], &total["attempts"], &total["ended_attempts"], &total["answered"]],
        [&json!(5), &json!(7), &json!(7), &json!(3)],
        "{total}"
    );
    let asr = total["asr"].as_f64().expect("a ratio");
    assert!((asr - 3.0 / 7.0).abs() < 1e-9, "{total}");
    assert!(total["post_dial_delay_p50"].is_i64() && total["post_dial_delay_p95"].is_i64(), "{total}");
    let calls = client.calls(queue).await;
    let billable: i64 = calls.iter().filter_map(|call| call["billable_seconds"].as_i64()).sum();
    assert_eq!(total["billable_seconds"], billable);

    let by = async |by: &str, key: &str, value: &str| {
        let series = statistics(&client, &format!("?by={by}")).await;
        let found: Vec<(Value, i64, i64)> = series
            .iter()
            .map(|series| {
                let count = |name: &str| series["total"][name].as_i64().expect("a count");
                (series.get(key).cloned().unwrap_or_default(), count(value), count("ended_calls"))
            })
            .collect();
        found
    };
    assert_eq!(by("queue", "queue_id", "attempts").await, [(json!(busy), 4, 2), (json!(queue), 3, 3)]);
    assert_eq!(by("server", "asterisk_server_code", "attempts").await, [(json!("server1"), 7, 5)]);
    assert_eq!(by("trunk", "trunk", "attempts").await, [(json!("carrier1"), 4, 2), (json!("endpoint1"), 3, 3)]);
    assert_eq!(by("project", "project", "attempts").await, [(json!(""), 4, 2), (json!("spring"), 3, 3)]);
    let mut outcomes = by("outcome", "outcome", "ended_attempts").await;
    outcomes.sort_by_key(|(outcome, ..)| outcome.to_string());
    assert_eq!(outcomes, [(json!("answered"), 3, 3), (json!("busy"), 4, 2), (Value::Null, 0, 0)]);
    let causes = by("hangup-cause", "hangup_cause", "ended_attempts").await;
    assert!(causes.contains(&(json!(17), 4, 2)), "{causes:?}");
    assert_eq!(statistics(&client, "?by=queue&trunk=carrier1").await.len(), 1);
    assert_eq!(statistics(&client, "?outcome=busy").await[0]["total"]["ended_attempts"], 4);
    assert_eq!(statistics(&client, "?project=spring&by=trunk").await[0]["trunk"], "endpoint1");

    let admin = Api::admin(&server);
    assert_eq!(statistics(&admin, "?by=client").await[0]["total"]["attempts"], 7);
    let new = json!({ "name": "other", "account_code": "other", "servers": ["server1"] });
    let other = admin.post("admin/clients", new).await.data();
    assert_eq!(statistics(&admin, &format!("?client_id={}", other["client_id"])).await, Vec::<Value>::new());
    let foreign = client.get(&format!("calls/statistics?client_id={}", other["client_id"])).await;
    foreign.error(403, "PERMISSION_DENIED");
    admin.get("calls/statistics?client_id=4711").await.error(404, "NOT_FOUND");
    let message = client.get("calls/statistics?step=61").await.error(400, "INVALID_ARGUMENT");
    assert_eq!(message, "step: must be a multiple of 60 seconds");
}

#[tokio::test]
async fn steps_and_hours_add_up_to_the_same() {
    let server = start();
    let client = Api::sandbox(&server);
    client.insert(1, vec![with(ANSWERS, ""); 20]).await;
    let total = counted(&client, 20).await["total"].clone();
    for query in ["?step=60", "?step=300", "?step=3600", "?step=604800&from=2020-01-01T00:00:00Z"] {
        let series = statistics(&client, query).await;
        let sum = |name: &str| -> i64 {
            let points = series[0]["points"].as_array().expect("points");
            points.iter().filter_map(|point| point[name].as_i64()).sum()
        };
        for name in ["calls", "attempts", "ended_attempts", "answered", "ended_calls", "billable_seconds"] {
            assert_eq!(total[name], sum(name), "{name} {query}");
            assert_eq!(series[0]["total"][name], total[name], "{name} {query}");
        }
    }
}

#[tokio::test]
async fn what_is_live_and_waits_now_is_told_and_so_is_the_peak() {
    let server = start();
    let client = Api::sandbox(&server);
    client.insert(1, vec![item("server1", "PJSIP/1234567806@endpoint1", "1"); 4]).await;
    let paused = client.insert(2, vec![item("server1", "PJSIP/1234567806@endpoint1", "1"); 2]).await;
    client.put(&format!("queues/updatequeuemaster/{paused}"), json!({ "queue_status": "paused" })).await.data();
    let live = wait::until_async("calls are live and the peak is known", async || {
        let series = statistics(&client, "").await;
        let series = series.first()?.clone();
        let live = series["now"]["live"].as_i64()?;
        (live >= 4 && series["total"]["live_peak"] == live).then_some(series["now"].clone())
    })
    .await;
    assert_eq!(live["live"].as_i64().unwrap() + live["waiting"].as_i64().unwrap(), 6);
    assert!(live["attempts_per_second"].as_f64().unwrap() > 0.0);
    let by_server = statistics(&Api::admin(&server), "?by=server").await;
    assert_eq!(by_server[0]["now"]["live"], live["live"]);
    let filtered = statistics(&client, "?trunk=endpoint1").await;
    assert_eq!(filtered[0].get("now"), None);
}

#[tokio::test]
async fn nothing_is_counted_twice_or_lost_when_the_server_is_killed() {
    let mut server = start();
    let mut client = Api::sandbox(&server);
    let mut queues = Vec::new();
    for round in 0..3 {
        queues.push(client.insert(round, vec![with(ANSWERS, ""); 60]).await);
        wait::until_async("some are counted", async || {
            let series = statistics(&client, "").await;
            (series.first()?["total"]["attempts"].as_i64()? > 60 * round).then_some(())
        })
        .await;
        server.kill();
        server.restart();
        client = client.at(&server);
    }
    let mut expected = 0;
    for queue in queues {
        client.wait_until_completed(queue).await;
        expected += client.calls(queue).await.iter().filter_map(|call| call["attempts"].as_i64()).sum::<i64>();
    }
    let total = counted(&client, 180).await["total"].clone();
    assert_eq!(
        (&total["calls"], &total["attempts"], &total["ended_attempts"]),
        (&json!(180), &json!(expected), &json!(expected))
    );
}
