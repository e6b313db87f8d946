//! Tests that the real parts that other tests need start, work and leave nothing behind.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::{env, fs, io};

use diesel::sql_types::Integer;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::support::ami::Ami;
use crate::support::asterisk::{Asterisk, SECRET, Version};
use crate::support::postgres::Postgres;
use crate::support::server::listening_address;
use crate::support::sipp::{Scenario, Sipp};
use crate::support::{ports, skip, wait};

#[test]
fn the_address_of_a_server_is_found_in_text_and_in_json() {
    let text = "2030-01-01T00:00:00Z  INFO trunkline: listening on 127.0.0.1:4711";
    assert_eq!(listening_address(text), "127.0.0.1:4711".parse().ok());
    let json = r#"{"level":"INFO","message":"listening on [::1]:80","target":"trunkline"}"#;
    assert_eq!(listening_address(json), "[::1]:80".parse().ok());
}

#[test]
fn asterisk_22_originates() {
    let Some(asterisk) = Asterisk::start(Version::V22) else { return };
    assert_eq!(asterisk.cli("core show version").get(..12), Some("Asterisk 22."));
    each_context_ends_as_it_says(&asterisk);
}

#[test]
fn asterisk_16_originates() {
    let Some(asterisk) = Asterisk::start(Version::V16) else { return };
    assert_eq!(asterisk.cli("core show version").get(..12), Some("Asterisk 16."));
    each_context_ends_as_it_says(&asterisk);
}

#[test]
fn many_asterisks_run_side_by_side_and_survive_a_kill() {
    let Some(mut first) = Asterisk::start(Version::V22) else { return };
    let Some(second) = Asterisk::start(Version::V16) else { return };
    originate(&mut first.ami(), "before", "Local/60@talk/n");
    first.witness().wait_for_originates(1);
    assert_eq!(first.live_channels(), 2);
    first.restart();
    assert_eq!(first.live_channels(), 0);
    originate(&mut first.ami(), "after", "Local/100@answer/n");
    let seen: Vec<_> = first.witness().wait_for_originates(2).into_iter().map(|seen| seen.action_id).collect();
    assert_eq!(seen, ["before", "after"]);
    assert_eq!(second.witness().originates(), []);
}

#[test]
fn the_limited_user_can_dial_but_not_filter() {
    let Some(asterisk) = Asterisk::start(Version::V22) else { return };
    let mut ami = Ami::connect(asterisk.ami_port()).expect("a connection");
    ami.login("limited", SECRET, "on").expect("an answer");
    let filter = [("Action", "Filter"), ("Operation", "Add"), ("Filter", "Event: Hangup")];
    assert_eq!(ami.request(&filter).expect("an answer").get("Response"), "Error");
    assert_eq!(asterisk.ami().request(&filter).expect("an answer").get("Response"), "Success");
    originate(&mut ami, "limited", "Local/100@fast/n");
    assert!(asterisk.witness().wait_for_originates(1)[0].answered);
}

#[test]
fn sipp_phones_answer_refuse_and_ring() {
    let Some(asterisk) = Asterisk::start(Version::V22) else { return };
    let answers = Sipp::start(&asterisk, 0, Scenario::Answer);
    originate(&mut asterisk.ami(), "talk", "PJSIP/endpoint1");
    assert!(asterisk.witness().wait_for_originates(1)[0].answered);
    wait::until("the call has ended", || (answers.ended() == 1).then_some(()));
    assert_eq!((answers.received(), answers.answered()), (1, 1));

    let refusals = [(Scenario::Busy, 17), (Scenario::NotFound, 1), (Scenario::Unavailable, 34), (Scenario::Ring, 0)];
    for (calls, (scenario, cause)) in (2..).zip(refusals) {
        let phone = Sipp::start(&asterisk, 1, scenario);
        originate(&mut asterisk.ami(), &format!("{scenario:?}"), "PJSIP/endpoint2");
        let outcome = asterisk.witness().wait_for_originates(calls).pop().expect("an outcome");
        assert!(!outcome.answered, "{outcome:?}");
        wait::until("the phone has seen it", || (phone.received() == 1).then_some(()));
        let hangups = wait::until("the channel is gone", || {
            Some(asterisk.witness().events("Hangup")).filter(|hangups| hangups.len() >= calls)
        });
        if scenario == Scenario::Ring {
            wait::until("the caller gave up", || (phone.ended() == 1).then_some(()));
        } else {
            assert_eq!(hangups[calls - 1].get("Cause"), cause.to_string(), "{scenario:?}");
        }
    }
}

