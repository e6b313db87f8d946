//! Measures how fast items are streamed in, and how much memory the server takes for any number of them.
//!
//! Run `cargo bench --bench stream`, with `-- ITEMS` for another count than 1,000,000, and with `-- ITEMS kill` to kill
//! the server with SIGKILL in the middle and resume. The figures are in `docs/benchmarks.md`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a benchmark that cannot run reports why, and prints its measurements"
)]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "support/load.rs"]
mod load;

use std::time::Instant;

use support::api::Api;
use support::server::Options;

const ITEMS: i64 = 1_000_000;

#[tokio::main]
async fn main() {
    // `cargo test --benches` only checks that it builds.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let items = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ITEMS);
    let kill = arguments.iter().any(|argument| argument == "kill");
    let mut server = Options::default().arg("--sandbox").start();
    let queue = load::paused_queue(&Api::sandbox(&server)).await;
    let began = Instant::now();
    let mut peak = 0;
    if kill {
        load::stream(&server, &Api::sandbox(&server), queue, items, Some(items / 2)).await;
        peak = peak_memory(server.pid());
        server.restart();
    }
    let client = Api::sandbox(&server);
    load::stream(&server, &client, queue, items, None).await;
    let took = began.elapsed().as_secs_f64();
    peak = peak.max(peak_memory(server.pid()));
    let total = client.get(&format!("queues/getqueuemaster/{queue}")).await.data()["total_calls"].clone();
    println!(
        "{total} calls of {items} items in {took:.1} s, {:.0} a second; peak memory {peak} MB",
        items as f64 / took
    );
    assert_eq!(total, items, "each item is stored once");
}

/// Returns the largest resident set that a process has had, in MB.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    kilobytes / 1024
}
