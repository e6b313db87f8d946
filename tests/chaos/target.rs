//! The Asterisk of a run: the sandbox in a process of its own, or a real Asterisk.

use crate::client::Destination;
use crate::observer::Observer;
use crate::support::asterisk::{self, Asterisk, Version};
use crate::support::ports::Port;
use crate::support::process::Process;
use crate::support::server::trunkline;
use crate::support::wait;

/// Which kind of Asterisk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sandbox,
    Asterisk(Version),
}

/// An Asterisk that is running or was killed.
pub enum Target {
    Sandbox { process: Process, port: Port },
    Asterisk(Box<Asterisk>),
}

impl Target {
    /// Starts it. Returns None and reports the skipped test if it cannot run here.
    pub fn start(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Sandbox => {
                let port = Port::reserve();
                Self::Sandbox { process: sandbox(port.number()), port }
            }
            Kind::Asterisk(version) => Self::Asterisk(Box::new(Asterisk::start_unwatched(version)?)),
        })
    }

    pub fn ami_port(&self) -> u16 {
        match self {
            Self::Sandbox { port, .. } => port.number(),
            Self::Asterisk(asterisk) => asterisk.ami_port(),
        }
    }

    /// Starts to receive its events.
    pub fn listen(&self, observer: &Observer) {
        let user = match self {
            Self::Sandbox { .. } => "dialer",
            Self::Asterisk(_) => "witness",
        };
        wait::until("Asterisk takes a second session", || {
            observer.listen(self.ami_port(), user, asterisk::SECRET).ok()
        });
    }

    pub fn kill(&mut self) {
        match self {
            Self::Sandbox { process, .. } => process.kill(),
            Self::Asterisk(asterisk) => asterisk.kill(),
        }
    }

    pub fn restart(&mut self) {
        match self {
            Self::Sandbox { process, port } => *process = sandbox(port.number()),
            Self::Asterisk(asterisk) => asterisk.restart(),
        }
    }

    /// Returns the destinations that can be called. The first one answers.
    pub fn destinations(&self) -> Vec<Destination> {
        let to = |name, channel, seconds| Destination { name, channel, seconds };
        let unallocated = match self {
            Self::Sandbox { .. } => "Local/100@unalloc/n",
            Self::Asterisk(_) => "Local/100@unallocated/n",
        };
        vec![
            to("answer", "Local/100@answer/n", "1"),
            to("talk", self.talk(), self.seconds()),
            to("busy", "Local/100@busy/n", "1"),
            to("congestion", "Local/100@congestion/n", "1"),
            to("noanswer", "Local/100@noanswer/n", "1"),
            to("unallocated", unallocated, "1"),
        ]
    }

    /// Returns the dial string of a destination that answers and stays for about a second.
    fn talk(&self) -> &'static str {
        match self {
            Self::Sandbox { .. } => "Local/100@talk/n",
            Self::Asterisk(_) => "Local/2@talk/n",
        }
    }

    /// Returns the data of `Wait` for that. The sandbox's time runs faster.
    fn seconds(&self) -> &'static str {
        match self {
            Self::Sandbox { .. } => "15",
            Self::Asterisk(_) => "1",
        }
    }
}

/// How many times faster than real phones the sandbox's phones are.
const SPEED: &str = "10";

fn sandbox(port: u16) -> Process {
    let mut command = trunkline();
    command.args(["sandbox", "--listen", &format!("127.0.0.1:{port}"), "--secret", asterisk::SECRET, "--speed", SPEED]);
    let mut process = Process::spawn("the sandbox", &command);
    process.wait_for("listening", |line| line.contains("sandbox listening").then_some(()));
    process
}
