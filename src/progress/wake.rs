//! Wakes the dialer when there may be something new to dial, whichever node it was stored on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Hub;
use crate::domain::event_kind::EventKind;
use crate::store::events::Event;

/// Notifies `wake` for every event that may bring something to dial, until `stop`.
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
                // Lanes look by themselves every second.
                warn!(%error, "cannot read what is new");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// What was stored, a changed queue, and a client's wish about a live call. Such a wish is a note of no attempt: those
/// that a lane or the dialplan leaves tell theirs, and bring nothing to do.
fn brings_work(event: &Event) -> bool {
    let is = |kind: EventKind| kind as i16 == event.kind;
    [EventKind::BatchInserted, EventKind::Queued, EventKind::QueueUpdated].into_iter().any(is)
        || is(EventKind::Note) && event.attempt.is_none()
}