#[test]
fn a_recording_can_be_read_by_the_test() {
    let Some(asterisk) = Asterisk::start(Version::V16) else { return };
    let mut ami = asterisk.ami();
    originate(&mut ami, "recorded", "Local/60@talk/n");
    let channel = asterisk.witness().wait_for_originates(1)[0].channel.clone();
    let file = format!("{}/call.wav", crate::support::asterisk::RECORDINGS);
    let record = [("Action", "MixMonitor"), ("Channel", channel.as_str()), ("File", file.as_str())];
    assert_eq!(ami.request(&record).expect("an answer").get("Response"), "Success");
    let recording = asterisk.recordings_dir().join("call.wav");
    wait::until("the recording appears", || recording.exists().then_some(()));
}

#[tokio::test]
async fn postgres_answers_and_keeps_its_data_over_a_kill() {
    let Some(mut postgres) = Postgres::start() else { return };
    let (one, other) = (postgres.create_database(), postgres.create_database());
    assert_ne!(one, other);
    let mut connection = AsyncPgConnection::establish(&one).await.expect("a connection");
    diesel::sql_query("CREATE TABLE kept AS SELECT 7 AS n").execute(&mut connection).await.expect("a table");
    postgres.restart();
    let mut connection = AsyncPgConnection::establish(&one).await.expect("a connection");
    let query = diesel::select(diesel::dsl::sql::<Integer>("(SELECT n FROM kept)"));
    assert_eq!(query.get_result::<i32>(&mut connection).await.expect("an answer"), 7);
}

/// The processes, ports and directories of the parts, which must be gone afterwards.
#[derive(Debug, Default)]
struct Traces {
    pids: Vec<u32>,
    ports: Vec<u16>,
}

#[test]
fn what_is_dropped_leaves_no_process_mount_or_port() {
    let (Some(asterisk), Some(mut postgres)) = (Asterisk::start(Version::V22), Postgres::start()) else { return };
    let phone = Sipp::start(&asterisk, 0, Scenario::Answer);
    postgres.create_database();
    let traces = Traces::of(&asterisk, &phone, &postgres);
    assert!(traces.ports.iter().all(|port| !ports::is_free(*port)), "all of {traces:?} are in use");
    drop((phone, asterisk, postgres));
    assert_eq!(traces.left(), Vec::<String>::new());
}

