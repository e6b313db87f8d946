//! The stream of events: it starts with a snapshot or at a cursor, and then sends every event once and in order.

use std::time::Duration;

use metrics::counter;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::app::App;
use super::convert;
use super::errors::STORE_AWAY;
use crate::api::Error;
use crate::api::streams::StreamPermit;
use crate::pb;
use crate::progress::Subscription;
use crate::store::events::{self, Filter};
use crate::store::types::Id;
use crate::store::{calls, queues};

/// The stream of events to one watcher.
pub type Events = ReceiverStream<Result<pb::WatchCallsResponse, Status>>;

/// The number of events that wait in memory for a slow watcher, after as many that it is being sent. After these, it
/// reads from the table.
const AHEAD: usize = 128;

/// The largest number of live calls in a snapshot.
const SNAPSHOT: i64 = 10_000;

/// A live call in a snapshot. Most of a call is left out, because a client that does not read may keep thousands of them
/// in memory.
struct Live {
    id: Id,
    queue_id: i64,
    attempts: i32,
    status: i16,
}

/// A stream to a watcher.
struct Stream {
    subscription: Subscription,
    watcher: mpsc::Sender<Result<pb::WatchCallsResponse, Status>>,
    /// Room for the error with which the stream ends, which must not wait for a watcher that does not read.
    last: mpsc::OwnedPermit<Result<pb::WatchCallsResponse, Status>>,
    is_admin: bool,
    write_timeout: Duration,
    stop: CancellationToken,
    _permit: StreamPermit,
}

/// Why a stream ends.
enum End {
    /// The watcher has left.
    Gone,
    /// The stream ends with an error.
    Failed(Error),
}

/// Starts a stream after the cursor `after`, or with a snapshot if there is no cursor. `access` is the client that
/// watches; None for an administrator.
pub async fn watch(
    app: &App,
    permit: StreamPermit,
    access: Option<i64>,
    filter: Filter,
    after: Option<i64>,
) -> Result<Events, Error> {
    let mut conn = app.db.read().await?;
    if let Some(client_id) = filter.client_id {
        app.client(&mut conn, client_id).await?;
    }
    if let Some(queue_id) = filter.queue_id {
        let known = queues::get(&mut conn, filter.client_id, queue_id).await?;
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
        None => {
            // A snapshot of thousands of calls costs as much as catching up, and takes its turn like it.
            drop(conn);
            let turn = app.hub.turn(&filter).await;
            let live = calls::live(&mut app.db.read().await?, filter, SNAPSHOT).await?;
            turn.done();
            live.into_iter().map(Live::from).collect()
        }
    };
    let subscription = app.hub.subscribe(filter, after.unwrap_or(last));
    let (watcher, receiver) = mpsc::channel(AHEAD + 1);
    let room = watcher.clone().try_reserve_owned().map_err(|_| Error::internal("a new stream has no room"))?;
    let stream = Stream {
        subscription,
        watcher,
        last: room,
        is_admin: access.is_none(),
        write_timeout: app.streams.write_timeout(),
        stop: app.stop.clone(),
        _permit: permit,
    };
    // The stream runs in a task of its own, so that a query is completed even if the watcher leaves.
    tokio::spawn(stream.run(after.is_none().then_some((snapshot, last))));
    Ok(ReceiverStream::new(receiver))
}

/// Refuses a cursor beyond the last event, which must come from another store.
fn in_range(after: i64, last: i64) -> Result<(), Error> {
    if after < 0 || after > last {
        return Err(Error::OutOfRange(format!("there is no event {after}; the last one is {last}")));
    }
    Ok(())
}

impl From<calls::Call> for Live {
    fn from(call: calls::Call) -> Self {
        Self { id: call.id, queue_id: call.queue_id, attempts: call.attempts, status: call.status }
    }
}

impl Stream {
    /// Sends the snapshot, whose events have the cursor `last`, and then every event.
    async fn run(mut self, snapshot: Option<(Vec<Live>, i64)>) {
        let ended = match snapshot {
            Some((live, last)) => self.snapshot(live, last).await,
            None => Ok(()),
        };
        let ended = match ended {
            Ok(()) => self.events().await,
            Err(end) => end,
        };
        if let End::Failed(error) = ended {
            self.last.send(Err(error.into()));
        }
    }

    async fn snapshot(&self, live: Vec<Live>, last: i64) -> Result<(), End> {
        let at = convert::time(crate::domain::time::Millis::now().0);
        for call in live {
            let event = pb::CallEvent {
                at,
                r#type: pb::CallEventType::Snapshot.into(),
                call_id: Some(call.id.0.to_string()),
                queue_id: call.queue_id,
                attempt: Some(call.attempts),
                status: Some(call.status.into()),
                ..Default::default()
            };
            self.send(event).await?;
        }
        let complete = pb::CallEventType::SnapshotComplete.into();
        self.send(pb::CallEvent { seq: last, at, r#type: complete, ..Default::default() }).await
    }

    async fn events(&mut self) -> End {
        loop {
            match self.subscription.take_some(AHEAD).await {
                Ok(events) if events.is_empty() => tokio::select! {
                    () = self.subscription.news() => {}
                    () = self.watcher.closed() => return End::Gone,
                    () = self.stop.cancelled() => {
                        let message = "the server is stopping: resume from the last cursor".to_owned();
                        return End::Failed(Error::Unavailable { message, retry_after: STORE_AWAY });
                    }
                },
                Ok(events) => {
                    for event in events {
                        if let Err(end) = self.send(convert::event(&event, self.is_admin)).await {
                            return end;
                        }
                    }
                }
                // The watcher can resume with its last cursor.
                Err(error) => return End::Failed(error.into()),
            }
        }
    }

    async fn send(&self, event: pb::CallEvent) -> Result<(), End> {
        let message = Ok(pb::WatchCallsResponse { event: Some(event) });
        match self.watcher.send_timeout(message, self.write_timeout).await {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Closed(_)) => Err(End::Gone),
            Err(SendTimeoutError::Timeout(_)) => {
                counter!("trunkline_streams_stalled_total").increment(1);
                let message =
                    format!("the stream was not read for {:?}: resume from the last cursor", self.write_timeout);
                Err(End::Failed(Error::Aborted(message)))
            }
        }
    }
}
