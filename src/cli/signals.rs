//! The signals that ask a command to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

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
