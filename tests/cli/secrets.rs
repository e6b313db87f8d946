//! `trunkline secrets`: the keys of the secrets in the store are shown and rotated while a server runs; and a server's memory
//! is never dumped.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use diesel::{Connection, RunQueryDsl, SqliteConnection};
use serde_json::Value;

use crate::command::{Ran, as_admin, as_client, run};
use crate::support::postgres::Postgres;
use crate::support::server::{Options, Server, trunkline};
use crate::support::wait;

const FIRST: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SECOND: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn secrets(server: &Server, args: &[&str], keys: &[(&str, &str)]) -> Ran {
    let mut command = trunkline();
    command.arg("secrets").args(args).env("TRUNKLINE_DATA_DIR", server.data_dir()).envs(keys.iter().copied());
    run(&mut command)
}

/// Returns `state: count` of each key, with its id.
fn status(server: &Server, keys: &[(&str, &str)]) -> Vec<(String, String)> {
    let answer = secrets(server, &["status", "--json"], keys).json();
    let rows = answer["results"].as_array().unwrap().iter();
    let count = |row: &Value| row["servers"].as_i64().unwrap() + row["webhooks"].as_i64().unwrap();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    rows.map(|row| (format!("{}: {}", text(&row["state"]), count(row)), text(&row["key_id"]))).collect()
}

fn states(server: &Server, keys: &[(&str, &str)]) -> Vec<String> {
    status(server, keys).into_iter().map(|(state, _)| state).collect()
}

fn add(server: &Server, code: &str) {
    as_admin(
        server,
        &["servers", "add", code, "--host", "127.0.0.1", "--port", "1", "--username", "u", "--secret", "s"],
    )
    .ok();
}

fn wait_until_online(server: &Server) {
    wait::until("server1 is online", || {
        let shown = as_admin(server, &["servers", "show", "server1", "--json"]).json();
        (shown["status"] == "online").then_some(())
    });
}

fn last_error(server: &Server, code: &str, contains: &str) {
    wait::until("the error of the server", || {
        let shown = as_admin(server, &["servers", "show", code, "--json"]).json();
        shown["last_error"].as_str().is_some_and(|error| error.contains(contains)).then_some(())
    });
}

#[test]
fn the_key_file_is_rotated_while_the_server_runs_and_stays_connected() {
    let mut server = Options::default().arg("--sandbox").start();
    wait_until_online(&server);
    add(&server, "far");
    as_admin(&server, &["kill-switch", "status"]).ok();
    let first = status(&server, &[]);
    assert_eq!(first[0].0, "current: 2", "{first:?}");
    let logins = || server.output().text().matches("logged in to Asterisk").count();
    let before = logins();
    let ran = secrets(&server, &["rotate"], &[]);
    assert!(ran.stderr.contains("secret.key.previous"), "{}", ran.stderr);
    let second = status(&server, &[]);
    assert_eq!(ran.ok(), format!("secrets sealed with the key {}: 2, of which anew: 2\n", second[0].1));
    assert_eq!((second[0].0.as_str(), second[1].0.as_str()), ("current: 2", "previous: 0"));
    assert_eq!(second[1].1, first[0].1, "the earlier key was not kept");
    let file = server.data_dir().join("secret.key.previous");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // The server reads the new key by itself.
    as_admin(&server, &["servers", "test", "server1"]).ok();
    add(&server, "far2");
    assert_eq!(states(&server, &[]), ["current: 3", "previous: 0"]);
    as_client(&server, &["quick", "4930123401", "--server", "server1", "--application", "Echo"]).ok();
    wait_until_online(&server);
    assert_eq!(logins(), before, "the rotation broke the connection:\n{}", server.output().text());
    let audited = as_admin(&server, &["audit", "--json"]).json();
    assert!(audited.to_string().contains("RotateSecrets"), "{audited}");
    as_admin(&server, &["audit", "verify"]).ok();

    fs::remove_file(file).unwrap();
    server.restart();
    wait_until_online(&server);
    assert_eq!(states(&server, &[]), ["current: 3"]);
    secrets(&server, &["rotate"], &[]).ok();
    assert_eq!(states(&server, &[]), ["current: 3", "previous: 0"], "a second rotation made no new key");
}

