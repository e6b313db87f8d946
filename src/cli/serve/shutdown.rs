//! Stops the parts of the server in order.

use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::supervisor::Supervisor;

/// How long requests that are in progress may take to be answered once the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// How long the tasks that stop last may take to stop.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// The tokens that stop the server's tasks, in the order in which they are cancelled.
///
/// Dialing ends first and the event log last, so that what the dialer commits while it stops is still posted to
/// webhooks and sent to watchers. The port stays open in between, so that clients learn that the server is stopping.
#[derive(Default)]
pub struct Shutdown {
    /// Stops dialing, and refuses new requests.
    pub dialer: CancellationToken,
    /// Stops posting to webhooks.
    pub webhooks: CancellationToken,
    /// Closes the ports of the API and the metrics.
    pub api: CancellationToken,
    /// Stops the event log, and all that the other parts need until their end.
    pub events: CancellationToken,
}

impl Shutdown {
    /// Stops one group of tasks after the other.
    ///
    /// There is no time limit on the dialer and the webhooks, because they wait for their last commits. Requests that
    /// are not answered within 10 seconds of the closing of the ports are cut off with a warning.
    pub async fn run(self, supervisor: &mut Supervisor) {
        self.dialer.cancel();
        supervisor.until_stopped().await;
        self.webhooks.cancel();
        supervisor.until_stopped().await;
        self.api.cancel();
        if timeout(DRAIN, supervisor.until_stopped()).await.is_err() {
            let tasks = supervisor.abort_late();
            warn!(?tasks, "some requests were not answered within {DRAIN:?} and are cut off");
        }
        self.events.cancel();
        if timeout(LAST_TASKS, supervisor.until_stopped()).await.is_err() {
            let tasks = supervisor.abort_late();
            warn!(?tasks, "some tasks did not stop within {LAST_TASKS:?} and are aborted");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn dialing_ends_first_and_the_event_log_last() {
        let (mut supervisor, shutdown, order) = (Supervisor::default(), Shutdown::default(), Arc::default());
        for (name, stop) in [
            ("event hub", &shutdown.events),
            ("api", &shutdown.api),
            ("webhooks", &shutdown.webhooks),
            ("dialer", &shutdown.dialer),
        ] {
            let order: Arc<Mutex<Vec<&str>>> = Arc::clone(&order);
            supervisor.spawn(name, stop, |stop| async move {
                stop.cancelled().await;
                // Each takes its time: the next group waits for it.
                tokio::time::sleep(Duration::from_millis(100)).await;
                order.lock().unwrap().push(name);
            });
        }
        shutdown.run(&mut supervisor).await;
        assert_eq!(*order.lock().unwrap(), ["dialer", "webhooks", "api", "event hub"]);
        supervisor.finish().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_stops_though_a_request_is_never_answered() {
        let (mut supervisor, shutdown) = (Supervisor::default(), Shutdown::default());
        supervisor.spawn("api", &shutdown.api, |_| std::future::pending::<()>());
        supervisor.spawn("event hub", &shutdown.events, |stop| async move { stop.cancelled().await });
        let began = tokio::time::Instant::now();
        shutdown.run(&mut supervisor).await;
        assert_eq!(began.elapsed(), DRAIN);
        supervisor.finish().await.unwrap();
    }
}
