//! What a test does on a machine that lacks a real part: skip loudly on a laptop, fail in CI.

/// Reports that the running test cannot run because of `reason`; the caller returns after it.
///
/// # Panics
/// With `CI=true`: there, everything has to run.
pub fn skipped(reason: &str) {
    assert!(!in_ci(), "cannot run in CI: {reason}");
    eprintln!("SKIPPED: {reason}");
}

/// Mounts, namespaces and other users need root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}
