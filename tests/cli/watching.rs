//! `trunkline watch` prints every event once, also across a restart of the server.

use serde_json::Value;

use crate::command::{as_client, client_command, run};
use crate::support::api::{Api, item};
use crate::support::ports::Port;
use crate::support::process::Process;
use crate::support::server::Options;

#[tokio::test]
async fn a_watch_continues_after_its_cursor_when_the_server_comes_back() {
    let port = Port::reserve();
    let address = format!("127.0.0.1:{}", port.number());
    let mut server = Options::default().arg("--sandbox").arg("--listen").arg(address).start();
    let api = Api::sandbox(&server);
    let mut watch = Process::spawn("trunkline watch", &client_command(&server, api.key(), &["watch", "--json"]));
    watch.wait_for("the snapshot", |line| line.contains("snapshot-complete").then_some(()));
    api.insert(1, vec![item("server1", "PJSIP/100000@endpoint1", "1")]).await;
    watch.wait_for("the first batch", |line| line.contains("batch-inserted").then_some(()));
    server.restart();
    // A new connection, because that to the old server is gone.
    let api = api.at(&server);
    api.insert(2, vec![item("server1", "PJSIP/100001@endpoint1", "1")]).await;
    watch.wait_for("the second batch", |line| line.contains(r#""batch_id":2"#).then_some(()));
    let lines = watch.output().lines();
    let seqs: Vec<i64> =
        lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["seq"].as_i64()).collect();
    let mut sorted = seqs.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(seqs, sorted, "each event once, in order");
    assert!(lines.iter().any(|line| line.contains("reconnecting")), "{lines:?}");
}

#[tokio::test]
async fn the_watch_of_one_call_ends_with_it() {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("100").start();
    let placed =
        as_client(&server, &["quick", "100001", "100002", "--server", "server1", "--did", "49301234", "--json"]).json();
    let call_id = placed["call_id"].as_str().unwrap();
    let mut watch = client_command(&server, Api::sandbox(&server).key(), &["watch", "--call", call_id]);
    let watched = run(&mut watch).ok();
    let last = watched.lines().last().unwrap();
    assert!(last.contains("ended") && last.contains("busy"), "{watched}");
    let shown = as_client(&server, &["call", "show", call_id]).ok();
    assert!(shown.contains("attempt_history") && shown.contains("timeline"), "{shown}");
    let again = run(&mut client_command(&server, Api::sandbox(&server).key(), &["watch", "--call", call_id])).ok();
    assert_eq!(again, watched, "a call that has ended is printed from its beginning");
}
