//! Measures how fast `CancelCalls` cancels the waiting calls of one queue, and at what rate another queue is dialed
//! meanwhile, compared with its rate before and after.
//!
//! Run `cargo bench --bench cancel`, with `-- CALLS` for another size than 1,000,000 calls, and `-- postgres` for
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

use serde_json::json;
use support::api::{Api, item};
use support::postgres::Postgres;
use support::server::{Options, Server};
use support::wait;
use tonic::metadata::MetadataValue;
use trunkline::pb::call_service_client::CallServiceClient;
use trunkline::pb::{CallFilter, CancelCallsRequest, CancelCallsResponse};

const CALLS: i64 = 1_000_000;

/// How many calls the sandbox may begin in a second; about as many as a large Asterisk takes.
const DIALED_PER_SECOND: i64 = 200;

/// How long the rate is measured before and after.
const ALONE: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() {
    // `cargo test --benches` only checks that it builds.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let calls = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(CALLS);
    let mut options = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20");
    let mut postgres = None;
    if arguments.iter().any(|argument| argument == "postgres") {
        let mut server = Postgres::start().expect("a PostgreSQL server");
        options = options
            .env("TRUNKLINE_DATABASE_URL", server.create_database())
            .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
        postgres = Some(server);
    }
    let server = options.start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    let faster = json!({ "calls_per_second": DIALED_PER_SECOND, "max_channels": 5000 });
    admin.patch("admin/servers/server1", faster).await.data();
    let waiting = load::paused_queue(&client).await;
    load::stream(&server, &client, waiting, calls, None).await;
    println!("{calls} calls in {}", if postgres.is_some() { "PostgreSQL" } else { "SQLite" });

    let dialed = client.insert(900_000, vec![item("server1", "PJSIP/1234567890@endpoint1", "0"); 1000]).await;
    for batch in 0..60 {
        let data = vec![item("server1", "PJSIP/1234567890@endpoint1", "0"); 1000];
        let body = json!({ "batch_id": 900_001 + batch, "queue_id": dialed, "data": data });
        client.post("queues/insertdataincallqueue", body).await.data();
    }
    wait::until_async("calls are dialed", async || (begun(&client, dialed).await > 500).then_some(())).await;
    let before = rate(&client, dialed, tokio::time::sleep(ALONE)).await;
    let clock = Instant::now();
    let mut canceled = 0;
    let during = rate(&client, dialed, async { canceled = cancel(&server, &client, waiting).await }).await;
    let took = clock.elapsed();
    let after = rate(&client, dialed, tokio::time::sleep(ALONE)).await;
    println!(
        "canceled {canceled} calls in {:.1} s, {:.0} a second",
        took.as_secs_f64(),
        canceled as f64 / took.as_secs_f64()
    );
    println!("dialed a second: {before:.1} before, {during:.1} meanwhile, {after:.1} after");
    println!("ratio {:.3}", during / f64::midpoint(before, after));
    drop(postgres);
}

/// Returns how many calls a second of a queue begin while something is done.
async fn rate(client: &Api, queue: i64, meanwhile: impl Future<Output = ()>) -> f64 {
    let (clock, before) = (Instant::now(), begun(client, queue).await);
    meanwhile.await;
    (begun(client, queue).await - before) as f64 / clock.elapsed().as_secs_f64()
}

/// Returns how many calls of a queue have begun.
async fn begun(client: &Api, queue: i64) -> i64 {
    let queue = client.queue(queue).await;
    queue["total_calls"].as_i64().expect("a count") - queue["counts"]["queued"].as_i64().expect("a count")
}

async fn cancel(server: &Server, client: &Api, queue: i64) -> i64 {
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    let filter = Some(CallFilter { queue_id: Some(queue), ..CallFilter::default() });
    let mut request = tonic::Request::new(CancelCallsRequest { filter, ..CancelCallsRequest::default() });
    request.metadata_mut().insert("x-api-key", MetadataValue::try_from(client.key()).expect("a key"));
    let mut stream = grpc.cancel_calls(request).await.expect("a stream").into_inner();
    let mut last = CancelCallsResponse::default();
    while let Some(response) = stream.message().await.expect("a response") {
        last = response;
    }
    assert!(last.done, "{last:?}");
    last.canceled_count
}
