//! A small disk that can be filled and a clock that can be set. Only the server under test uses them.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::process::Process;

/// A tmpfs in its own mount namespace. A process that does nothing else keeps it, and it goes away with that process.
pub struct Disk {
    holder: Process,
    dir: TempDir,
}

impl Disk {
    pub fn mount() -> Self {
        let dir = tempfile::Builder::new().prefix("trunkline-disk-").tempdir().expect("a temporary directory");
        // libfaketime leaves files of every killed process in /dev/shm; they go away with the namespace, too.
        let script = format!(
            "set -e; mount -t tmpfs -o size=64m none {}; mount -t tmpfs -o size=16m none /dev/shm; echo mounted; \
             exec tail -f /dev/null",
            dir.path().display()
        );
        let mut holder = Process::spawn_isolated("the disk", Command::new("sh").args(["-c", &script]));
        holder.wait_for("mounted", |line| (line == "mounted").then_some(()));
        Self { holder, dir }
    }

    /// Returns the command prefix that runs a program in the namespace where the disk is mounted.
    pub fn within(&self) -> Vec<String> {
        vec!["nsenter".into(), format!("--mount=/proc/{}/ns/mnt", self.holder.pid()), "--".into()]
    }

    /// Returns the directory as the server sees it.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the same directory as the test sees it.
    pub fn outside(&self) -> PathBuf {
        let inside = self.dir.path().strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.holder.pid().to_string()).join("root").join(inside)
    }

    fn filler(&self) -> PathBuf {
        self.outside().join("filler")
    }

    /// Fills the disk until no page is free.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a file on the disk");
        let block = vec![0; 4096];
        while filler.write_all(&block).is_ok() {}
    }

    pub fn free(&self) {
        drop(fs::remove_file(self.filler()));
    }
}

/// Finds libfaketime's library for programs with several threads.
fn library() -> Option<PathBuf> {
    let architectures = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
    architectures.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1")).find(|library| library.exists())
}

/// The wall clock of one server. Its monotonic clock is not changed, as when an operator sets the time.
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
    ahead: i64,
    _dir: TempDir,
}

impl Clock {
    /// Makes a clock. Returns None if libfaketime is not installed.
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

    /// Returns the environment of a server that uses this clock.
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

    /// Writes the file and renames it, because the library may read it at any moment.
    fn write(&self) {
        let next = self.file.with_extension("next");
        fs::write(&next, format!("{:+}\n", self.ahead)).expect("a writable directory");
        fs::rename(&next, &self.file).expect("the same directory");
    }
}
