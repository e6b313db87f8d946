//! Forbids core dumps, which would contain the secrets that are in memory.

use anyhow::Context;
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Keeps this process from ever writing a core dump, and other processes of the same user from reading its memory.
///
/// # Errors
/// Returns an error if the system refuses it.
pub fn forbid() -> anyhow::Result<()> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).context("cannot forbid core dumps")?;
    // The limit does not hold for a program that the kernel hands dumps to (`|` in core_pattern).
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("cannot forbid core dumps")
}
