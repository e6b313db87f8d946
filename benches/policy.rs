//! Measures what share of a batch's cost is the dial policy: the processor time of the server for a batch of 1000 over REST,
//! and that of the checks of its 1000 calls.
//!
//! Run `cargo bench --bench policy`, with `-- BATCHES` for another number than 100 batches.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot run reports why, and prints its measurements"
)]

#[path = "../tests/support/mod.rs"]
mod support;

#[allow(unused_imports, reason = "a part of the program, whose tests do not run here")]
#[path = "../src/cli/bench/cpu.rs"]
mod cpu;
#[allow(dead_code, reason = "a part of the support")]
#[path = "support/load.rs"]
mod load;

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use serde_json::{Value, json};
use support::api::Api;
use support::server::Options;
use trunkline::domain::dial::called::Reading;
use trunkline::domain::number::Numbering;
use trunkline::domain::originate::{OriginateSpec, Target};
use trunkline::domain::policy::{Policy, Terms};
use trunkline::domain::prefixes::Prefixes;

const BATCHES: u32 = 100;
const CALLS: usize = 1000;
const DATA: &str = "PJSIP/1234567806@endpoint2,30";

#[tokio::main]
async fn main() {
    // `cargo test --benches` only checks that it builds.
    let arguments: Vec<String> = std::env::args().collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let batches = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(BATCHES);
    let server = Options::default().arg("--sandbox").start();
    let client = Api::sandbox(&server);
    let queue = load::paused_queue(&client).await;
    let (mut of_batches, mut of_checks) = (0.0, 0.0);
    // Both in turns, so that a noisy moment hits both.
    for batch in 0..batches {
        let before = cpu::used_by(server.pid()).expect("a running process");
        let data: Vec<Value> = (0..CALLS).map(item).collect();
        let body = json!({ "batch_id": i64::from(batch) + 10, "queue_id": queue, "data": data });
        client.post("queues/insertdataincallqueue", body).await.data();
        of_batches += (cpu::used_by(server.pid()).expect("a running process") - before).as_secs_f64() * 1000.0;
        of_checks += check();
    }
    let (of_batch, of_check) = (of_batches / f64::from(batches), of_checks / f64::from(batches));
    println!("batch of {CALLS}: {of_batch:.2} ms of the server's processor time");
    println!("dial policy of {CALLS} calls: {of_check:.3} ms, {:.1} % of it", of_check / of_batch * 100.0);
}

fn channel(number: usize) -> String {
    format!("PJSIP/+4930{number:07}@endpoint1")
}

fn variables(number: usize) -> [(String, String); 3] {
    [("CAMPAIGN", "spring"), ("LEAD", "4711"), ("AGENT_GROUP", &format!("g{}", number % 7))]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn item(number: usize) -> Value {
    json!({
        "asterisk_server_code": "server1",
        "action": {
            "Action": "Originate", "Channel": channel(number), "Application": "Dial", "Data": DATA,
            "CallerID": "Your Company <1001>", "variables": HashMap::from(variables(number)),
        },
    })
}

/// Returns how many milliseconds the checks of a batch take, which use one processor all the time.
fn check() -> f64 {
    let policy = Policy::default().under(Prefixes::default().with_premium_rate());
    let specs: Vec<OriginateSpec> = (0..CALLS)
        .map(|number| {
            let target = Target::Application { name: "Dial".into(), data: DATA.into() };
            let mut spec = OriginateSpec::new(channel(number), target);
            spec.caller_id = Some("Your Company <1001>".into());
            spec.variables = variables(number).into_iter().collect();
            spec
        })
        .collect();
    let (numbering, dirs) = (Numbering::default(), ["/recordings".to_owned()]);
    let reading = Reading { numbering: &numbering, extensions: &[] };
    let terms = Terms { account_code: "acme", recording_dirs: &dirs, reading };
    let began = Instant::now();
    for spec in &specs {
        black_box(policy.admit(black_box(spec), terms)).expect("a call that may be dialed");
    }
    began.elapsed().as_secs_f64() * 1000.0
}
