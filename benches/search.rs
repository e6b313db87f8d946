//! Measures how long the search for calls takes over REST, by each of its filters, among many calls of one client.
//!
//! Run `cargo bench --bench search`, with `-- CALLS` for another size than 10,000,000 calls, and `-- postgres` for
//! PostgreSQL in place of SQLite. The figures are in `docs/benchmarks.md`.

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
use support::postgres::Postgres;
use support::server::Options;

const CALLS: i64 = 10_000_000;
const TIMES: usize = 1000;

/// How many pages of a filter are read in turn, from the first one on.
const PAGES: usize = 100;

#[tokio::main]
async fn main() {
    // `cargo test --benches` only checks that it builds.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let calls = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(CALLS);
    let mut options = Options::default().arg("--sandbox");
    let mut postgres = None;
    if arguments.iter().any(|argument| argument == "postgres") {
        let mut server = Postgres::start().expect("a PostgreSQL server");
        options = options
            .env("TRUNKLINE_DATABASE_URL", server.create_database())
            .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
        postgres = Some(server);
    }
    let server = options.start();
    let client = Api::sandbox(&server);
    let queue = load::paused_queue(&client).await;
    load::stream(&server, &client, queue, calls, None).await;
    println!("{calls} calls in {}", if postgres.is_some() { "PostgreSQL" } else { "SQLite" });
    by_number(&client, calls).await;
    for filter in [
        String::new(),
        "project=campaign_2024".to_owned(),
        "status=queued".to_owned(),
        "asterisk_server_code=server1".to_owned(),
        format!("queue_id={queue}"),
        "trunk=nowhere".to_owned(),
    ] {
        by_pages(&client, &filter).await;
    }
}

/// Searches for many numbers, each of which one call has.
async fn by_number(client: &Api, calls: i64) {
    let mut took = Vec::with_capacity(TIMES);
    for time in 0..TIMES {
        let number = load::number(time as i64 * (calls - 1) / TIMES as i64);
        let began = Instant::now();
        let page = client.get(&format!("calls?contact_number={number}")).await.data();
        took.push(began.elapsed());
        assert!(page["results"].as_array().is_some_and(|calls| !calls.is_empty()), "{page}");
    }
    print("by number", took);
}

/// Reads the pages of a filter, one after the other.
async fn by_pages(client: &Api, filter: &str) {
    let (mut took, mut token) = (Vec::new(), String::new());
    for _ in 0..PAGES {
        let began = Instant::now();
        let page = client.get(&format!("calls?page_token={token}&{filter}")).await.data();
        took.push(began.elapsed());
        match page["next_page_token"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    print(if filter.is_empty() { "no filter" } else { filter }, took);
}

fn print(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |percent: usize| took[(took.len() * percent / 100).min(took.len() - 1)].as_secs_f64() * 1000.0;
    println!(
        "{what}: {} requests, median {:.2} ms, p99 {:.2} ms, slowest {:.2} ms",
        took.len(),
        at(50),
        at(99),
        at(100)
    );
}
