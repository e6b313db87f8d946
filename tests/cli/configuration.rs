//! The configuration file, variables and flags, and the files that the first start creates.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::command::{Ran, as_admin, run};
use crate::support::server::{Options, trunkline};

fn check(dir: &TempDir, file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Ran {
    let path = dir.path().join("trunkline.toml");
    fs::write(&path, file).unwrap();
    let mut command = trunkline();
    command.arg("check").args(flags).env("TRUNKLINE_CONFIG", &path).env("TRUNKLINE_DATA_DIR", dir.path().join("data"));
    run(command.envs(variables.iter().copied()))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = "node_name = 'of-the-file'";
    assert!(check(&dir, file, &[], &[]).ok().contains("node of-the-file"));
    let variable = [("TRUNKLINE_NODE_NAME", "12")];
    assert!(check(&dir, file, &variable, &[]).ok().contains("node 12\n"));
    assert!(check(&dir, file, &variable, &["--node-name", "of-the-flag"]).ok().contains("node of-the-flag"));
}

#[test]
fn an_unknown_key_exits_with_2_and_one_line_wherever_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    for ran in [check(&dir, "listn = 'x'", &[], &[]), check(&dir, "", &[("TRUNKLINE_LISTN", "x")], &[])] {
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("listn") && ran.stderr.lines().count() == 1, "{}", ran.stderr);
    }
    let ran = check(&dir, "", &[("TRUNKLINE_LOG", "trunkline=loud")], &[]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let ran = check(&dir, "", &[("TRUNKLINE_TLS_CERT", "/a.pem")], &[]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let ran = check(&dir, "", &[("TRUNKLINE_ADMIN_KEY_FILE", "/nowhere")], &[]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn what_the_first_start_makes_is_for_its_owner_alone() {
    let mut server = Options::default().start();
    let data = server.data_dir();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("admin.key")), 0o600);
    assert_eq!(mode(&data.join("secret.key")), 0o600);
    assert!(!server.output().text().contains(&server.admin_key()), "the key itself is never logged");
    assert!(server.output().text().contains("admin.key"));
    assert!(server.stop().success());
}

#[test]
fn a_secret_can_come_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    fs::write(&file, "an-admin-key-of-my-own\n").unwrap();
    let server = Options::default().env("TRUNKLINE_ADMIN_KEY_FILE", &file).start();
    let mut command = trunkline();
    command.args(["clients", "list"]).env("TRUNKLINE_URL", server.url("")).env("TRUNKLINE_API_KEY_FILE", &file);
    assert!(run(&mut command).ok().starts_with("CLIENT_ID"));
    // The variable with a client's key may stay set while one command is run as an administrator.
    let mut command = trunkline();
    command.args(["clients", "list", "--api-key-file"]).arg(&file);
    command.env("TRUNKLINE_URL", server.url("")).env("TRUNKLINE_API_KEY", "another");
    assert!(run(&mut command).ok().starts_with("CLIENT_ID"));
}

#[test]
fn check_says_what_is_wrong_with_store_and_servers() {
    let mut server = Options::default().arg("--sandbox").start();
    let data = server.data_dir();
    let check = |url: Option<&str>| {
        let mut command = trunkline();
        command.arg("check").env("TRUNKLINE_DATA_DIR", &data);
        if let Some(url) = url {
            command.env("TRUNKLINE_DATABASE_URL", url).env("TRUNKLINE_SECRET_KEY", "x".repeat(44));
        }
        run(&mut command)
    };
    let good = check(None).ok();
    assert!(good.contains("ok     store: SQLite can be reached"), "{good}");
    assert!(good.contains("ok     server server1: logged in to 127.0.0.1:"), "{good}");
    assert!(server.stop().success());
    let bad = check(None);
    assert_eq!(bad.code, 1, "{}", bad.stdout);
    assert!(bad.stdout.contains("WRONG  server server1: cannot connect to 127.0.0.1:"), "{}", bad.stdout);
    assert!(bad.stderr.contains("1 check failed"), "{}", bad.stderr);
    let away = check(Some("postgres://nobody@127.0.0.1:1/none"));
    assert_eq!(away.code, 1, "{}", away.stdout);
    assert!(away.stdout.contains("WRONG  store: "), "{}", away.stdout);
}

#[test]
fn a_public_address_without_tls_needs_consent() {
    let dir = tempfile::tempdir().unwrap();
    let listen = ("TRUNKLINE_LISTEN", "0.0.0.0:0");
    let mut serve = trunkline();
    serve.arg("serve").env("TRUNKLINE_DATA_DIR", dir.path().join("data")).env(listen.0, listen.1);
    let refused = run(&mut serve);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("0.0.0.0:0 can be reached by other machines"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--insecure-public"), "{}", refused.stderr);
    assert!(!dir.path().join("data").exists(), "nothing was created");

    let checked = check(&dir, "", &[listen], &[]);
    assert_eq!(checked.code, 1, "{}", checked.stderr);
    assert!(checked.stdout.contains("WRONG  listen: listen: 0.0.0.0:0"), "{}", checked.stdout);
    let warned = check(&dir, "insecure_public = true", &[listen], &[]).ok();
    assert!(warned.contains("WARN   listen: 0.0.0.0:0 is served without TLS"), "{warned}");

    drop(Options::default().env(listen.0, listen.1).arg("--insecure-public").start());
    drop(Options::default().env(listen.0, listen.1).env("TRUNKLINE_INSECURE_PUBLIC", "true").start());
    let tls = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name);
    let served = Options::default().env(listen.0, listen.1).env("TRUNKLINE_TLS_CERT", tls("localhost.pem"));
    drop(served.env("TRUNKLINE_TLS_KEY", tls("localhost.key")).start());
}

#[test]
fn a_plain_connection_to_another_machine_is_warned_of() {
    let server = Options::default().start();
    // Nothing is there: the address is reserved for documentation.
    let add = ["servers", "add", "far", "--host", "192.0.2.1", "--username", "dialer", "--secret", "dialer-secret"];
    as_admin(&server, &add).ok();
    let tested = as_admin(&server, &["servers", "test", "far"]);
    assert!(tested.stdout.contains("192.0.2.1 is another machine, and without TLS"), "{tested:?}");
    let mut command = trunkline();
    let checked = run(command.arg("check").env("TRUNKLINE_DATA_DIR", server.data_dir()));
    assert!(checked.stdout.contains("WARN   server far: 192.0.2.1 is another machine"), "{}", checked.stdout);

    as_admin(&server, &["servers", "update", "far", "--tls", "true"]).ok();
    let tested = as_admin(&server, &["servers", "test", "far"]);
    assert!(!tested.stdout.contains("another machine"), "{tested:?}");
}

#[test]
fn two_migrations_at_once_both_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let migrate = || {
        let mut command = trunkline();
        command.arg("migrate").env("TRUNKLINE_DATA_DIR", dir.path()).env("TRUNKLINE_LOG_FORMAT", "text");
        command.stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let running = [migrate(), migrate(), migrate(), migrate()];
    let done: Vec<Ran> = running.into_iter().map(|child| child.wait_with_output().unwrap().into()).collect();
    assert!(done.iter().all(|ran| ran.code == 0), "{done:?}");
    let nothing =
        done.iter().filter(|ran| ran.stderr.contains("applied=0") || ran.stderr.contains("applied\u{1b}")).count();
    assert!(nothing >= 3, "one of them did it all: {done:?}");
}
