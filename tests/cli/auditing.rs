//! `trunkline audit verify` and `audit export`, with an audit that someone with access to the database changed.

use std::fs;

use diesel::{Connection, RunQueryDsl, SqliteConnection};
use tempfile::TempDir;

use crate::command::{Ran, as_admin, run};
use crate::support::server::{Server, trunkline};

/// Starts a server whose audit has three entries.
fn audited() -> Server {
    let server = Server::start();
    for command in [&["engage", "--reason", "a test"][..], &["release"], &["engage", "--reason", "a fault"]] {
        as_admin(&server, &[&["kill-switch"], command].concat()).ok();
    }
    server
}

/// Sends statements to the server's database as someone with access to its file does.
fn raw(server: &Server, statements: &[&str]) {
    let path = server.data_dir().join("trunkline.db");
    let mut file = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut file).unwrap();
    for statement in statements {
        diesel::sql_query(*statement).execute(&mut file).unwrap();
    }
}

fn verify(server: &Server, args: &[&str]) -> Ran {
    as_admin(server, &[&["audit", "verify"], args].concat())
}

/// Verifies a file without a server and a key.
fn verify_file(dir: &TempDir, text: &str, args: &[&str]) -> Ran {
    let path = dir.path().join("audit.jsonl");
    fs::write(&path, text).unwrap();
    run(trunkline().args(["audit", "verify", "--file"]).arg(&path).args(args))
}

fn head(server: &Server) -> String {
    verify(server, &["--json"]).json()["head"].as_str().unwrap().to_owned()
}

#[test]
fn verify_names_the_first_entry_that_was_changed() {
    let server = audited();
    let head = head(&server);
    let ran = verify(&server, &[]);
    assert_eq!(ran.stdout, format!("the audit is intact; entries: 3, seq: 1 to 3, head: {head}\n"));
    assert!(ran.stderr.contains("keep the head outside of the database"), "{}", ran.stderr);
    let ran = verify(&server, &["--head", &head]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    raw(&server, &["DROP TRIGGER audit_is_never_changed", "UPDATE audit SET actor = 'mallory' WHERE seq = 2"]);
    let ran = verify(&server, &[]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    let said = "trunkline: audit entry 2 (seq 2): its content does not match its hash, so it was changed\n";
    assert_eq!(ran.stderr, said);
}

#[test]
fn a_removed_end_is_noticed_and_with_a_kept_head_also_if_all_traces_are_removed() {
    let server = audited();
    let head = head(&server);
    raw(&server, &["DROP TRIGGER audit_is_never_shortened", "DELETE FROM audit WHERE seq = 3"]);
    let ran = verify(&server, &[]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains(&format!("no audit entry has the hash {head}, the end that the server names")));
    raw(
        &server,
        &[
            "DROP TRIGGER audit_head_never_goes_back",
            "UPDATE audit_head SET seq = 2, hash = (SELECT hash FROM audit WHERE seq = 2)",
        ],
    );
    verify(&server, &[]).ok();
    let ran = verify(&server, &["--head", &head]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains(&format!("no audit entry has the hash {head}, the hash of --head")), "{}", ran.stderr);
    assert_eq!(verify(&server, &["--head", "abc"]).code, 2, "a text that is no hash was accepted");
}

#[test]
fn an_export_is_verified_without_the_server_and_continues_where_it_ended() {
    let server = audited();
    let head = head(&server);
    let dir = tempfile::tempdir().unwrap();
    let ran = as_admin(&server, &["audit", "export"]);
    assert!(ran.stderr.contains(&format!("the chain ends with seq 3 and the hash {head}")), "{}", ran.stderr);
    let all = ran.ok();
    assert_eq!(all.lines().count(), 3);
    assert!(verify_file(&dir, &all, &[]).ok().starts_with("the audit is intact; entries: 3, seq: 1 to 3, "));
    let changed = all.replacen("a fault", "no fault", 1);
    let ran = verify_file(&dir, &changed, &[]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
    assert!(ran.stderr.contains("audit entry 3 (seq 3): its content does not match its hash"), "{}", ran.stderr);
    let without_second: String =
        all.lines().enumerate().filter(|(n, _)| *n != 1).map(|(_, line)| format!("{line}\n")).collect();
    assert!(verify_file(&dir, &without_second, &[]).stderr.contains("audit entry 3 (seq 3): seq 2 was expected here"));
    assert_eq!(verify_file(&dir, "{}x\n", &[]).code, 2, "a file that is no export was accepted");

    let rest = as_admin(&server, &["audit", "export", "--after", "1"]).ok();
    assert_eq!(rest, all.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>());
    let first: serde_json::Value = serde_json::from_str(all.lines().next().unwrap()).unwrap();
    let before = first["hash"].as_str().unwrap();
    assert!(
        verify_file(&dir, &rest, &["--head", before])
            .ok()
            .starts_with("the audit is intact; entries: 2, seq: 2 to 3, ")
    );
    let ran = verify_file(&dir, &rest, &["--head", &"0".repeat(63).replacen('0', "12", 1)]);
    assert_eq!(ran.code, 1, "{}", ran.stdout);
}
