//! `trunkline export` writes the outcome of every call.

use serde_json::Value;

use crate::command::{as_client, client_command};
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

#[tokio::test]
async fn json_alone_means_json_lines_and_a_reader_that_leaves_is_no_fault() {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("1000").start();
    let api = Api::sandbox(&server);
    let queue = api.insert(1, vec![item("server1", "PJSIP/1234567890@endpoint1", "1")]).await.to_string();
    let lines = as_client(&server, &["export", "--queue", &queue, "--json"]).ok();
    assert!(lines.starts_with('{') && serde_json::from_str::<Value>(lines.trim()).is_ok(), "{lines}");
    // Like `export 2>&1 | head -0`: nothing reads what is written, to neither output.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = client_command(&server, api.key(), &["export", "--queue", &queue, "--after", "9"]);
    let status = command.stdout(writer.try_clone().unwrap()).stderr(writer).status().unwrap();
    assert!(status.code().is_some_and(|code| code < 5), "{status}");
    let mut command = client_command(&server, "tl_test_wrong", &["export", "--queue", &queue]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(command.stderr(writer).status().unwrap().code(), Some(3), "the error has no reader");
}
