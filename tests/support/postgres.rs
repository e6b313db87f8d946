//! Runs a real PostgreSQL from the binaries in Debian's package.
//!
//! Every test has its own server, which can be killed and restarted at will and shares no state. The slow part,
//! `initdb`, is done once for each build directory; a test copies the result and starts in some tenths of a second.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::ports::Port;
use super::process::Process;
use super::skip;

/// The user that Debian's package makes, because PostgreSQL refuses to run as root.
const USER: &str = "postgres";

/// Settings that turn off what a test does not need: the data survive a killed server, but not a power cut.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=200",
    "dynamic_shared_memory_type=mmap",
    "log_min_messages=warning",
];

/// A server on a free loopback port. It ends with the test at the latest.
pub struct Postgres {
    process: Process,
    port: Port,
    binaries: PathBuf,
    databases: u32,
    dir: TempDir,
}

impl Postgres {
    /// Starts one and returns when it accepts connections. Returns None and reports the skipped test if it is not
    /// installed.
    pub fn start() -> Option<Self> {
        let Some(binaries) = binaries() else {
            skip::skipped("no PostgreSQL in /usr/lib/postgresql: apt-get install postgresql");
            return None;
        };
        let port = Port::reserve();
        let dir = own_dir();
        run(Command::new("cp").arg("-a").arg(template(&binaries)).arg(dir.path().join("data")));
        let process = launch(&binaries, dir.path(), port.number());
        let mut postgres = Self { process, port, binaries, databases: 0, dir };
        postgres.wait_until_ready();
        Some(postgres)
    }

    /// Makes an empty database and returns its URL.
    pub fn create_database(&mut self) -> String {
        self.databases += 1;
        let name = format!("test{}", self.databases);
        run(Command::new(self.binaries.join("psql")).arg(self.url("postgres")).args([
            "--no-psqlrc",
            "--quiet",
            "--command",
            &format!("CREATE DATABASE {name} STRATEGY FILE_COPY"),
        ]));
        self.url(&name)
    }

    pub fn port(&self) -> u16 {
        self.port.number()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends SIGKILL to all its processes. The port stays reserved for [`Self::restart`].
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again with the same data, after killing it if it runs.
    pub fn restart(&mut self) {
        self.kill();
        self.process = launch(&self.binaries, self.dir.path(), self.port());
        self.wait_until_ready();
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port())
    }

    fn wait_until_ready(&mut self) {
        self.process.wait_for("readiness", |line| line.contains("ready to accept connections").then_some(()));
    }
}

/// Returns the directory with the programs of the newest installed version.
fn binaries() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let found = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    found.filter(|bin| bin.join("initdb").exists() && bin.join("psql").exists()).max()
}

/// Makes a directory that the server's user owns and can reach.
fn own_dir() -> TempDir {
    let dir = tempfile::Builder::new().prefix("trunkline-postgres-").tempdir().expect("a temporary directory");
    if skip::is_root() {
        run(Command::new("chown").arg(format!("{USER}:")).arg(dir.path()));
    }
    dir
}

/// Returns a fresh data directory to copy. The first test that needs it makes it, and the others wait.
fn template(binaries: &Path) -> PathBuf {
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let version = binaries.parent().and_then(Path::file_name).expect("/usr/lib/postgresql/VERSION/bin");
    let ready = shared.join("postgres-template").join(version);
    let lock = File::create(shared.join("postgres-template.lock")).expect("a lock in the build directory");
    lock.lock().expect("the lock");
    if !ready.exists() {
        let dir = own_dir();
        let data = dir.path().join("data");
        run(as_user(binaries.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--wal-segsize=1"])
            .arg(format!("--username={USER}"))
            .arg(&data));
        let partial = ready.with_extension("partial");
        drop(fs::remove_dir_all(&partial));
        fs::create_dir_all(shared.join("postgres-template")).expect("the build directory");
        run(Command::new("cp").arg("-a").arg(&data).arg(&partial));
        fs::rename(&partial, &ready).expect("a rename within the build directory");
    }
    ready
}

fn launch(binaries: &Path, dir: &Path, port: u16) -> Process {
    let mut server = as_user(binaries.join("postgres"));
    server.arg("-D").arg(dir.join("data")).arg("-k").arg(dir).args(["-p", &port.to_string()]);
    server.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
    if skip::is_root() { Process::spawn_isolated("PostgreSQL", &server) } else { Process::spawn("PostgreSQL", &server) }
}

/// Runs `program` as the server's user. Root changes to that user and then sets the parent's death signal again, which
/// the change clears.
fn as_user(program: PathBuf) -> Command {
    if !skip::is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups", "--pdeathsig", "KILL", "--"]).arg(program);
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
