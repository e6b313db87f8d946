//! Measures what the requests of one client take while another one, or someone without a key, attacks the server.
//!
//! Run `cargo bench --bench doors`, with `-- ATTACK…` for some of the attacks and with `-- SECONDS` for another time than
//! 20 s without and 20 s during each attack. Each attack has a server of its own. The attacker's threads have the lowest
//! priority, because a real attacker does not take the server's cores. The files that a process may open (`ulimit -Hn`)
//! must be at least 12,000.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a benchmark that cannot run reports why, and prints its measurements"
)]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "support/attacks.rs"]
mod attacks;
#[path = "support/victim.rs"]
mod victim;

use std::path::{Path, PathBuf};
use std::time::Duration;

use support::api::{Api, item};
use support::server::{Options, Server};
use support::wire;
use tokio::runtime::{self, Runtime};
use tokio::time::sleep;
use trunkline::domain::event_kind::EventKind;
use trunkline::domain::time::Millis;
use trunkline::store::{self, events};

use attacks::Attack;
use victim::{Series, Victim};

/// How many events the streams that catch up find in the log.
const EVENTS: usize = 50_000;

/// The address that the other client uses.
const VICTIM: u8 = 3;

fn main() {
    // `cargo test --benches` only checks that it builds.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    wire::open_many_files();
    let seconds = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(20);
    let wanted = |attack: &Attack| arguments.iter().any(|argument| argument == attack.name());
    let some = Attack::ALL.iter().any(wanted);
    let (clients, attackers) = (Runtime::new().expect("threads"), attackers());
    for attack in Attack::ALL.iter().filter(|attack| !some || wanted(attack)) {
        clients.block_on(measure(*attack, Duration::from_secs(seconds), &attackers));
    }
}

/// Returns the threads of the attacker.
fn attackers() -> Runtime {
    let lowest = || rustix::process::setpriority_process(None, 19).expect("a lower priority");
    runtime::Builder::new_multi_thread().enable_all().on_thread_start(lowest).build().expect("threads")
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

async fn measure(attack: Attack, time: Duration, attackers: &Runtime) {
    let mut options = Options::default().arg("--sandbox");
    if attack == Attack::Tls {
        options = options
            .env("TRUNKLINE_TLS_CERT", data("localhost.pem"))
            .env("TRUNKLINE_TLS_KEY", data("localhost.key"))
            .env("TRUNKLINE_METRICS_LISTEN", "127.0.0.1:0");
    }
    let mut server = options.start();
    let attacker = Api::sandbox(&server).key().to_owned();
    if attack == Attack::Streams {
        fill_log(&mut server).await;
    }
    let victim = Victim::new(&server, VICTIM, attack == Attack::Tls).await;
    let quiet = victim.measure(time).await;
    let resident = memory(server.pid(), "VmRSS:");
    let running = {
        let _threads = attackers.enter();
        attack.start(&server, &attacker)
    };
    // The attack is in full course by then.
    sleep(Duration::from_secs(2)).await;
    let attacked = victim.measure(time).await;
    let seen = running.stop().await;
    println!("\n{}: {}", attack.name(), attack.what());
    println!("  {:<24} {:>9} {:>9}   {:>9} {:>9} {:>9} {:>7}", "ms", "p50", "p99", "p50", "p99", "max", "failed");
    for (quiet, attacked) in quiet.iter().zip(&attacked) {
        line(quiet, attacked);
    }
    println!("  memory of the server: {resident} MB before, {} MB at most", memory(server.pid(), "VmHWM:"));
    println!("  the attacker: {seen}");
    for count in counts(&server).await {
        println!("  {count}");
    }
}

fn line(quiet: &Series, attacked: &Series) {
    println!(
        "  {:<24} {:>9.2} {:>9.2}   {:>9.2} {:>9.2} {:>9.2} {:>7}",
        quiet.name,
        quiet.at(0.5),
        quiet.at(0.99),
        attacked.at(0.5),
        attacked.at(0.99),
        attacked.at(1.0),
        quiet.failed + attacked.failed
    );
}

/// Writes many events of the attacker's client, which the server has not got in memory after it is started again.
async fn fill_log(server: &mut Server) {
    let client = Api::sandbox(server);
    let queue_id = client.insert(1, vec![item("server1", "PJSIP/1234567890@endpoint1", "1")]).await;
    client.wait_until_completed(queue_id).await;
    server.kill();
    let db = store::open(&format!("sqlite://{}", server.data_dir().join("trunkline.db").display())).expect("a store");
    let mut tx = db.begin().await.expect("a transaction");
    let mut event = events::NewEvent::of_queue(EventKind::QueueUpdated, 1, queue_id, Millis::now());
    event.detail = Some("a detail that is as long as those of most events are".to_owned());
    for _ in 0..EVENTS / 1000 {
        events::append(&mut tx, vec![event.clone(); 1000]).await.expect("events");
    }
    tx.commit().await.expect("a commit");
    server.restart();
}

/// Returns a line of the process's status in MB.
fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") / 1024
}

/// Returns what the server counted of the attack.
async fn counts(server: &Server) -> Vec<String> {
    let text = server.output().text();
    let metrics = text.split_once("metrics on ").and_then(|(_, rest)| rest.split(['"', ' ', '\n']).next());
    let address = metrics.map_or_else(|| server.address(), |address| address.parse().expect("an address"));
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = wire::read_to_end(&mut wire::sent_from(wire::source(99), address, request).await).await;
    let names = ["trunkline_connections", "trunkline_streams_", "trunkline_bodies_", "trunkline_slow_bodies"];
    let text = String::from_utf8_lossy(&answer).into_owned();
    text.lines().filter(|line| names.iter().any(|name| line.starts_with(name))).map(str::to_owned).collect()
}
