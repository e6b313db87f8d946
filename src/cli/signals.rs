//! The signals that ask a command to stop.

use std::io;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// How long signals that follow the first one count as the same request. `timeout` signals a process and then its group,
/// as a terminal and a program that forwards signals do together.
const SAME_REQUEST: Duration = Duration::from_millis(100);

/// Receives SIGTERM and SIGINT. A signal that arrives between [`Signals::new`] and [`Signals::next`] is kept.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts to receive the signals, which end the process no longer by themselves.
    ///
    /// # Errors
    /// Returns the operating system's error if a handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for a request to stop, which is a signal and those that follow it within 100 ms.
    pub async fn next_request(&mut self) {
        self.next().await;
        sleep(SAME_REQUEST).await;
        while self.next().now_or_never().is_some() {}
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// Returns the operating system's error if a handler cannot be installed.
pub async fn asked_to_stop() -> anyhow::Result<()> {
    Signals::new()?.next().await;
    Ok(())
}
