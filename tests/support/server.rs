//! Runs the real `trunkline` binary as a server.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use tempfile::TempDir;
use trunkline::store::{self, Tx, nodes};

use super::process::{Output, Process};
use super::wait;

/// Options for `trunkline serve`, besides a free port and its own data directory.
#[derive(Clone, Debug, Default)]
pub struct Options {
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
    within: Vec<OsString>,
    data_dir: Option<PathBuf>,
}

/// A running `trunkline serve`, which ends with the test at the latest. Its output is shown if the test fails.
pub struct Server {
    process: Process,
    address: SocketAddr,
    options: Options,
    dir: TempDir,
}

impl Options {
    /// Adds a flag of `serve`, such as `--sandbox`.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets a variable, such as `TRUNKLINE_DATABASE_URL`.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Runs it through another program, such as `nsenter`, whose last arguments are the command.
    pub fn within<I: Into<OsString>>(mut self, program: impl IntoIterator<Item = I>) -> Self {
        self.within.extend(program.into_iter().map(Into::into));
        self
    }

    /// Sets the data directory as the server sees it.
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// Starts the server and returns when it listens.
    pub fn start(self) -> Server {
        let dir = tempfile::Builder::new().prefix("trunkline-server-").tempdir().expect("a temporary directory");
        let (process, address) = launch(&self, dir.path());
        Server { process, address, options: self, dir }
    }
}

impl Server {
    /// Starts a server with the defaults: SQLite in its data directory and no sandbox.
    pub fn start() -> Self {
        Options::default().start()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns `http://ADDRESS` followed by `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Takes the write lock of its SQLite, as if its disk hung, until the result is dropped.
    pub async fn hold_store(&self) -> Tx {
        let db = store::open(&format!("sqlite://{}", self.data_dir().join("trunkline.db").display())).expect("a store");
        // The server may be committing at the same moment.
        wait::until_async("the lock is ours", async || {
            let mut tx = db.begin().await.ok()?;
            // An UPDATE takes the lock even if no row matches.
            nodes::set_draining(&mut tx, "no such node", false).await.ok()?;
            Some(tx)
        })
        .await
    }

    pub fn data_dir(&self) -> PathBuf {
        data_dir(self.dir.path())
    }

    /// Returns the admin key that the first start wrote to a file.
    pub fn admin_key(&self) -> String {
        let file = self.data_dir().join("admin.key");
        let key = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        key.trim().to_owned()
    }

    pub fn output(&self) -> &Output {
        self.process.output()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Sends SIGTERM and waits for the end.
    pub fn stop(&mut self) -> ExitStatus {
        self.process.terminate()
    }

    /// Waits until it ends by itself or by a signal that was sent.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }

    /// Starts again with the same data on a new port, after killing the server if it runs.
    pub fn restart(&mut self) {
        self.kill();
        (self.process, self.address) = launch(&self.options, self.dir.path());
    }
}

/// Returns the binary as a command with a clean environment, without the variables of the developer's own server.
pub fn trunkline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkline"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRUNKLINE_")) {
        command.env_remove(name);
    }
    command
}

fn launch(options: &Options, dir: &Path) -> (Process, SocketAddr) {
    let mut command = within(&options.within, trunkline());
    command.arg("serve").args(&options.args).current_dir(dir);
    let data_dir = options.data_dir.clone().unwrap_or_else(|| data_dir(dir));
    command.env("TRUNKLINE_LISTEN", "127.0.0.1:0").env("TRUNKLINE_DATA_DIR", data_dir);
    command.envs(options.env.iter().map(|(name, value)| (name, value)));
    let mut process = Process::spawn("trunkline serve", &command);
    let address = process.wait_for("listening", listening_address);
    (process, address)
}

/// Returns `command` as the last arguments of `program`, if there is one, with its environment.
fn within(program: &[OsString], command: Command) -> Command {
    let [first, rest @ ..] = program else { return command };
    let mut outer = Command::new(first);
    outer.args(rest).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

fn data_dir(dir: &Path) -> PathBuf {
    dir.join("data")
}

/// Returns the address in a line with `listening on ADDR`, in either log format.
pub fn listening_address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on ")?;
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c))).unwrap_or(rest.len());
    rest[..end].trim_end_matches('.').parse().ok()
}
