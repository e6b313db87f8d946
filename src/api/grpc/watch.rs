//! The stream of events: it starts with a snapshot or at a cursor, and then sends every event once and in order.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::app::App;
use super::convert;
use super::errors::STORE_AWAY;
use crate::api::Error;
use crate::pb;
use crate::progress::Subscription;
use crate::store::events::{self, Filter};
use crate::store::{calls, queues};

/// The stream of events to one watcher.
pub type Events = ReceiverStream<Result<pb::WatchCallsResponse, Status>>;

/// The number of events that wait in memory for a slow watcher. After these, it reads from the table.
const AHEAD: usize = 256;

/// The largest number of live calls in a snapshot.
const SNAPSHOT: i64 = 10_000;

/// Starts a stream after the cursor `after`, or with a snapshot if there is no cursor.
pub async fn watch(app: &App, filter: Filter, after: Option<i64>) -> Result<Events, Error> {
    let mut conn = app.db.read().await?;
    if let (Some(client_id), Some(queue_id)) = (filter.client_id, filter.queue_id) {
        let known = queues::get(&mut conn, client_id, queue_id).await?;
        known.ok_or_else(|| Error::NotFound(format!("queue {queue_id}")))?;
    }
    if let Some(call) = filter.call {
        let known = calls::get(&mut conn, filter.client_id, call).await?;
        known.ok_or_else(|| Error::NotFound(format!("call {call}")))?;
    }
    // The cursor is read before the snapshot, so that events during the snapshot follow it and none is missed.
    let last = events::last(&mut conn).await?;
    let snapshot = match after {
        Some(after) => {
            in_range(after, last)?;
            Vec::new()
        }
        None => snapshot(calls::live(&mut conn, filter, SNAPSHOT).await?, last),
    };
    let subscription = app.hub.subscribe(filter, after.unwrap_or(last));
    let (sender, receiver) = mpsc::channel(AHEAD);
    // The stream runs in a task of its own, so that a query is completed even if the watcher leaves.
    tokio::spawn(pass_on(snapshot, subscription, sender, app.stop.clone()));
    Ok(ReceiverStream::new(receiver))
}

/// Refuses a cursor beyond the last event, which must come from another store.
fn in_range(after: i64, last: i64) -> Result<(), Error> {
    if after < 0 || after > last {
        return Err(Error::OutOfRange(format!("there is no event {after}; the last one is {last}")));
    }
    Ok(())
}

fn snapshot(live: Vec<calls::Call>, last: i64) -> Vec<pb::CallEvent> {
    let now = convert::time(crate::domain::time::Millis::now().0);
    let mut events: Vec<pb::CallEvent> = live
        .into_iter()
        .map(|call| pb::CallEvent {
            at: now,
            r#type: pb::CallEventType::Snapshot.into(),
            call_id: Some(call.id.0.to_string()),
            queue_id: call.queue_id,
            attempt: Some(call.attempts),
            status: Some(call.status.into()),
            ..Default::default()
        })
        .collect();
    let complete = pb::CallEventType::SnapshotComplete.into();
    events.push(pb::CallEvent { seq: last, at: now, r#type: complete, ..Default::default() });
    events
}

async fn pass_on(
    snapshot: Vec<pb::CallEvent>,
    mut subscription: Subscription,
    watcher: mpsc::Sender<Result<pb::WatchCallsResponse, Status>>,
    stop: CancellationToken,
) {
    for event in snapshot {
        if watcher.send(Ok(pb::WatchCallsResponse { event: Some(event) })).await.is_err() {
            return;
        }
    }
    loop {
        match subscription.take().await {
            Ok(events) if events.is_empty() => tokio::select! {
                () = subscription.news() => {}
                () = watcher.closed() => return,
                () = stop.cancelled() => {
                    let message = "the server is stopping: resume from the last cursor".to_owned();
                    let draining = Error::Unavailable { message, retry_after: STORE_AWAY };
                    let _ = watcher.send(Err(draining.into())).await;
                    return;
                }
            },
            Ok(events) => {
                for event in events {
                    let message = pb::WatchCallsResponse { event: Some(convert::event(&event)) };
                    if watcher.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => {
                // The watcher can resume with its last cursor.
                let _ = watcher.send(Err(Error::from(error).into())).await;
                return;
            }
        }
    }
}
