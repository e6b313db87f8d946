//! What scripts can rely on: the exit codes, and an error text that says what to do.

use std::net::TcpListener;

use crate::command::{Ran, as_admin, as_client, client_command, run};
use crate::support::server::{Options, Server, trunkline};

fn without_server(args: &[&str]) -> Ran {
    run(trunkline().args(args).env("TRUNKLINE_API_KEY", "x"))
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    assert_eq!(without_server(&["clients", "lst"]).code, 2);
    assert_eq!(without_server(&["queues", "show", "not-a-number"]).code, 2);
    let ran = without_server(&["queues", "list", "--url", "ftp://x"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("must begin with http:// or https://"), "{}", ran.stderr);
    let ran = run(trunkline().args(["queues", "list"]));
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("TRUNKLINE_API_KEY"), "{}", ran.stderr);
}

#[test]
fn a_server_that_is_not_there_exits_with_4_and_says_where_it_was_looked_for() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = without_server(&["queues", "list", "--url", &format!("http://{address}")]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains(&address.to_string()) && ran.stderr.contains("refused"), "{}", ran.stderr);
    assert!(ran.stderr.contains("is the server running"), "{}", ran.stderr);
}

#[test]
fn what_the_server_refuses_exits_with_3() {
    let server = Options::default().arg("--sandbox").start();
    let wrong_key = run(&mut client_command(&server, "tl_live_no_such_key", &["queues", "list"]));
    assert_eq!(wrong_key.code, 3);
    assert!(wrong_key.stderr.contains("missing or invalid API key"), "{}", wrong_key.stderr);
    let not_admin = as_client(&server, &["servers", "list"]);
    assert_eq!(not_admin.code, 3);
    assert!(not_admin.stderr.contains("admin.key"), "{}", not_admin.stderr);
    let missing = as_client(&server, &["queues", "pause", "99999"]);
    assert_eq!((missing.code, missing.stderr.as_str()), (3, "trunkline: queue 99999 not found\n"));
    let fields = as_admin(&server, &["servers", "add", "a b"]);
    assert_eq!(fields.code, 3);
    for field in ["  code: ", "  host: ", "  username: ", "  secret: "] {
        assert!(fields.stderr.contains(field), "{}", fields.stderr);
    }
}

#[test]
fn json_is_what_rest_answers() {
    let server = Options::default().arg("--sandbox").start();
    let list = as_admin(&server, &["servers", "list", "--json"]).json();
    assert_eq!(list["count"], 1);
    assert_eq!(list["results"][0]["code"], "server1");
    assert!(list["results"][0]["created_at"].as_str().unwrap().ends_with('Z'));
    let clients = as_admin(&server, &["clients", "list", "--json"]).json();
    assert!(clients["results"][0]["client_id"].is_i64(), "{clients}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let server = Server::start();
    let url = server.url("");
    let script =
        r#"for what in 'clients list' 'completions bash'; do "$BIN" $what | true; echo "${PIPESTATUS[0]}"; done"#;
    let mut bash = std::process::Command::new("bash");
    bash.args(["-c", script]).env("BIN", env!("CARGO_BIN_EXE_trunkline"));
    let ran = run(bash.env("TRUNKLINE_URL", url).env("TRUNKLINE_API_KEY", server.admin_key()));
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("0\n0\n", ""));
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(without_server(&["completions", shell]).ok().contains("kill-switch"), "{shell}");
    }
}
