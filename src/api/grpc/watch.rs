//! The stream of events: it starts with a snapshot or at a cursor, and then sends every event once and in order.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metrics::counter;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::app::App;
use super::convert;
use super::errors::STORE_AWAY;
use crate::api::Error;
use crate::api::streams::StreamPermit;
use crate::domain::labels::Labels;
use crate::domain::time::Millis;
use crate::pb;
use crate::progress::Subscription;
use crate::store::events::{self, Event, Filter};
use crate::store::types::Id;
use crate::store::{calls, live_calls};

/// The stream of events to one watcher.
pub type Events = ReceiverStream<Result<pb::WatchCallsResponse, Status>>;

/// The number of events that wait in memory for a slow watcher, after as many that it is being sent. After these, it
/// reads from the table.
const AHEAD: usize = 128;

/// The largest number of live calls in a snapshot.
const SNAPSHOT: i64 = 10_000;

/// The longest time without a message in a stream with heartbeats. Proxies close a stream that is silent for a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where a stream begins, and what it sends besides events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// The cursor after which the stream begins; None if it begins with a snapshot.
    pub after: Option<i64>,
    /// True if the stream sends heartbeats.
    pub has_heartbeats: bool,
}

/// A live call in a snapshot. Most of a call is left out, because a client that does not read may keep thousands of them
/// in memory.
struct Live {
    id: Id,
    client_id: i64,
    queue_id: i64,
    attempts: i32,
    status: i16,
    server: Arc<str>,
    contact_number: Option<i64>,
    channel: Box<str>,
    labels: Labels,
    started_at: Option<i64>,
}

/// The live calls with which a stream begins.
struct Snapshot {
    live: Vec<Live>,
    /// How many live calls there are, of which the snapshot may have only a part.
    count: i64,
    /// The cursor of the stream after the snapshot.
    cursor: i64,
}

/// A stream to a watcher.
struct Stream {
    subscription: Subscription,
    watcher: Watcher,
    /// Room for the error with which the stream ends, which must not wait for a watcher that does not read.
    last: mpsc::OwnedPermit<Result<pb::WatchCallsResponse, Status>>,
    stop: CancellationToken,
    _permit: StreamPermit,
}

/// The receiving end of a stream.
struct Watcher {
    messages: mpsc::Sender<Result<pb::WatchCallsResponse, Status>>,
    is_admin: bool,
    write_timeout: Duration,
    /// When the next heartbeat is due, if nothing else is sent before; None if the stream has none.
    next_heartbeat: Option<Instant>,
}

/// Why a stream ends.
enum End {
    /// The watcher has left.
    Gone,
    /// The stream ends with an error.
    Failed(Error),
}

/// Starts a stream of the events that pass the filter. `access` is the client that watches; None for an administrator.
pub async fn watch(
    app: &App,
    permit: StreamPermit,
    access: Option<i64>,
    filter: Filter,
    start: Start,
) -> Result<Events, Error> {
    let mut conn = app.db.read().await?;
    app.check_scope(&mut conn, filter.client_id, &filter.queues).await?;
    if let Some(call) = filter.call {
        let known = calls::get(&mut conn, filter.client_id, call).await?;
        known.ok_or_else(|| Error::NotFound(format!("call {call}")))?;
    }
    // The cursor is read before the snapshot, so that events during the snapshot follow it and none is missed.
    let last = events::last(&mut conn).await?;
    let snapshot = match start.after {
        Some(after) => {
            in_range(after, last)?;
            None
        }
        None => {
            // A snapshot of thousands of calls costs as much as catching up, and takes its turn like it.
            drop(conn);
            let turn = app.hub.turn(&filter).await;
            let (live, count) = live_calls::live(&mut app.db.read().await?, &filter, SNAPSHOT).await?;
            turn.done();
            Some(Snapshot { live: snapshot(live)?, count, cursor: last })
        }
    };
    let subscription = app.hub.subscribe(filter, start.after.unwrap_or(last));
    let (messages, receiver) = mpsc::channel(AHEAD + 1);
    let room = messages.clone().try_reserve_owned().map_err(|_| Error::internal("a new stream has no room"))?;
    let watcher = Watcher {
        messages,
        is_admin: access.is_none(),
        write_timeout: app.streams.write_timeout(),
        next_heartbeat: start.has_heartbeats.then(|| Instant::now() + HEARTBEAT),
    };
    let stream = Stream { subscription, watcher, last: room, stop: app.stop.clone(), _permit: permit };
    // The stream runs in a task of its own, so that a query is completed even if the watcher leaves.
    tokio::spawn(stream.run(snapshot));
    Ok(ReceiverStream::new(receiver))
}

