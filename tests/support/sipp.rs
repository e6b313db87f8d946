//! Simulates a SIP phone on loopback with sipp.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::asterisk::{Asterisk, Version};
use super::ports::Port;
use super::process::Process;
use super::wait;

/// How the phone answers its calls. Each variant is a scenario in `tests/data/sipp/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// It rings, answers and waits for the caller to hang up.
    Answer,
    /// It rings, answers and hangs up two seconds later.
    HangUp,
    /// It answers with 486 (busy).
    Busy,
    /// It answers with 404 (not found).
    NotFound,
    /// It answers with 503 (unavailable).
    Unavailable,
    /// It rings until the caller gives up.
    Ring,
}

/// A phone at one of an Asterisk's endpoints. It ends with the test at the latest.
pub struct Sipp {
    process: Process,
    _own_ports: [Port; 2],
    dir: TempDir,
}

impl Sipp {
    /// Starts the phone of `endpoint1` (index 0) or `endpoint2` (index 1).
    pub fn start(asterisk: &Asterisk, index: usize, scenario: Scenario) -> Self {
        // The older release's sipp cannot bind its control socket to a given address.
        let root = Version::V22.root().expect("sipp comes with Asterisk 22");
        let port = asterisk.phone_port(index);
        let own_ports = [Port::reserve(), Port::reserve()];
        let dir = tempfile::Builder::new().prefix("trunkline-sipp-").tempdir().expect("a temporary directory");
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sipp").join(scenario.file());
        fs::copy(data, dir.path().join("scenario.xml")).expect("the scenario");
        let script = format!(
            "set -e\nmount --bind {dir} {root}/mnt\nmount --rbind /dev {root}/dev\n\
             exec chroot {root} sipp -sf /mnt/scenario.xml -i 127.0.0.1 -p {port} -mi 127.0.0.1 -mp {media} \
             -ci 127.0.0.1 -cp {control} -nostdin -trace_err -error_file /mnt/errors -trace_logs -log_file /mnt/calls",
            dir = dir.path().display(),
            root = root.display(),
            media = own_ports[0].number(),
            control = own_ports[1].number(),
        );
        let process = Process::spawn_isolated("sipp", Command::new("sh").args(["-c", &script]));
        let mut sipp = Self { process, _own_ports: own_ports, dir };
        sipp.wait_until_listening(port);
        sipp
    }

    /// Returns how many calls reached the phone, without counting retransmitted INVITEs.
    pub fn received(&self) -> usize {
        self.count("INVITE")
    }

    /// Returns how many calls were answered and acknowledged.
    pub fn answered(&self) -> usize {
        self.count("ANSWERED")
    }

    /// Returns how many calls the caller ended by BYE or CANCEL.
    pub fn ended(&self) -> usize {
        self.count("ENDED")
    }

    /// Returns how many calls the phone ended.
    pub fn hung_up(&self) -> usize {
        self.count("HUNG UP")
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    fn count(&self, what: &str) -> usize {
        let calls = fs::read_to_string(self.dir.path().join("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.starts_with(what)).count()
    }

    fn wait_until_listening(&mut self, port: u16) {
        wait::until("sipp listens", || {
            assert!(!self.process.has_ended(), "sipp ended:\n{}", self.process.output().text());
            std::net::UdpSocket::bind(("127.0.0.1", port)).is_err().then_some(())
        });
    }
}

impl Scenario {
    fn file(self) -> &'static str {
        match self {
            Self::Answer => "answer.xml",
            Self::HangUp => "hang-up.xml",
            Self::Busy => "busy.xml",
            Self::NotFound => "not-found.xml",
            Self::Unavailable => "unavailable.xml",
            Self::Ring => "ring.xml",
        }
    }
}