#[test]
fn a_killed_test_leaves_no_process_mount_or_port() {
    const VICTIM: &str = "TRUNKLINE_TEST_VICTIM";
    if env::var_os(VICTIM).is_some() {
        return wait_to_be_killed();
    }
    if !skip::is_root() {
        return skip::skipped("a real Asterisk takes root");
    }
    // Files that the victim had no time to delete are deleted with this directory. PostgreSQL's user must have access.
    let readable = fs::Permissions::from_mode(0o755);
    let files = tempfile::Builder::new().permissions(readable).tempdir().expect("a temporary directory");
    let mut victim = Command::new(env::current_exe().expect("this test binary"))
        .args(["--exact", "real_parts::a_killed_test_leaves_no_process_mount_or_port", "--nocapture"])
        .env(VICTIM, "1")
        .env("TMPDIR", files.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a second test process");
    let mut lines = BufReader::new(victim.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let traces = lines.find_map(|line| Traces::read(&line));
    victim.kill().expect("a kill");
    victim.wait().expect("its end");
    let traces = traces.expect("the victim printed what it started");
    assert!(traces.pids.len() == 3 && !traces.ports.is_empty(), "{traces:?}");
    wait::until("all of it is gone", || traces.left().is_empty().then_some(()));
}

fn wait_to_be_killed() {
    let asterisk = Asterisk::start(Version::V22).expect("Asterisk runs here");
    let phone = Sipp::start(&asterisk, 0, Scenario::Answer);
    let mut postgres = Postgres::start().expect("PostgreSQL runs here");
    postgres.create_database();
    println!("\n{}", Traces::of(&asterisk, &phone, &postgres).line());
    io::stdout().flush().expect("an open pipe");
    io::stdin().lines().for_each(drop);
}

impl Traces {
    const MARK: &str = "victim:";

    fn of(asterisk: &Asterisk, phone: &Sipp, postgres: &Postgres) -> Self {
        Self {
            pids: vec![asterisk.pid(), phone.pid(), postgres.pid()],
            ports: vec![asterisk.ami_port(), asterisk.sip_port(), asterisk.phone_port(0), postgres.port()],
        }
    }

    fn line(&self) -> String {
        let words = |numbers: Vec<String>| numbers.join(",");
        let pids = words(self.pids.iter().map(u32::to_string).collect());
        let ports = words(self.ports.iter().map(u16::to_string).collect());
        format!("{} {pids} {ports}", Self::MARK)
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix(Self::MARK)?.split_whitespace();
        let pids = words.next()?.split(',').filter_map(|word| word.parse().ok()).collect();
        let ports = words.next()?.split(',').filter_map(|word| word.parse().ok()).collect();
        Some(Self { pids, ports })
    }

    /// Describes which of them still exist.
    fn left(&self) -> Vec<String> {
        let pids = self.pids.iter().filter(|pid| is_alive(**pid)).map(|pid| format!("process {pid}"));
        let ports = self.ports.iter().filter(|port| !ports::is_free(**port)).map(|port| format!("port {port}"));
        let mounts = fs::read_to_string("/proc/self/mounts").expect("the mounts");
        let mounts = mounts.lines().filter(|line| line.contains("/trunkline")).map(|line| format!("mount {line}"));
        pids.chain(ports).chain(mounts).collect()
    }
}

/// Returns true if the process runs. A zombie does not.
fn is_alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}

/// Every context of the dialplan and its reason in OriginateResponse.
fn each_context_ends_as_it_says(asterisk: &Asterisk) {
    let cases = [
        ("Local/100@answer/n", 4),
        ("Local/100@fast/n", 4),
        ("Local/1@slow/n", 4),
        ("Local/1@talk/n", 4),
        ("Local/+491701234567@busy/n", 5),
        ("Local/100@congestion/n", 8),
        ("Local/100@noanswer/n", 3),
        ("Local/100@unallocated/n", 0),
        ("Local/100@nowhere/n", 0),
        ("PJSIP/nobody", 3),
        ("PJSIP/unknown", 0),
    ];
    let mut ami = asterisk.ami();
    for (channel, _) in cases {
        originate(&mut ami, channel, channel);
    }
    let seen = asterisk.witness().wait_for_originates(cases.len());
    for (channel, reason) in cases {
        let found: Vec<_> = seen.iter().filter(|seen| seen.action_id == channel).collect();
        assert_eq!(found.len(), 1, "{channel}: {found:?}");
        assert_eq!((found[0].reason, found[0].answered), (reason, reason == 4), "{channel}");
    }
    asterisk.wait_until_idle();
}

/// Sends an asynchronous Originate whose channel id is `cid-<action id>`.
fn originate(ami: &mut Ami, action_id: &str, channel: &str) {
    ami.send(&[
        ("Action", "Originate"),
        ("ActionID", action_id),
        ("ChannelId", &format!("cid-{action_id}")),
        ("Async", "true"),
        ("Channel", channel),
        ("Application", "Wait"),
        ("Data", "0.2"),
        ("Timeout", "3000"),
    ])
    .expect("a connection");
}