#[test]
fn configured_keys_are_rotated_by_a_restart_and_a_command() {
    let dir = tempfile::tempdir().unwrap();
    let previous = dir.path().join("previous");
    fs::write(&previous, format!("{FIRST}\n")).unwrap();
    let previous = previous.to_str().unwrap();
    let mut server = Options::default().env("TRUNKLINE_SECRET_KEY", FIRST).start();
    add(&server, "far");
    server.stop();
    let both = [("TRUNKLINE_SECRET_KEY", SECOND), ("TRUNKLINE_PREVIOUS_SECRET_KEYS_FILE", previous)];
    assert_eq!(states(&server, &both), ["current: 0", "previous: 1"]);
    assert_eq!(states(&server, &both[..1]), ["current: 0", "missing: 1"]);
    let lost = secrets(&server, &["rotate"], &both[..1]);
    let id = status(&server, &both)[1].1.clone();
    assert_eq!(lost.code, 1, "{}", lost.stdout);
    assert!(lost.stderr.contains("servers/far: ") && lost.stderr.contains(&id), "{}", lost.stderr);
    let ran = secrets(&server, &["rotate"], &both);
    assert!(ran.ok().ends_with(": 1, of which anew: 1\n"));
    assert_eq!(states(&server, &both[..1]), ["current: 1"]);
    assert!(!server.data_dir().join("secret.key").exists(), "a configured key was ignored");
    let wrong = secrets(&server, &["status"], &[both[0], ("TRUNKLINE_PREVIOUS_SECRET_KEYS", "short")]);
    assert_eq!(wrong.code, 2, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("previous_secret_keys"), "{}", wrong.stderr);
}

#[test]
fn two_nodes_of_a_postgres_read_a_rotated_key_from_its_file() {
    let Some(mut postgres) = Postgres::start() else { return };
    let url = postgres.create_database();
    let dir = tempfile::tempdir().unwrap();
    let (current, previous) = (dir.path().join("current"), dir.path().join("previous"));
    fs::write(&current, FIRST).unwrap();
    fs::write(&previous, "").unwrap();
    let settings = [
        ("TRUNKLINE_DATABASE_URL", url.as_str()),
        ("TRUNKLINE_SECRET_KEY_FILE", current.to_str().unwrap()),
        ("TRUNKLINE_PREVIOUS_SECRET_KEYS_FILE", previous.to_str().unwrap()),
    ];
    let node = |options: Options| settings.iter().fold(options, |all, (name, value)| all.env(name, value)).start();
    let nodes = [node(Options::default().arg("--sandbox")), node(Options::default())];
    wait_until_online(&nodes[0]);
    add(&nodes[1], "far");
    fs::write(&previous, FIRST).unwrap();
    fs::write(&current, SECOND).unwrap();
    let ran = secrets(&nodes[0], &["rotate"], &settings);
    assert!(ran.ok().ends_with(": 2, of which anew: 2\n"));
    fs::write(&previous, "").unwrap();
    for node in &nodes {
        as_admin(node, &["servers", "test", "server1"]).ok();
    }
    add(&nodes[1], "far2");
    assert_eq!(states(&nodes[0], &settings), ["current: 3"]);
    as_admin(&nodes[1], &["audit", "verify"]).ok();
}

#[test]
fn a_missing_key_is_named_and_other_servers_are_dialed_through() {
    let mut server = Options::default().arg("--sandbox").start();
    add(&server, "far");
    let lost = status(&server, &[])[0].1.clone();
    fs::remove_file(server.data_dir().join("secret.key")).unwrap();
    server.restart();
    let said = server.output().text();
    assert!(said.lines().any(|line| line.contains("ERROR") && line.contains(&lost)), "{said}");
    last_error(&server, "far", &lost);
    wait_until_online(&server);
    let placed = as_client(&server, &["quick", "4930123401", "--server", "server1", "--application", "Echo", "--json"]);
    let call = placed.json()["call_id"].as_str().unwrap().to_owned();
    as_client(&server, &["watch", "--call", &call]).ok();
    let mut check = trunkline();
    let checked = run(check.arg("check").env("TRUNKLINE_DATA_DIR", server.data_dir()));
    assert_eq!(checked.code, 1, "{}", checked.stdout);
    let line = checked.stdout.lines().find(|line| line.starts_with("WRONG  secrets: ")).unwrap_or_default();
    assert!(line.contains(&lost), "{}", checked.stdout);
}

#[test]
fn a_secret_that_was_moved_to_another_server_is_refused() {
    let server = Options::default().arg("--sandbox").start();
    add(&server, "far");
    let path = server.data_dir().join("trunkline.db");
    let mut file = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut file).unwrap();
    let moved = "UPDATE servers SET secret = (SELECT secret FROM servers WHERE code = 'server1') WHERE code = 'far'";
    diesel::sql_query(moved).execute(&mut file).unwrap();
    let ran = as_admin(&server, &["servers", "test", "far"]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stdout.contains("was altered, or belongs to another row"), "{}", ran.stdout);
}

#[test]
fn the_server_dumps_no_core() {
    let server = Server::start();
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
}
