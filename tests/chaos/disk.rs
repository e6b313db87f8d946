//! A small disk that can be full, and a clock that can be set: both are the server's alone.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::process::Process;

/// A tmpfs in a mount namespace of its own, held by a process that does nothing else. Gone with it.
pub struct Disk {
    holder: Process,
    dir: TempDir,
}

impl Disk {
    pub fn mount() -> Self {
        let dir = tempfile::Builder::new().prefix("trunkline-disk-").tempdir().expect("a temporary directory");
        // libfaketime leaves something of every killed process in /dev/shm; there, too, it goes with the namespace.
        let script = format!(
            "set -e; mount -t tmpfs -o size=64m none {}; mount -t tmpfs -o size=16m none /dev/shm; echo mounted; \
             exec tail -f /dev/null",
            dir.path().display()
        );
        let mut holder = Process::spawn_isolated("the disk", Command::new("sh").args(["-c", &script]));
        holder.wait_for("mounted", |line| (line == "mounted").then_some(()));
        Self { holder, dir }
    }

    /// Runs what follows it where the disk is mounted.
    pub fn within(&self) -> Vec<String> {
        vec!["nsenter".into(), format!("--mount=/proc/{}/ns/mnt", self.holder.pid()), "--".into()]
    }

    /// The place as the server sees it.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The same place as the test sees it.
    pub fn outside(&self) -> PathBuf {
        let inside = self.dir.path().strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.holder.pid().to_string()).join("root").join(inside)
    }

    fn filler(&self) -> PathBuf {
        self.outside().join("filler")
    }

    /// Leaves not one page free.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file on the disk");
        let block = vec![0; 4096];
        while filler.write_all(&block).is_ok() {}
    }

    pub fn free(&self) {
        drop(fs::remove_file(self.filler()));
    }
}

/// libfaketime's library for programs of many threads.
fn library() -> Option<PathBuf> {
    let architectures = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    architectures.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.exists())
}

/// The wall clock of one server. Its monotonic clock is left alone, as it is when an operator sets the time.
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
    ahead: i64,
    _dir: TempDir,
}

impl Clock {
    /// None where libfaketime is not installed.
    pub fn new() -> Option<Self> {
        let Some(library) = library() else {
            crate::support::skip::skipped("no libfaketime: the clock does not jump in this run");
            return None;
        };
        let dir = tempfile::Builder::new().prefix("trunkline-clock-").tempdir().expect("a temporary directory");
        let clock = Self { library, file: dir.path().join("offset"), ahead: 0, _dir: dir };
        clock.write();
        Some(clock)
    }

    /// The environment of a server that lives by this clock.
    pub fn env(&self) -> [(&'static str, String); 4] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ]
    }

    pub fn jump(&mut self, seconds: i64) {
        self.ahead += seconds;
        self.write();
    }

    /// Replaced as a whole: the library may read it at any moment.
    fn write(&self) {
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{:+}\n", self.ahead)).expect("a writable directory");
        fs::rename(&next, &self.file).expect("the same directory");
    }
}
