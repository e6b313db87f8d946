//! `trunkline import` inserts no call twice, whatever is interrupted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{as_client, client_command, run};
use crate::support::api::Api;
use crate::support::process::Process;
use crate::support::server::{Options, Server};

const CALLS: usize = 12_000;

/// Writes a file of numbers that ring for so long that few of their calls end during the test.
fn write_people(dir: &Path) -> PathBuf {
    let file = dir.join("people.csv");
    let lines: String = (0..CALLS).map(|number| format!("{},Person {number}\n", 10_000_002 + number * 100)).collect();
    fs::write(&file, format!("Phone,Name\n{lines}")).unwrap();
    file
}

fn arguments(file: &Path) -> Vec<String> {
    let fixed = "--server server1 --map contact_number=Phone --set channel=PJSIP/{Phone}@endpoint1 \
                 --set application=Wait --set data=1 --ignore Name";
    let mut arguments = vec!["import".to_owned(), file.display().to_string()];
    arguments.extend(fixed.split_whitespace().map(str::to_owned));
    arguments
}

/// Returns how many numbers the calls of a queue have, and checks that each is there once.
async fn numbers_once(api: &Api, queue_id: i64) -> usize {
    let calls = api.calls(queue_id).await;
    let numbers: BTreeSet<i64> = calls.iter().map(|call| call["contact_number"].as_i64().unwrap()).collect();
    assert_eq!(numbers.len(), calls.len(), "no number is there twice");
    numbers.len()
}

fn rows_done(file: &Path) -> Option<u64> {
    let state = fs::read_to_string(file.with_extension("csv.import-state")).ok()?;
    serde_json::from_str::<serde_json::Value>(&state).ok()?[0]["rows"].as_u64()
}

fn sandbox() -> Server {
    Options::default().arg("--sandbox").start()
}

#[tokio::test]
async fn an_import_that_is_killed_goes_on_without_a_double_insert_also_when_its_state_is_lost() {
    let (server, dir) = (sandbox(), tempfile::tempdir().unwrap());
    let (api, file) = (Api::sandbox(&server), write_people(dir.path()));
    let mut import = Process::spawn("trunkline import", &client_command(&server, api.key(), &arguments(&file)));
    crate::support::wait::until("some batches are in", || rows_done(&file).filter(|rows| *rows >= 2000));
    import.kill();
    let before = rows_done(&file).unwrap();
    assert!(before < CALLS as u64, "it was killed in the middle");
    // As after a crash of the machine: the file is incomplete, and only the server knows what was inserted.
    fs::write(file.with_extension("csv.import-state"), "{\"file_").unwrap();

    let mut again = client_command(&server, api.key(), &arguments(&file));
    let summary = run(again.arg("--json")).json();
    assert_eq!(summary["count"], CALLS);
    let (new, present) = (summary["inserted_count"].as_u64().unwrap(), summary["present_count"].as_u64().unwrap());
    assert_eq!(new + present, CALLS as u64);
    assert!(present >= before, "what was in is found there: {summary}");
    assert_eq!(numbers_once(&api, summary["queue_id"].as_i64().unwrap()).await, CALLS);

    let third = run(&mut client_command(&server, api.key(), &arguments(&file))).ok();
    assert!(third.contains(&format!("0 are new, {CALLS} had been there before")), "{third}");
}

#[tokio::test]
async fn an_import_outlives_its_server() {
    let (mut server, dir) = (sandbox(), tempfile::tempdir().unwrap());
    let (key, file) = (Api::sandbox(&server).key().to_owned(), write_people(dir.path()));
    let mut import = Process::spawn("trunkline import", &client_command(&server, &key, &arguments(&file)));
    crate::support::wait::until("some batches are in", || rows_done(&file).filter(|rows| *rows >= 2000));
    server.kill();
    assert_eq!(import.wait().code(), Some(4), "{}", import.output().text());
    assert!(import.output().text().contains("repeat the command to continue from there"), "{}", import.output().text());
    server.restart();
    let mut again = client_command(&server, &key, &arguments(&file));
    let summary = run(again.arg("--json")).json();
    let api = Api::new(&server, &key);
    assert_eq!(numbers_once(&api, summary["queue_id"].as_i64().unwrap()).await, CALLS);
}

#[test]
fn a_file_that_was_changed_in_between_is_refused() {
    let (server, dir) = (sandbox(), tempfile::tempdir().unwrap());
    let file = dir.path().join("a.csv");
    let import = |more: &[&str]| {
        let mut args = vec!["import", file.to_str().unwrap(), "--server", "server1"];
        args.extend(more);
        as_client(&server, &args)
    };
    fs::write(&file, "channel,application\nPJSIP/1@a,Echo\n").unwrap();
    assert!(import(&[]).ok().contains("1 calls are in queue 123: 1 are new"));
    assert!(import(&["--label", "again"]).ok().contains("1 are new"), "another label is another import");
    fs::write(&file, "channel,application\nPJSIP/2@a,Echo\n").unwrap();
    let changed = import(&["--label", "again"]);
    assert_eq!(changed.code, 2);
    assert!(changed.stderr.contains("is not what was imported before"), "{}", changed.stderr);
}

#[test]
fn another_server_gets_the_whole_file_though_the_first_has_it() {
    let (staging, production, dir) = (sandbox(), sandbox(), tempfile::tempdir().unwrap());
    let file = dir.path().join("a.csv");
    fs::write(&file, "channel,application\nPJSIP/1@endpoint1,Echo\n").unwrap();
    let import = |server| as_client(server, &["import", file.to_str().unwrap(), "--server", "server1"]).ok();
    for server in [&staging, &production] {
        assert!(import(server).contains(": 1 are new"), "this one had none");
    }
    for server in [&staging, &production] {
        assert!(import(server).contains(": 0 are new, 1 had been there before"));
    }
}

#[test]
fn errors_name_the_line_and_the_column() {
    let (server, dir) = (sandbox(), tempfile::tempdir().unwrap());
    let file = dir.path().join("a.csv");
    let import = || as_client(&server, &["import", file.to_str().unwrap(), "--server", "server1"]);
    fs::write(&file, "channel,application,retry\nPJSIP/1@a,Echo,x\nPJSIP/1@a\n").unwrap();
    let unreadable = import();
    assert_eq!(unreadable.code, 2);
    assert!(unreadable.stderr.contains("line 2, retry: `x` is not a whole number"), "{}", unreadable.stderr);
    assert!(unreadable.stderr.contains("line 3: has 1 columns"), "{}", unreadable.stderr);
    fs::write(&file, "channel,application,retry\nPJSIP/1@a,Echo,1\n,Echo,1\nPJSIP/1@a,Echo,101\n").unwrap();
    let refused = import();
    assert_eq!(refused.code, 3);
    assert!(refused.stderr.contains("line 3, channel: required"), "{}", refused.stderr);
    assert!(refused.stderr.contains("line 4, retry: must be 0 to 100"), "{}", refused.stderr);
    assert!(as_client(&server, &["queues", "list"]).ok().lines().count() == 1, "nothing was stored");
}
