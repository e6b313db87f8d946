//! How many calls a second are dialed, durably and watched, on a real Asterisk 22 on this machine.
//!
//! `cargo bench --bench dial`, as root, once `bin/test` has prepared Asterisk. `docs/benchmarks.md` keeps the figures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a bench that cannot run says why, and prints what it measured"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use serde_json::json;
use tonic::metadata::MetadataValue;
use trunkline::pb::WatchCallsRequest;
use trunkline::pb::call_service_client::CallServiceClient;

use support::api::{Api, client_of, item};
use support::asterisk::{self, Asterisk, Version};
use support::server::Server;

const CALLS: usize = 20_000;
const CHANNELS: usize = 200;

#[tokio::main]
async fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let asterisk = Asterisk::start_unwatched(Version::V22).expect("an Asterisk 22: run bin/test once, as root");
    let server = Server::start();
    let client = client_of(
        &server,
        json!({
            "code": "ast", "host": "127.0.0.1", "port": asterisk.ami_port(), "username": "dialer",
            "secret": asterisk::SECRET, "max_channels": CHANNELS, "calls_per_second": 10_000,
        }),
    )
    .await;
    for (channel, batch_id) in [("Local/100@fast/n", 1000), ("Local/100@busy/n", 2000)] {
        run(&server, &client, channel, batch_id).await;
    }
}

async fn run(server: &Server, client: &Api, channel: &str, batch_id: i64) {
    let mut call = item("ast", channel, "");
    call["action"]["Application"] = json!("NoOp");
    // Paused at once, so that all calls are there when the first is dialed.
    let queue = client.insert(batch_id, vec![call.clone()]).await;
    set(client, queue, "paused").await;
    for batch in 1..=(CALLS / 1000) {
        let batch = json!({ "queue_id": queue, "batch_id": batch_id + batch as i64, "data": vec![call.clone(); 1000] });
        client.post("queues/insertdataincallqueue", batch).await.data();
    }
    let watcher = watch(server, client, queue).await;
    let (began, cpu_before) = (Instant::now(), cpu_seconds(server.pid()));
    set(client, queue, "in-progress").await;
    watcher.await.expect("the watcher sees every call end");
    let (took, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds(server.pid()) - cpu_before);
    let counts = client.queue(queue).await["counts"].clone();
    println!(
        "{channel}: {CALLS} calls in {took:.1} s, {:.0} a second; {:.3} ms of the server's CPU a call; {counts}",
        CALLS as f64 / took,
        cpu * 1000.0 / CALLS as f64,
    );
}

async fn set(client: &Api, queue: i64, status: &str) {
    client.put(&format!("queues/updatequeuemaster/{queue}"), json!({ "queue_status": status })).await.data();
}

/// Watches until the last call of the queue has ended.
async fn watch(server: &Server, client: &Api, queue: i64) -> tokio::task::JoinHandle<()> {
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    let mut request = tonic::Request::new(WatchCallsRequest { queue_id: Some(queue), ..Default::default() });
    request.metadata_mut().insert("x-api-key", MetadataValue::try_from(client.key()).expect("a key"));
    let mut stream = grpc.watch_calls(request).await.expect("a stream").into_inner();
    tokio::spawn(async move {
        let mut ended = 0;
        while ended < CALLS {
            let message = stream.message().await.expect("a stream").expect("an event");
            let kind = message.event.expect("an event").r#type();
            ended += usize::from(kind == trunkline::pb::CallEventType::Ended);
        }
    })
}

/// User and system time of a process and its threads, from `/proc/PID/stat` in ticks of 10 ms.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running process");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}