/// Refuses a cursor beyond the last event, which must come from another store.
fn in_range(after: i64, last: i64) -> Result<(), Error> {
    if after < 0 || after > last {
        return Err(Error::OutOfRange(format!("there is no event {after}; the last one is {last}")));
    }
    Ok(())
}

/// Returns what a snapshot says about live calls.
fn snapshot(calls: Vec<calls::Call>) -> Result<Vec<Live>, Error> {
    let mut servers: HashSet<Arc<str>> = HashSet::new();
    let mut live = Vec::with_capacity(calls.len());
    for call in calls {
        let server = servers.get(call.server_code.as_str()).cloned().unwrap_or_else(|| {
            let server: Arc<str> = call.server_code.as_str().into();
            servers.insert(Arc::clone(&server));
            server
        });
        let spec = call.originate_spec()?;
        live.push(Live {
            id: call.id,
            client_id: call.client_id,
            queue_id: call.queue_id,
            attempts: call.attempts,
            status: call.status,
            server,
            contact_number: call.contact_number,
            channel: spec.channel.into(),
            labels: spec.labels,
            started_at: call.started_at,
        });
    }
    Ok(live)
}

/// Returns what the end of a snapshot says, if it has only `sent` of `count` live calls.
fn cut_short(sent: usize, count: i64) -> Option<String> {
    let is_cut = i64::try_from(sent).is_ok_and(|sent| sent < count);
    is_cut.then(|| {
        format!("the snapshot has the {sent} calls that have been live for the longest time, out of {count} live calls")
    })
}

