//! Checks that `docs/cli.md` is true: its commands are run in order against a fresh `trunkline serve --sandbox`.
//!
//! A block of the kind `console` is a session: a line that begins with `$ ` is a command, and the lines after it are
//! what it prints to standard output and standard error. `[..]` matches any text within a line, and a line `...` any
//! lines. A block whose kind ends in a file name is that file. Blocks `console admin` use the admin key, all others the
//! key of the sandbox's client.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::api::Api;
use crate::support::server::{Options, Server, trunkline};

const DOCUMENT: &str = include_str!("../../docs/cli.md");

struct Block<'d> {
    kind: &'d str,
    text: String,
}

fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open = false;
    for line in document.lines() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(kind) => {
                blocks.push(Block { kind, text: String::new() });
                open = true;
            }
            None if open => {
                let block = blocks.last_mut().expect("an open block");
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// Returns true if `line` matches `pattern`, in which `[..]` matches any text.
fn line_fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once("[..]") {
        None => pattern == line,
        Some((before, rest)) => line.strip_prefix(before).is_some_and(|line| {
            (0..=line.len()).filter(|at| line.is_char_boundary(*at)).any(|at| line_fits(rest, &line[at..]))
        }),
    }
}

fn fits(pattern: &[&str], lines: &[&str]) -> bool {
    match pattern {
        [] => lines.is_empty(),
        ["...", rest @ ..] => (0..=lines.len()).any(|at| fits(rest, &lines[at..])),
        [first, rest @ ..] => {
            lines.split_first().is_some_and(|(line, lines)| line_fits(first, line) && fits(rest, lines))
        }
    }
}

fn run(command: &str, key: &str, server: &Server, dir: &Path) -> String {
    let binaries = Path::new(env!("CARGO_BIN_EXE_trunkline")).parent().expect("a directory");
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("{{ {command}\n}} 2>&1")]).current_dir(dir).env("PATH", path);
    for (name, value) in trunkline().get_envs() {
        if value.is_none() {
            shell.env_remove(name);
        }
    }
    let output = shell.env("TRUNKLINE_URL", server.url("")).env("TRUNKLINE_API_KEY", key).output().expect("bash");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn every_command_prints_what_the_document_says() {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("100").start();
    let (client, admin) = (Api::sandbox(&server).key().to_owned(), server.admin_key());
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut commands = 0;
    for block in blocks(DOCUMENT) {
        let key = match block.kind {
            "console admin" => &admin,
            "console" => &client,
            kind => {
                if let Some((_, file)) = kind.split_once(' ') {
                    fs::write(dir.path().join(file), block.text).unwrap();
                }
                continue;
            }
        };
        for session in format!("\n{}", block.text).split("\n$ ").skip(1) {
            let (command, expected) = session.split_once('\n').unwrap_or((session, ""));
            let said = run(command, key, &server, dir.path());
            let (expected, lines): (Vec<_>, Vec<_>) =
                (expected.trim_end().lines().collect(), said.trim_end().lines().collect());
            commands += 1;
            if !fits(&expected, &lines) {
                wrong.push(format!(
                    "$ {command}\n{}\n---- and the document says\n{}",
                    said.trim_end(),
                    expected.join("\n")
                ));
            }
        }
    }
    assert!(commands > 30, "{commands} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Collects the commands that do something, as the user types them.
fn leaves(command: &clap::Command, path: &str, found: &mut Vec<String>) {
    let below: Vec<_> = command.get_subcommands().filter(|command| command.get_name() != "help").collect();
    if below.is_empty() {
        found.push(path.to_owned());
    }
    for command in below {
        leaves(command, &format!("{path} {}", command.get_name()), found);
    }
}

#[test]
fn every_command_stands_in_the_document() {
    let mut commands = Vec::new();
    leaves(&trunkline::cli::commands(), "trunkline", &mut commands);
    assert!(commands.len() > 40, "{commands:?}");
    let consoles: String = blocks(DOCUMENT)
        .into_iter()
        .filter(|block| block.kind.starts_with("console"))
        .map(|block| block.text)
        .collect();
    let shown =
        |command: &String| consoles.contains(&format!("{command} ")) || consoles.contains(&format!("{command}\n"));
    let missing: Vec<_> = commands.iter().filter(|command| !shown(command)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn wildcards_fit_what_they_stand_for_and_no_more() {
    assert!(line_fits("a[..]c", "abc") && line_fits("[..]", "") && !line_fits("a[..]c", "abd"));
    assert!(fits(&["a", "...", "c"], &["a", "b", "b", "c"]) && !fits(&["a"], &["a", "b"]));
}
