//! Runs real Asterisks, several at a time, from the root file systems that `bin/test` prepares.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use tempfile::TempDir;

use super::ami::{Ami, Message};
use super::ports::{self, Port};
use super::process::Process;
use super::witness::Witness;
use super::{skip, wait};

/// The secret of all manager users: `dialer` (what dialing needs), `limited` (the same without `system`), `witness`.
pub const SECRET: &str = "asterisk-secret";

/// The directory for recordings as Asterisk sees it. The test reads them in [`Asterisk::recordings_dir`].
pub const RECORDINGS: &str = "/var/spool/asterisk/monitor";

/// The releases that tests run on: the current one and the oldest that is still in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V22,
    V16,
}

/// An Asterisk with its own ports, configuration, state and logs. It ends with the test at the latest.
///
/// All instances share one root file system. The directories that Asterisk writes to are mounted over it from the
/// instance's own, in a private mount namespace. Dialplan contexts, endpoints and manager users are in
/// `tests/data/asterisk/`.
pub struct Asterisk {
    process: Process,
    witness: Option<Witness>,
    ports: Ports,
    root: PathBuf,
    dir: TempDir,
}

struct Ports {
    ami: Port,
    sip: Port,
    phones: [Port; 2],
    nobody: Port,
}

/// The directories of each instance, with their places in the root file system.
const OWN_DIRS: [(&str, &str); 5] = [
    ("etc", "etc/asterisk"),
    ("lib", "var/lib/asterisk"),
    ("log", "var/log/asterisk"),
    ("spool", "var/spool/asterisk"),
    ("run", "run"),
];

impl Asterisk {
    /// Starts one with a [`Witness`] and returns when it has booted. Returns None and reports the skipped test if it
    /// cannot run here.
    pub fn start(version: Version) -> Option<Self> {
        Self::start_with(version, Some(Witness::default()))
    }

    /// Starts one without a witness, for measurements: the witness's session costs Asterisk time.
    pub fn start_unwatched(version: Version) -> Option<Self> {
        Self::start_with(version, None)
    }

    fn start_with(version: Version, witness: Option<Witness>) -> Option<Self> {
        let root = version.root()?;
        let ports = Ports::reserve();
        let dir = tempfile::Builder::new().prefix("trunkline-asterisk-").tempdir().expect("a temporary directory");
        configure(dir.path(), &ports);
        let process = launch(&root, dir.path());
        let mut asterisk = Self { process, witness, ports, root, dir };
        asterisk.wait_until_booted();
        Some(asterisk)
    }

    pub fn ami_port(&self) -> u16 {
        self.ports.ami.number()
    }

    pub fn sip_port(&self) -> u16 {
        self.ports.sip.number()
    }

    /// Returns the port at which `PJSIP/endpoint1` (index 0) or `PJSIP/endpoint2` (index 1) is called: run a sipp
    /// there.
    pub fn phone_port(&self, index: usize) -> u16 {
        self.ports.phones[index].number()
    }

    /// Opens a new connection, logged in as `dialer` with all events.
    pub fn ami(&self) -> Ami {
        let mut ami = Ami::connect(self.ami_port()).expect("Asterisk takes a connection");
        let answer = ami.login("dialer", SECRET, "on").expect("Asterisk answers a login");
        assert_eq!(answer.get("Response"), "Success", "{answer:?}");
        ami
    }