/// Makes an event that is only in this stream, and that happens now.
fn only_here(kind: pb::CallEventType, seq: i64) -> pb::CallEvent {
    pb::CallEvent { seq, at: convert::time(Millis::now().0), r#type: kind.into(), ..Default::default() }
}

impl Stream {
    /// Sends the snapshot, and then every event.
    async fn run(mut self, snapshot: Option<Snapshot>) {
        let sent = match snapshot {
            Some(snapshot) => self.watcher.send_snapshot(snapshot).await,
            None => Ok(()),
        };
        let ended = match sent {
            Ok(()) => self.events().await,
            Err(end) => end,
        };
        if let End::Failed(error) = ended {
            self.last.send(Err(error.into()));
        }
    }

    async fn events(&mut self) -> End {
        loop {
            let events = match self.next().await {
                Ok(events) => events,
                Err(end) => return end,
            };
            if events.is_empty() {
                tokio::select! {
                    () = self.subscription.news() => {}
                    () = self.watcher.messages.closed() => return End::Gone,
                    () = self.watcher.heartbeat_due() => {
                        if let Err(end) = self.watcher.send_heartbeat(self.subscription.cursor()).await {
                            return end;
                        }
                    }
                    () = self.stop.cancelled() => {
                        let message = "the server is stopping: resume from the last cursor".to_owned();
                        return End::Failed(Error::Unavailable { message, retry_after: STORE_AWAY });
                    }
                }
            }
            for event in events {
                if let Err(end) = self.watcher.send(convert::event(&event, self.watcher.is_admin)).await {
                    return end;
                }
            }
        }
    }

    /// Takes the next events, and sends heartbeats while none of those that it passes over are wanted.
    async fn next(&mut self) -> Result<Vec<Arc<Event>>, End> {
        let place = self.subscription.place();
        let mut take = pin!(self.subscription.take_some(AHEAD));
        loop {
            tokio::select! {
                biased;
                // The watcher can resume with its last cursor.
                taken = &mut take => return taken.map_err(|error| End::Failed(error.into())),
                () = self.watcher.heartbeat_due() => {
                    if let Err(end) = self.watcher.send_heartbeat(place.load(Ordering::Relaxed)).await {
                        // A query must not be dropped in the middle.
                        drop(take.await);
                        return Err(end);
                    }
                }
            }
        }
    }
}

impl Watcher {
    async fn send_snapshot(&mut self, snapshot: Snapshot) -> Result<(), End> {
        let Snapshot { live, count, cursor } = snapshot;
        let (now, sent) = (Millis::now(), live.len());
        for call in live {
            let event = pb::CallEvent {
                call_id: Some(call.id.0.to_string()),
                queue_id: call.queue_id,
                attempt: Some(call.attempts),
                status: Some(call.status.into()),
                client_id: self.is_admin.then_some(call.client_id),
                asterisk_server_code: Some(call.server.as_ref().to_owned()),
                contact_number: call.contact_number,
                channel: Some(call.channel.into()),
                labels: call.labels,
                duration: call.started_at.map(|began| convert::seconds(began, now.0)),
                ..only_here(pb::CallEventType::Snapshot, 0)
            };
            self.send(event).await?;
        }
        let complete = only_here(pb::CallEventType::SnapshotComplete, cursor);
        let (count, detail) = (i32::try_from(count).unwrap_or(i32::MAX), cut_short(sent, count));
        self.send(pb::CallEvent { count: Some(count), detail, ..complete }).await
    }

    /// Tells the watcher that nothing else that it wants has happened up to `cursor`.
    async fn send_heartbeat(&mut self, cursor: i64) -> Result<(), End> {
        self.send(only_here(pb::CallEventType::Heartbeat, cursor)).await
    }

    /// Waits until a heartbeat is due, which is never if the stream has none.
    async fn heartbeat_due(&self) {
        match self.next_heartbeat {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    async fn send(&mut self, event: pb::CallEvent) -> Result<(), End> {
        let message = Ok(pb::WatchCallsResponse { event: Some(event) });
        match self.messages.send_timeout(message, self.write_timeout).await {
            Ok(()) => {
                self.next_heartbeat = self.next_heartbeat.map(|_| Instant::now() + HEARTBEAT);
                Ok(())
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::auth::{Caller, CallerKind};
    use crate::api::streams::Streams;
    use crate::domain::event_kind::EventKind;
    use crate::progress::Hub;
    use crate::store::events::NewEvent;
    use crate::store::{Db, migrate};

    #[test]
    fn a_snapshot_that_leaves_live_calls_out_says_so() {
        assert_eq!(cut_short(3, 3), None);
        let text = cut_short(10_000, 12_345).unwrap();
        assert!(text.contains("10000 calls") && text.contains("12345 live calls"), "{text}");
    }

    async fn store(db: &Db, client_id: i64) {
        let mut tx = db.begin().await.unwrap();
        let event = NewEvent::of_queue(EventKind::QueueUpdated, client_id, 1, Millis(1));
        events::append(&mut tx, vec![event]).await.unwrap();
        tx.commit().await.unwrap();
    }

    #[tokio::test]
    async fn heartbeats_are_sent_while_a_watcher_catches_up_and_carry_its_own_cursor() {
        let dir = tempfile::tempdir().unwrap();
        let db = crate::store::open(&format!("sqlite://{}", dir.path().join("book.db").display())).unwrap();
        migrate::run(&db).await.unwrap();
        for client_id in [1, 2, 1] {
            store(&db, client_id).await;
        }
        let hub = Hub::new(db).await.unwrap();
        let streams = Streams::new(1, Duration::from_secs(60));
        let caller = Caller { kind: CallerKind::Client { client_id: 1 }, key_id: "key1".to_owned(), name: None };
        let filter = Filter { client_id: Some(1), ..Filter::default() };
        // As long as another watcher of the client reads from the store, this one waits for its turn.
        let turn = hub.turn(&filter).await;
        let (messages, mut received) = mpsc::channel(AHEAD + 1);
        let stop = CancellationToken::new();
        let stream = Stream {
            subscription: hub.subscribe(filter, 1),
            last: messages.clone().try_reserve_owned().unwrap(),
            watcher: Watcher {
                messages,
                is_admin: false,
                write_timeout: streams.write_timeout(),
                next_heartbeat: Some(Instant::now() + HEARTBEAT),
            },
            stop: stop.clone(),
            _permit: streams.admit(&caller).unwrap(),
        };
        tokio::time::pause();
        let began = Instant::now();
        let stream = tokio::spawn(stream.run(None));
        for beats in 1..=2 {
            let event = received.recv().await.unwrap().unwrap().event.unwrap();
            assert_eq!((event.r#type(), event.seq), (pb::CallEventType::Heartbeat, 1), "nothing was read yet");
            assert_eq!(began.elapsed().as_secs(), (HEARTBEAT * beats).as_secs());
        }
        tokio::time::resume();
        drop(turn);
        let event = received.recv().await.unwrap().unwrap().event.unwrap();
        assert_eq!((event.r#type(), event.seq), (pb::CallEventType::QueueUpdated, 3));
        stop.cancel();
        stream.await.unwrap();
    }
}
