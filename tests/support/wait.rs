//! Waiting for a condition of another process, which no event of ours can announce.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before the test calls it lost. Generous: two cores run many servers at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

const PAUSE: Duration = Duration::from_millis(10);

/// Looks until `probe` yields a value, and panics with `what` when [`PATIENCE`] runs out.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        thread::park_timeout(PAUSE);
    }
}

/// [`until`] for tests that run on tokio: leaves the thread to other tasks between two looks.
pub async fn until_async<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    let mut looks = tokio::time::interval(PAUSE);
    loop {
        looks.tick().await;
        if let Some(value) = probe().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
    }
}