    /// Runs a command of Asterisk's console and returns what it prints.
    pub fn cli(&self, command: &str) -> String {
        self.try_cli(command).expect("Asterisk answers a command").unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    fn try_cli(&self, command: &str) -> io::Result<Result<String, Message>> {
        let mut ami = Ami::connect(self.ami_port())?;
        ami.login("witness", SECRET, "off")?;
        let answer = ami.request(&[("Action", "Command"), ("Command", command)])?;
        let printed = answer.all("Output").collect::<Vec<_>>().join("\n");
        Ok(if answer.get("Response") == "Success" { Ok(printed) } else { Err(answer) })
    }

    /// Returns the number of live channels.
    pub fn live_channels(&self) -> usize {
        let counts = self.cli("core show channels count");
        let first = counts.split_whitespace().next().and_then(|count| count.parse().ok());
        first.unwrap_or_else(|| panic!("no count in {counts:?}"))
    }

    /// Waits until the last channel is gone.
    pub fn wait_until_idle(&self) {
        wait::until("no channel is live", || (self.live_channels() == 0).then_some(()));
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log/full")).unwrap_or_default()
    }

    /// Returns the witness, which has Asterisk's own account of what it did.
    pub fn witness(&self) -> &Witness {
        self.witness.as_ref().expect("this Asterisk was started unwatched")
    }

    /// Returns [`RECORDINGS`] as the test sees it.
    pub fn recordings_dir(&self) -> PathBuf {
        self.dir.path().join("spool/monitor")
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends it as a power cut would. Its ports stay reserved for [`Self::restart`].
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same ports, after killing it if it runs. Channels are lost and files are kept.
    pub fn restart(&mut self) {
        self.kill();
        self.process = launch(&self.root, self.dir.path());
        self.wait_until_booted();
    }

    /// Makes its next start slow: it accepts logins and Originates a second or more before its dialplan is loaded.
    pub fn start_slowly(&self) {
        let path = self.dir.path().join("etc/extensions.conf");
        let mut dialplan = fs::read_to_string(&path).expect("a dialplan");
        dialplan.push_str("\n[padding]\n");
        for number in 0..30_000 {
            writeln!(dialplan, "exten => 9{number},1,NoOp()").expect("a String takes all");
        }
        fs::write(path, dialplan).expect("its own directory can be written");
    }

    fn wait_until_booted(&mut self) {
        let witness = self.witness.clone().unwrap_or_default();
        wait::until("Asterisk has booted", || {
            assert!(!self.process.has_ended(), "Asterisk ended: {}\n{}", self.process.output().text(), self.log());
            witness.listen(self.ami_port()).ok()
        });
        // The console learns this command a moment after the event.
        wait::until("Asterisk's console is ready", || self.try_cli("core show version").ok()?.ok());
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- log of Asterisk\n{}", self.log());
        }
    }
}

impl Version {
    /// Returns its root file system: the one that `bin/test` names, or the default place.
    pub fn root(self) -> Option<PathBuf> {
        let (variable, name) = match self {
            Self::V22 => ("TRUNKLINE_TEST_ASTERISK_22", "22"),
            Self::V16 => ("TRUNKLINE_TEST_ASTERISK_16", "16"),
        };
        let root = env::var_os(variable).map_or_else(|| cache_dir().join("asterisk").join(name), PathBuf::from);
        if !skip::is_root() {
            skip::skipped("a real Asterisk runs in its own namespaces, which needs root");
            return None;
        }
        if !root.join("usr/sbin/asterisk").exists() {
            skip::skipped(&format!("no Asterisk {name} in {}: run bin/test once", root.display()));
            return None;
        }
        Some(root)
    }
}

impl Ports {
    fn reserve() -> Self {
        Self {
            ami: Port::reserve(),
            sip: Port::reserve(),
            phones: [Port::reserve(), Port::reserve()],
            nobody: Port::reserve(),
        }
    }

    fn fill_in(&self, template: &str) -> String {
        let values = [
            ("@AMI_PORT@", self.ami.number().to_string()),
            ("@SIP_PORT@", self.sip.number().to_string()),
            ("@PHONE1_PORT@", self.phones[0].number().to_string()),
            ("@PHONE2_PORT@", self.phones[1].number().to_string()),
            ("@NOBODY_PORT@", self.nobody.number().to_string()),
            ("@RTP_START@", ports::RTP.start.to_string()),
            ("@RTP_END@", (ports::RTP.end - 1).to_string()),
            ("@SECRET@", SECRET.to_owned()),
        ];
        values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

fn cache_dir() -> PathBuf {
    let home = || env::home_dir().expect("a home directory").join(".cache");
    env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("trunkline")
}

fn configure(dir: &Path, ports: &Ports) {
    for own in ["etc", "lib", "log", "spool/monitor", "run/asterisk"] {
        fs::create_dir_all(dir.join(own)).expect("own directories");
    }
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/asterisk");
    for file in fs::read_dir(templates).expect("Asterisk's configuration").map(|entry| entry.expect("a file")) {
        let template = fs::read_to_string(file.path()).expect("a readable template");
        fs::write(dir.join("etc").join(file.file_name()), ports.fill_in(&template)).expect("a writable directory");
    }
}

fn launch(root: &Path, dir: &Path) -> Process {
    let mounts: String = OWN_DIRS
        .iter()
        .map(|(own, place)| format!("mount --bind {0}/{own} {1}/{place}\n", dir.display(), root.display()))
        .collect();
    let script = format!(
        "set -e\n{mounts}mount -t proc proc {0}/proc\nmount --rbind /dev {0}/dev\n\
         exec chroot {0} asterisk -f -U root -G root",
        root.display()
    );
    Process::spawn_isolated("Asterisk", Command::new("sh").args(["-c", &script]))
}
