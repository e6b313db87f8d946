//! Child processes that cannot outlive the test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use std::{fs, io, thread};

use rustix::process::{Pid, Signal, kill_process};

use super::wait::PATIENCE;

/// A running child and its output. The child and all its descendants end with this handle.
///
/// Dropping the handle kills the child. If the test process itself is killed, the kernel kills it: the child has
/// requested SIGKILL at its parent's death, and programs that fork run in a PID namespace that ends with its first
/// process, together with its private mounts.
pub struct Process {
    name: &'static str,
    child: Child,
    output: Output,
    isolated: bool,
}

/// The lines that a child has written to stdout and stderr so far, in the order in which they were read.
#[derive(Clone, Default)]
pub struct Output(Arc<(Mutex<Vec<String>>, Condvar)>);

/// The command that gives a child its own PID, mount and IPC namespaces. They end with their first process.
const ISOLATE: [&str; 7] = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--"];

impl Process {
    /// Starts `command` as a direct child.
    pub fn spawn(name: &'static str, command: &Command) -> Self {
        Self::start(name, command, &[])
    }

    /// Starts `command` as the first process of its own namespaces, which needs root.
    pub fn spawn_isolated(name: &'static str, command: &Command) -> Self {
        Self::start(name, command, &ISOLATE)
    }

    fn start(name: &'static str, command: &Command, prefix: &[&str]) -> Self {
        let mut child =
            spawn_guarded(wrapped(command, prefix)).unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let output = Output::default();
        output.collect(child.stdout.take());
        output.collect(child.stderr.take());
        Self { name, child, output, isolated: !prefix.is_empty() }
    }

    pub fn output(&self) -> &Output {
        &self.output
    }

    /// Waits for the first line for which `pick` returns a value.
    ///
    /// # Panics
    /// Panics with the process's output if the process ends without such a line, or if it takes too long.
    pub fn wait_for<T>(&mut self, what: &str, mut pick: impl FnMut(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.has_ended();
            if let Some(found) = self.output.find(&mut pick) {
                return found;
            }
            assert!(!ended, "{} ended before {what}:\n{}", self.name, self.output.text());
            assert!(Instant::now() < deadline, "{} did not reach {what}:\n{}", self.name, self.output.text());
            self.output.wait_for_more();
        }
    }

    /// Returns the process id as seen from outside of its namespace.
    pub fn pid(&self) -> u32 {
        self.inner_pid().map_or_else(|| self.child.id(), |pid| pid.as_raw_nonzero().get().unsigned_abs())
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Sends SIGKILL and returns when all its processes have ended.
    pub fn kill(&mut self) {
        match self.inner_pid() {
            // The first process of a namespace ends only after all others in it, and unshare ends after that.
            Some(inner) => kill_process(inner, Signal::KILL).ok(),
            None => self.child.kill().ok(),
        };
        self.child.wait().ok();
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM).ok();
        self.wait()
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let name = self.name;
        super::wait::until(&format!("{name} ends"), || self.child.try_wait().expect("own child"))
    }

    /// Returns the process that unshare forked, unless it has ended.
    fn inner_pid(&self) -> Option<Pid> {
        let outer = self.child.id();
        let children =
            self.isolated.then(|| fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")))?.ok()?;
        Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("---- output of {}\n{}", self.name, self.output.text());
        }
    }
}

impl Output {
    pub fn lines(&self) -> Vec<String> {
        self.lock().clone()
    }

    pub fn text(&self) -> String {
        self.lock().join("\n")
    }

    fn find<T>(&self, pick: impl FnMut(&str) -> Option<T>) -> Option<T> {
        self.lock().iter().map(String::as_str).find_map(pick)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns at the next line, or soon in any case, so that the caller notices if the process ends without one.
    fn wait_for_more(&self) {
        drop(self.0.1.wait_timeout(self.lock(), std::time::Duration::from_millis(20)));
    }

    fn collect(&self, stream: Option<impl Read + Send + 'static>) {
        let output = self.clone();
        let Some(stream) = stream else { return };
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                output.lock().push(String::from_utf8_lossy(&line).into_owned());
                output.0.1.notify_all();
            }
        });
    }
}

/// Returns `command` with `prefix` before it and with its environment and directory, so that it ends with its parent.
fn wrapped(command: &Command, prefix: &[&str]) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--pdeathsig", "KILL", "--"]).args(prefix).arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(key, value),
            None => wrapped.env_remove(key),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        wrapped.current_dir(dir);
    }
    wrapped.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    wrapped
}

/// Starts a child from a thread that lives as long as the process. The "parent" of the death signal is the thread that
/// started the child, and a runtime's idle threads end early.
fn spawn_guarded(command: Command) -> io::Result<Child> {
    type Order = (Command, Sender<io::Result<Child>>);
    static SPAWNER: LazyLock<Sender<Order>> = LazyLock::new(|| {
        let (orders, received) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in received {
                drop(answer.send(command.spawn()));
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    SPAWNER.send((command, answer)).map_err(io::Error::other)?;
    child.recv().map_err(io::Error::other)?
}
