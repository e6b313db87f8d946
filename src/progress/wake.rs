//! Wakes the dialer when there may be something new to dial, on whichever node it was stored.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Hub;
use crate::domain::event_kind::EventKind;
use crate::store::events::Event;

/// The pause after the event log could not be read.
const RETRY: Duration = Duration::from_secs(1);

/// Notifies `wake` at every event that may bring something to dial, until `stop` is cancelled.
pub async fn wake_on_news(hub: Arc<Hub>, wake: Arc<Notify>, stop: CancellationToken) {
    let mut subscription = hub.follow();
    loop {
        match subscription.take().await {
            Ok(events) if events.is_empty() => tokio::select! {
                () = stop.cancelled() => return,
                () = subscription.news() => {}
            },
            Ok(events) => {
                if events.iter().any(|event| brings_work(event)) {
                    wake.notify_one();
                }
            }
            Err(error) => {
                // Nothing is lost: lanes read their queues every second in any case.
                warn!(%error, "cannot read the new events to wake the dialer; trying again");
                if stop.run_until_cancelled(sleep(RETRY)).await.is_none() {
                    return;
                }
            }
        }
    }
}

/// Returns true for stored calls, a changed queue, and a request to end a live call. Such a request is a note without
/// an attempt; the notes of a lane or the dialplan name their attempt, and bring nothing to do.
fn brings_work(event: &Event) -> bool {
    let is = |kind: EventKind| kind as i16 == event.kind;
    [EventKind::BatchInserted, EventKind::Queued, EventKind::QueueUpdated].into_iter().any(is)
        || is(EventKind::Note) && event.attempt.is_none()
}
