//! Stopping the server: which requests it answers meanwhile, and what a second signal does.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::api::{Api, item};
use crate::support::server::{Options, Server, trunkline};
use crate::support::wait;

fn signal(server: &Server, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

fn until_stopping(server: &Server) {
    wait::until("it says that it stops", || server.output().text().contains("stopping").then_some(()));
}

#[tokio::test]
async fn a_server_that_stops_says_that_it_drains_and_exits_with_0() {
    let mut server = Options::default().arg("--sandbox").start();
    let api = Api::sandbox(&server);
    let held = server.hold_store().await;
    signal(&server, Signal::TERM);
    until_stopping(&server);

    let ready = reqwest::get(server.url("/readyz")).await.unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<Value>().await.unwrap()["message"], "draining");
    assert_eq!(reqwest::get(server.url("/healthz")).await.unwrap().status(), 200);
    let batch = json!({ "batch_id": 1, "data": [item("server1", "PJSIP/1@endpoint1", "1")] });
    let post = reqwest::Client::new().post(api.url("queues/insertdataincallqueue")).header("X-API-KEY", api.key());
    let refused = post.json(&batch).send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers()[RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.json::<Value>().await.unwrap()["message"], "the server is stopping");

    drop(held);
    assert_eq!(server.wait().code(), Some(0), "{}", server.output().text());
}

#[tokio::test]
async fn an_interrupt_ends_it_as_well() {
    let mut server = Options::default().arg("--sandbox").start();
    signal(&server, Signal::INT);
    assert_eq!(server.wait().code(), Some(0));
}

#[tokio::test]
async fn two_signals_at_once_are_one_request_to_stop() {
    let mut server = Options::default().arg("--sandbox").start();
    Api::sandbox(&server);
    let held = server.hold_store().await;
    for _ in 0..2 {
        signal(&server, Signal::TERM);
        // Longer than the server needs to receive the first one.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    until_stopping(&server);
    drop(held);
    assert_eq!(server.wait().code(), Some(0), "{}", server.output().text());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = Options::default().arg("--sandbox").start();
    Api::sandbox(&server);
    let _held = server.hold_store().await;
    signal(&server, Signal::TERM);
    until_stopping(&server);
    signal(&server, Signal::TERM);
    assert_eq!(server.wait().code(), Some(1));
    assert!(server.output().text().contains("second signal"));
}

#[tokio::test]
async fn sighup_reloads_the_log_filter_and_a_broken_file_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trunkline.toml");
    std::fs::write(&file, "log = 'info'").unwrap();
    let server = Options::default().env("TRUNKLINE_CONFIG", &file).start();
    let logged = |text: &str| server.output().text().contains(text).then_some(());
    std::fs::write(&file, "log = 'trunkline=debug,info'").unwrap();
    signal(&server, Signal::HUP);
    wait::until("the filter is reloaded", || logged("reloaded the log filter"));
    reqwest::get(server.url("/healthz")).await.unwrap();
    wait::until("requests are logged", || logged("answered"));
    std::fs::write(&file, "lgo = 'info'").unwrap();
    signal(&server, Signal::HUP);
    wait::until("the mistake is reported", || logged("the log filter stays"));
    assert_eq!(reqwest::get(server.url("/healthz")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_second_server_on_one_sqlite_file_is_refused() {
    let server = Options::default().start();
    let mut serve = trunkline();
    serve.arg("serve").env("TRUNKLINE_LISTEN", "127.0.0.1:0").env("TRUNKLINE_DATA_DIR", server.data_dir());
    let refused = serve.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("trunkline.db open: a SQLite file has one server only"), "{said}");
    assert_eq!(reqwest::get(server.url("/readyz")).await.unwrap().status(), 200);
}
