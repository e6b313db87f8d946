//! What SIGHUP reads anew: the log filter and the TLS certificate. The rest of the configuration needs a new start.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::tls::Certificate;
use crate::config::{Config, Flags};
use crate::telemetry::Log;

/// What can be read anew while the server runs.
pub struct Reload {
    /// What the server was started with; the file that it names is read again.
    pub flags: Flags,
    /// Takes another filter.
    pub log: Log,
    /// Read again by itself too, when its files change.
    pub certificate: Option<Arc<Certificate>>,
}

impl Reload {
    /// Starts to listen for SIGHUP, until `stop`.
    pub fn start(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut hangup = signal(SignalKind::hangup())?;
        let asked = Arc::new(Notify::new());
        if let Some(certificate) = &self.certificate {
            tokio::spawn(Arc::clone(certificate).keep_fresh(Arc::clone(&asked), stop.clone()));
        }
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while hangup.recv().await.is_some() {
                asked.notify_one();
                self.set_filter();
            }
        }));
        Ok(())
    }

    fn set_filter(&self) {
        let set = Config::load(&self.flags).and_then(|config| {
            self.log.set_filter(&config.log)?;
            Ok(config.log)
        });
        match set {
            Ok(filter) => info!(filter, "the log filter was read anew"),
            Err(error) => warn!(%error, "the configuration cannot be read; the log filter stays"),
        }
    }
}
