//! Skips a test on a machine where a real part is not installed. On a laptop that is reported, in CI it is a failure.

/// Reports that the test cannot run because of `reason`. The caller then returns.
///
/// # Panics
/// Panics with `CI=true`, because everything must run in CI.
pub fn skipped(reason: &str) {
    assert!(!in_ci(), "cannot run in CI: {reason}");
    eprintln!("SKIPPED: {reason}");
}

/// Returns true for root, which mounts, namespaces and other users need.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|ci| ci == "true")
}
