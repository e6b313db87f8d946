//! `--client`: an administrator's key works with the commands for queues and calls.

use std::fs;

use serde_json::json;

use crate::command::{as_admin, as_client};
use crate::support::server::{Options, Server};

const QUICK: [&str; 7] = ["quick", "4930123401", "--server", "server1", "--application", "Wait", "--json"];

/// Starts a server with the client of the sandbox and another one.
fn two_clients() -> Server {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("100").start();
    as_admin(&server, &["clients", "create", "other", "--account-code", "other"]).ok();
    server
}

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

#[test]
fn an_administrator_without_a_client_is_told_to_name_one_and_then_acts_for_it() {
    let server = two_clients();
    let refused = as_admin(&server, &QUICK);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("required with an administrator's key"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--client"), "the error names the flag: {}", refused.stderr);
    assert!(!refused.stderr.contains("admin.key"), "the key is right: {}", refused.stderr);

    let placed = as_admin(&server, &with(&QUICK, &["--client", "sandbox"])).json();
    let call_id = placed["call_id"].as_str().unwrap();
    assert_eq!(as_client(&server, &["call", "show", call_id, "--json"]).json()["call_id"], call_id);

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("people.csv");
    fs::write(&file, "channel,application\nPJSIP/4930123401@endpoint1,Wait\n").unwrap();
    let file = file.to_str().unwrap();
    let import = ["import", file, "--server", "server1", "--json"];
    let imported = as_admin(&server, &with(&import, &["--client", "sandbox"])).json();
    assert_eq!(imported["inserted_count"], 1);
    let again = as_client(&server, &import).json();
    assert_eq!((&again["inserted_count"], &again["present_count"]), (&json!(0), &json!(1)), "it is the same import");
    let created = as_admin(&server, &["queues", "create", "--name", "x", "--client", "other", "--json"]).json();
    assert_eq!(created["client_id"], 2);
}

#[test]
fn lists_reports_and_single_queues_are_those_of_the_client_that_is_named() {
    let server = two_clients();
    let placed = as_client(&server, &QUICK).json();
    let (queue, call) = (placed["queue_id"].to_string(), placed["call_id"].as_str().unwrap());
    let count = |args: &[&str]| as_admin(&server, args).json()["count"].clone();
    assert_eq!(count(&["queues", "list", "--client", "sandbox", "--json"]), 1);
    assert_eq!(count(&["queues", "list", "--client", "1", "--json"]), 1);
    assert_eq!(count(&["queues", "--client", "other", "list", "--json"]), 0);
    assert_eq!(count(&["webhooks", "list", "--client", "other", "--json"]), 0);
    as_admin(&server, &["report", "--client", "other", "--json"]).json();
    as_admin(&server, &["export", "--queue", &queue, "--client", "sandbox"]).ok();
    for args in [
        vec!["queues", "cancel", &queue],
        vec!["queues", "show", &queue],
        vec!["export", "--queue", &queue],
        vec!["watch", "--call", call],
        vec!["call", "show", call],
        vec!["call", "cancel", call],
    ] {
        let refused = as_admin(&server, &with(&args, &["--client", "other"]));
        assert_eq!(refused.code, 3, "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains("does not belong to client other"), "{args:?}: {}", refused.stderr);
    }
    assert_eq!(as_admin(&server, &["calls", "list", "--client", "other", "--json"]).json()["results"], json!([]));
    as_admin(&server, &["call", "show", call, "--client", "sandbox"]).ok();
    let shown = as_client(&server, &["call", "show", call, "--json"]).json();
    assert_ne!(shown["status"], "canceled", "the queue of another client was left alone");
    let missing = as_admin(&server, &["queues", "list", "--client", "nobody"]);
    assert_eq!((missing.code, missing.stderr.contains("there is no client nobody")), (3, true), "{}", missing.stderr);
}

#[test]
fn a_clients_key_may_name_its_own_client_and_no_other() {
    let server = two_clients();
    for own in ["sandbox", "1"] {
        as_client(&server, &["queues", "list", "--client", own]).ok();
    }
    let other = as_client(&server, &["queues", "list", "--client", "other"]);
    assert_eq!(other.code, 3);
    assert!(other.stderr.contains("the key belongs to client sandbox"), "{}", other.stderr);
    let other = as_client(&server, &["queues", "list", "--client", "2"]);
    assert!(other.stderr.contains("only an administrator may name another client"), "{}", other.stderr);
}

#[test]
fn a_do_not_call_list_is_filled_from_a_file_and_wrong_lines_are_named() {
    let server = two_clients();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("numbers.txt");
    fs::write(&file, "number,why\r\n+49 151 2345,\"asked, twice\"\r\n\r\n0049 151 2345\r\n4930111\r\n").unwrap();
    let path = file.to_str().unwrap();
    let import = ["do-not-call", "import", path, "--json"];
    assert_eq!(as_client(&server, &import).json(), json!({ "count": 3, "added_count": 2 }));
    assert_eq!(as_client(&server, &import).json(), json!({ "count": 3, "added_count": 0 }));
    let found = as_admin(&server, &["do-not-call", "check", "0049 151 2345", "--client", "sandbox", "--json"]).json();
    assert_eq!(
        (&found["results"][0]["number"], &found["results"][0]["reason"]),
        (&json!("491512345"), &json!("asked, twice"))
    );
    let absent = as_admin(&server, &["do-not-call", "check", "491512345", "--client", "other"]);
    assert_eq!((absent.code, absent.stderr.contains("is not on the do-not-call list")), (1, true), "{}", absent.stderr);
    assert_eq!(as_admin(&server, &["do-not-call", "check", "491512345", "--platform"]).code, 1);

    let many: String = (0..1500).map(|index| format!("+49151{index:07}\n")).collect();
    fs::write(&file, format!("{many}bob\n")).unwrap();
    let refused = as_client(&server, &import);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("line 1501, number: "), "{}", refused.stderr);
}
