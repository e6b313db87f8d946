//! Reloads the log filter and the TLS certificate at SIGHUP. Other settings need a restart.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::config::{Config, Flags};
use crate::telemetry::Log;

/// Reloads what can change while the server runs.
pub struct Reload {
    /// The flags that the server was started with; they name the configuration file.
    flags: Flags,
    log: Log,
    hangups: Signal,
    asked: Arc<Notify>,
}

impl Reload {
    /// Starts to receive SIGHUP, which no longer ends the process. Nothing is reloaded before [`Reload::run`].
    ///
    /// # Errors
    /// Returns the operating system's error if the handler cannot be installed.
    pub fn new(flags: Flags, log: Log) -> io::Result<Self> {
        Ok(Self { flags, log, hangups: signal(SignalKind::hangup())?, asked: Arc::default() })
    }

    /// Returns what is notified at each SIGHUP.
    pub fn asked(&self) -> Arc<Notify> {
        Arc::clone(&self.asked)
    }

    /// Sets the log filter again at each SIGHUP, until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(())) = stop.run_until_cancelled(self.hangups.recv()).await {
            self.asked.notify_one();
            self.set_filter();
        }
    }

    fn set_filter(&self) {
        let set = Config::load(&self.flags).and_then(|config| {
            self.log.set_filter(&config.log)?;
            Ok(config.log)
        });
        match set {
            Ok(filter) => info!(filter, "reloaded the log filter"),
            Err(error) => warn!(%error, "cannot reload the configuration; the log filter stays as it was"),
        }
    }
}
