//! `trunkline export` writes the outcome of every call.

use serde_json::Value;

use crate::command::as_client;
use crate::support::api::{Api, item};
use crate::support::server::Options;

#[tokio::test]
async fn every_call_is_written_once_and_an_export_goes_on_where_it_was() {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("1000").start();
    let api = Api::sandbox(&server);
    let calls = |from: usize| {
        (from..from + 1000).map(|number| item("server1", &format!("PJSIP/9{number:05}01@endpoint1"), "1")).collect()
    };
    let queue_id = api.insert(1, calls(0)).await;
    let more: Vec<Value> = calls(1000);
    api.post(
        "queues/insertdataincallqueue",
        serde_json::json!({"queue_id": queue_id, "batch_id": 2, "data": more[..300]}),
    )
    .await
    .data();
    let queue = queue_id.to_string();

    let lines = as_client(&server, &["export", "--queue", &queue, "--format", "jsonl"]).ok();
    let ids: Vec<String> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["call_id"].to_string()).collect();
    let listed: Vec<String> = api.calls(queue_id).await.iter().map(|call| call["call_id"].to_string()).collect();
    assert_eq!(ids, listed);

    let whole = as_client(&server, &["export", "--queue", &queue, "--format", "csv"]).ok();
    assert!(
        whole.starts_with("call_id,queue_id,batch_id,asterisk_server_code,status,outcome,attempts,"),
        "{whole:.200}"
    );
    assert_eq!(whole.lines().count(), 1301);
    let rest = as_client(&server, &["export", "--queue", &queue, "--format", "csv", "--after", "1250"]).ok();
    let ids_of = |text: &str| text.lines().map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids_of(&rest), ids_of(&whole)[1251..], "no heading line, and the last 50 calls");

    let none = as_client(&server, &["export", "--queue", "99999"]);
    assert_eq!(none.code, 3);
    assert_eq!(as_client(&server, &["export", "--queue", &queue, "--status", "gone"]).code, 2);
}
