//! `/metrics` for Prometheus, which needs no key and contains no secrets.

use std::net::SocketAddr;

use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;

async fn scrape(url: String) -> (u16, String) {
    let response = reqwest::get(url).await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("a text"))
}

/// Returns the value of the series with this name and these labels.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

async fn until_shown(server: &Server, series: &str, wanted: f64) -> String {
    wait::until_async(series, async || {
        let (_, text) = scrape(server.url("/metrics")).await;
        (value(&text, series) == Some(wanted)).then_some(text)
    })
    .await
}

#[tokio::test]
async fn requests_calls_and_lanes_are_measured() {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("100").start();
    let api = Api::sandbox(&server);
    let queue_id = api.insert(1, vec![item("server1", "PJSIP/77100001@endpoint1", "1"); 3]).await;
    api.wait_until_completed(queue_id).await;
    api.get("calls/not-a-uuid").await;
    let stranger = Api::new(&server, "tl_live_nobody");
    stranger.get("queues/getmasterqueues").await;

    let ended = r#"trunkline_calls_ended_total{server="server1",outcome="busy"}"#;
    let text = until_shown(&server, ended, 3.0).await;
    for (series, wanted) in [
        (r#"trunkline_requests_total{rpc="QueueService/InsertBatch",protocol="rest",code="OK"}"#, 1.0),
        (r#"trunkline_requests_total{rpc="CallService/GetCall",protocol="rest",code="INVALID_ARGUMENT"}"#, 1.0),
        (r#"trunkline_requests_total{rpc="QueueService/ListQueues",protocol="rest",code="UNAUTHENTICATED"}"#, 1.0),
        (r#"trunkline_attempts_total{server="server1"}"#, 3.0),
        (r#"trunkline_server_state{server="server1",state="online"}"#, 1.0),
        (r#"trunkline_server_state{server="server1",state="offline"}"#, 0.0),
        (r#"trunkline_live_calls{server="server1"}"#, 0.0),
        (r#"trunkline_waiting_calls{server="server1"}"#, 0.0),
        (r#"trunkline_request_duration_seconds_count{rpc="QueueService/InsertBatch"}"#, 1.0),
        ("trunkline_watchers", 0.0),
        ("trunkline_store_up", 1.0),
        (concat!(r#"trunkline_build_info{version=""#, env!("CARGO_PKG_VERSION"), r#""}"#), 1.0),
    ] {
        assert_eq!(value(&text, series), Some(wanted), "{series} in\n{text}");
    }
    assert!(value(&text, "trunkline_event_log_head").is_some_and(|head| head > 3.0));
    assert!(
        value(&text, r#"trunkline_journal_commit_seconds_count{server="server1"}"#).is_some_and(|count| count > 0.0)
    );
    for secret in ["77100001", api.key(), "tl_live_nobody", "not-a-uuid"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_second_address_takes_metrics_off_the_first() {
    let server = Options::default().env("TRUNKLINE_METRICS_LISTEN", "127.0.0.1:0").start();
    let metrics: SocketAddr = wait::until("it says where metrics are", || {
        let text = server.output().text();
        let (_, rest) = text.split_once("metrics on ")?;
        rest.split(|c: char| c.is_whitespace() || c == '"').next()?.parse().ok()
    });
    assert_eq!(scrape(server.url("/metrics")).await.0, 404);
    let (status, text) = scrape(format!("http://{metrics}/metrics")).await;
    assert_eq!(status, 200);
    assert_eq!(value(&text, "trunkline_store_up"), Some(1.0));
    assert_eq!(scrape(format!("http://{metrics}/calling/api/v1/queues/getmasterqueues")).await.0, 404);
}
