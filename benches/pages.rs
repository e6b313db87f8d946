//! Measures how long the first page of a large queue takes over REST, and a page deep inside it.
//!
//! Run `cargo bench --bench pages`, with `-- CALLS` for another size than 5,000,000 calls. The figures are in
//! `docs/benchmarks.md`.

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

use std::time::{Duration, Instant};

use support::api::Api;
use support::server::Options;

const CALLS: i64 = 5_000_000;
const PAGE_SIZE: i64 = 100;
const TIMES: usize = 101;

#[tokio::main]
async fn main() {
    // `cargo test --benches` only checks that it builds.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let calls = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(CALLS);
    let server = Options::default().arg("--sandbox").start();
    let client = Api::sandbox(&server);
    let queue = load::paused_queue(&client).await;
    load::stream(&server, &client, queue, calls, None).await;
    let last = calls / PAGE_SIZE;
    for query in [
        "page=1".to_owned(),
        format!("page={last}"),
        "status=queued&page=1".to_owned(),
        "contact_number=7919".to_owned(),
        "batch_id=1".to_owned(),
    ] {
        let took = median(&client, &format!("queues/getqueues?master_queue_id={queue}&{query}")).await;
        println!("{query}: median {:.2} ms", ms(took));
    }
}

/// Returns the median time of many requests, the first of which finds a cold cache.
async fn median(client: &Api, path: &str) -> Duration {
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = Instant::now();
        let page = client.get(path).await.data();
        took.push(began.elapsed());
        assert!(page["results"].as_array().is_some_and(|calls| !calls.is_empty()), "{page}");
    }
    println!("{path}: first {:.2} ms, slowest {:.2} ms", ms(took[0]), ms(*took.iter().max().expect("some")));
    took.sort_unstable();
    took[TIMES / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
