//! Runs a `trunkline` command to its end.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::api::Api;
use crate::support::server::{Server, trunkline};

/// The exit code and the output of a command.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Ran {
    /// Returns the output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// Returns the JSON output of a command that must have succeeded.
    #[track_caller]
    pub fn json(self) -> Value {
        serde_json::from_str(&self.ok()).expect("JSON")
    }
}

/// Returns the command `trunkline ARGS` with an API key.
pub fn client_command(server: &Server, key: &str, args: &[impl AsRef<OsStr>]) -> Command {
    let mut command = trunkline();
    command.args(args).env("TRUNKLINE_URL", server.url("")).env("TRUNKLINE_API_KEY", key);
    command.stdin(Stdio::null());
    command
}

/// Runs `trunkline ARGS` as the sandbox's client.
pub fn as_client(server: &Server, args: &[&str]) -> Ran {
    run(&mut client_command(server, Api::sandbox(server).key(), args))
}

/// Runs `trunkline ARGS` as the administrator.
pub fn as_admin(server: &Server, args: &[&str]) -> Ran {
    run(&mut client_command(server, &server.admin_key(), args))
}

pub fn run(command: &mut Command) -> Ran {
    command.output().expect("the binary runs").into()
}
