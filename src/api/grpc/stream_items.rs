//! Streams of items: any number of calls in one request, stored in groups as they arrive.
//!
//! At most one message is read ahead of the store. So HTTP/2's flow control slows down a client that is faster than the
//! store, and memory does not grow with the stream.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::app::App;
use super::change::Change;
use super::changed::Changed;
use super::errors::{no_queue, queue_completed, quick_queue};
use super::insert;
use crate::api::Error;
use crate::api::auth::{Caller, Ended};
use crate::api::validate::stream::Progress;
use crate::api::validate::{Rules, stream as check};
use crate::domain::bounds::STREAMED_ITEMS_ITEMS_MAX_ITEMS as MAX_ITEMS;
use crate::domain::time::Millis;
use crate::pb::stream_items_request::Part;
use crate::pb::{StreamBegin, StreamItemsRequest, StreamItemsResponse, StreamedItems};
use crate::store::calls::NewCall;
use crate::store::keys;
use crate::store::new_queues::NewQueue;
use crate::store::streams::{self, FIRST, ItemStream, StreamResult};

/// The stream of answers to the client.
pub type Answers = ReceiverStream<Result<StreamItemsResponse, Status>>;

/// How long the client's rights are cached. It is under a second, so that nothing which arrives a second after a change
/// is stored. The layer of authentication ends the stream itself.
const TRUSTED_FOR: Duration = Duration::from_millis(500);

/// The number of answers that may wait for the client to read them. Later ones are merged into one.
const ANSWERS: usize = 16;

/// How long a server that stops waits for the client to read the last answer.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// The largest number of warnings in one answer.
const MAX_WARNINGS: usize = 1000;

/// The client that a stream is for, and the client's key that it has come with; None if an administrator sends it.
struct Holder {
    client_id: i64,
    key_id: Option<String>,
}

/// A stream of which nothing is stored.
struct Trial {
    change: Change,
    begin: StreamBegin,
    queue: NewQueue,
    /// The number of calls that were checked and would wait.
    waiting: i64,
}

struct Running {
    app: App,
    holder: Holder,
    incoming: Streaming<StreamItemsRequest>,
    /// A message that was read but did not fit into its group.
    buffered: Option<StreamedItems>,
    stream: ItemStream,
    /// How many items were stored when this connection began.
    resumed_at: i64,
    /// What the items are only checked for; None if they are stored.
    trial: Option<Trial>,
    dids: Vec<String>,
    rules: Rules,
    rules_read: Instant,
    answers: mpsc::Sender<Result<StreamItemsResponse, Status>>,
    /// An answer that the client has not had room for. It holds the sum of all answers since the last one that was
    /// sent.
    unsent: Option<StreamItemsResponse>,
}

/// Serves one stream in a task of its own. The task completes a transaction that it has begun even if the client is
/// gone.
pub fn serve(change: Change, caller: Caller, incoming: Streaming<StreamItemsRequest>) -> Result<Answers, Error> {
    let permit = change.app.streams.admit(&caller)?;
    let (answers, answered) = mpsc::channel(ANSWERS);
    tokio::spawn(async move {
        let _permit = permit;
        let stop = change.app.stop.clone();
        if let Err(status) = run(change, &caller, incoming, answers.clone()).await {
            send_last(&answers, Err(status), &stop).await;
        }
    });
    Ok(ReceiverStream::new(answered))
}

async fn run(
    change: Change,
    caller: &Caller,
    mut incoming: Streaming<StreamItemsRequest>,
    answers: mpsc::Sender<Result<StreamItemsResponse, Status>>,
) -> Result<(), Status> {
    let app = change.app.clone();
    let Some(first) = next(&app, &mut incoming, &answers).await? else { return Ok(()) };
    let Some(Part::Begin(request)) = first.part else {
        return Err(Error::invalid("begin", "must be sent first").into());
    };
    let queue = check::begin(&request)?;
    let client_id = caller.acts_for(request.client_id)?;
    let holder = Holder { client_id, key_id: caller.access().map(|_| caller.key_id.clone()) };
    let rules = rules(&app, &holder).await?;
    let stream = begin(&change, &holder, &request, &queue).await?;
    let dids = request.dids.clone();
    let trial = request.validate_only.then_some(Trial { change, begin: request, queue, waiting: 0 });
    let resumed_at = stream.stored;
    let mut running = Running {
        app,
        holder,
        incoming,
        buffered: None,
        stream,
        resumed_at,
        trial,
        dids,
        rules,
        rules_read: Instant::now(),
        answers,
        unsent: None,
    };
    running.answer(Vec::new());
    let ended = running.read_items().await;
    running.send_unsent().await;
    ended
}

/// Begins a stream. If it is only checked, nothing of that is stored, and the id of a new queue is 0.
async fn begin(change: &Change, holder: &Holder, request: &StreamBegin, queue: &NewQueue) -> Result<ItemStream, Error> {
    loop {
        let mut tx = change.begin().await?;
        let (id, queue_id) = (&request.stream_id, request.queue_id);
        // `None` means that a stream with the same id was begun at the same time. The next round takes it over.
        match streams::begin(&mut tx, holder.client_id, id, queue_id, queue, Millis::now()).await? {
            Some(begun) => match opened(begun, queue_id.unwrap_or_default()) {
                Ok(stream) if request.validate_only => {
                    tx.rollback().await?;
                    // The first connection of a stream creates its queue, unless the request names one.
                    let is_new = stream.connection == FIRST && queue_id.is_none();
                    return Ok(if is_new { ItemStream { queue_id: 0, ..stream } } else { stream });
                }
                Ok(stream) => {
                    let begun = json!({ "stream_id": id, "stored": stream.stored });
                    tx.commit(format!("queues/{}", stream.queue_id), Changed::created(&begun)?).await?;
                    return Ok(stream);
                }
                Err(refused) => {
                    tx.rollback().await?;
                    return Err(refused);
                }
            },
            None => tx.rollback().await?,
        }
    }
}

/// Reads the current rights of the client and of its key.
async fn rules(app: &App, holder: &Holder) -> Result<Rules, Error> {
    let mut conn = app.db.read().await?;
    let Some(key_id) = &holder.key_id else { return app.rules(&mut conn, holder.client_id).await };
    let (key, client) = keys::find(&mut conn, key_id).await?.ok_or(Error::Unauthenticated)?;
    let expired = key.expires_at.is_some_and(|end| end <= Millis::now().0);
    let ended = match (key.revoked_at, client.disabled) {
        (Some(_), _) => Some(Ended::Revoked),
        (None, _) if expired => Some(Ended::Expired),
        (None, disabled) => disabled.then_some(Ended::ClientDisabled),
    };
    match ended {
        Some(why) => Err(why.end_of_stream()),
        None => app.rules(&mut conn, holder.client_id).await,
    }
}

/// Returns the next message, or `None` at the end of the stream, which is also when nothing takes its answers any more.
async fn next(
    app: &App,
    incoming: &mut Streaming<StreamItemsRequest>,
    answers: &mpsc::Sender<Result<StreamItemsResponse, Status>>,
) -> Result<Option<StreamItemsRequest>, Status> {
    tokio::select! {
        // First, so that what arrives after the end of the client's key is not read.
        biased;
        () = answers.closed() => Ok(None),
        () = app.stop.cancelled() => {
            let message = "the server is stopping: resume the stream on another node".to_owned();
            Err(Error::Unavailable { message, retry_after: Duration::from_secs(1) }.into())
        }
        message = incoming.message() => message,
    }
}

impl Running {
    async fn read_items(&mut self) -> Result<(), Status> {
        while let Some(message) = self.next_items().await? {
            if self.rules_read.elapsed() > TRUSTED_FOR {
                self.rules = rules(&self.app, &self.holder).await?;
                self.rules_read = Instant::now();
            }
            let (mut calls, mut warnings) = self.check(&message, 0)?;
            // Messages that have already arrived share the transaction, so that small messages are as fast as large
            // ones.
            let mut broken = None;
            while broken.is_none()
                && let Some(more) = self.arrived_items(MAX_ITEMS - calls.len())
            {
                match more.and_then(|more| Ok(self.check(&more, calls.len())?)) {
                    Ok((more, warned)) => {
                        calls.extend(more);
                        warnings.extend(warned);
                    }
                    // The messages before it are stored nevertheless.
                    Err(status) => broken = Some(status),
                }
            }
            // Empty if an earlier connection has stored all of them.
            if !calls.is_empty() {
                warnings.extend(self.cancel_listed(&mut calls).await?);
                self.store(&calls).await?;
            }
            self.answer(warnings);
            if let Some(status) = broken {
                return Err(status);
            }
        }
        Ok(())
    }

    async fn next_items(&mut self) -> Result<Option<StreamedItems>, Status> {
        if let Some(buffered) = self.buffered.take() {
            return Ok(Some(buffered));
        }
        next(&self.app, &mut self.incoming, &self.answers).await?.map(items).transpose()
    }

    /// Returns the next message if it has already arrived and holds at most `room` items. A longer one is buffered.
    fn arrived_items(&mut self, room: usize) -> Option<Result<StreamedItems, Status>> {
        if room == 0 {
            return None;
        }
        match self.incoming.message().now_or_never()?.transpose()?.and_then(items) {
            Ok(message) if message.items.len() > room => {
                self.buffered = Some(message);
                None
            }
            read => Some(read),
        }
    }

    /// Checks a message. `unstored` is the number of items before it that are not stored yet.
    fn check(&self, message: &StreamedItems, unstored: usize) -> Result<(Vec<NewCall>, Vec<String>), Error> {
        let stored = self.stream.stored + i64::try_from(unstored).unwrap_or(i64::MAX);
        let progress = Progress { resumed_at: self.resumed_at, stored };
        check::items(message, progress, &self.dids, &self.rules, Millis::now())
    }

    /// Cancels those of the next calls whose numbers are on a do-not-call list, and returns the warnings.
    async fn cancel_listed(&self, calls: &mut [NewCall]) -> Result<Vec<String>, Error> {
        let mut conn = self.app.db.read().await?;
        let stored = usize::try_from(self.stream.stored).unwrap_or(0);
        let place = |index| format!("item {}", stored + index);
        self.app.cancel_listed(&mut conn, self.holder.client_id, calls, place).await
    }

    /// Checks in every way in which items that are stored are checked, and rolls back.
    async fn try_to_store(&mut self, calls: &[NewCall]) -> Result<(), Error> {
        let Some(trial) = &mut self.trial else { return Ok(()) };
        let (client_id, id) = (self.holder.client_id, &trial.begin.stream_id);
        let mut tx = trial.change.begin().await?;
        let begun = streams::begin(&mut tx, client_id, id, trial.begin.queue_id, &trial.queue, Millis::now()).await?;
        let queue_id = self.stream.queue_id;
        let tried = match begun.map(|begun| opened(begun, queue_id)).transpose() {
            Ok(Some(stream)) => match streams::append(&mut tx, &stream, calls, Millis::now()).await {
                Ok(appended) => opened(appended, queue_id).map(|_| ()),
                Err(error) => Err(error.into()),
            },
            // The same stream is being begun by another connection.
            Ok(None) => Ok(()),
            Err(refused) => Err(refused),
        };
        let room = match &tried {
            Ok(()) => insert::check_added(&mut tx, &self.rules, calls, trial.waiting).await,
            Err(_) => Ok(()),
        };
        tx.rollback().await?;
        tried.and(room)?;
        trial.waiting += insert::waiting(calls);
        self.stream.stored += i64::try_from(calls.len()).unwrap_or(i64::MAX);
        Ok(())
    }

    async fn store(&mut self, calls: &[NewCall]) -> Result<(), Error> {
        if self.trial.is_some() {
            return self.try_to_store(calls).await;
        }
        let mut tx = self.app.db.begin().await?;
        let appended = streams::append(&mut tx, &self.stream, calls, Millis::now()).await?;
        if let Err(full) = insert::check_added(&mut tx, &self.rules, calls, 0).await {
            tx.rollback().await?;
            return Err(full);
        }
        match opened(appended, self.stream.queue_id) {
            Ok(stream) => {
                tx.commit().await?;
                self.stream = stream;
                Ok(())
            }
            Err(refused) => {
                tx.rollback().await?;
                Err(refused)
            }
        }
    }

    /// Answers how many items are durable. If the client does not read its answers, they are merged into one: waiting
    /// for the client could deadlock, because the client may wait for its items to be read.
    fn answer(&mut self, mut warnings: Vec<String>) {
        let unsent = self.unsent.get_or_insert_default();
        unsent.queue_id = self.stream.queue_id;
        unsent.stored = self.stream.stored;
        unsent.warnings.append(&mut warnings);
        if unsent.warnings.len() > MAX_WARNINGS {
            unsent.warnings.truncate(MAX_WARNINGS - 1);
            unsent.warnings.push("further warnings are left out".to_owned());
        }
        if let Ok(room) = self.answers.try_reserve()
            && let Some(answer) = self.unsent.take()
        {
            room.send(Ok(answer));
        }
    }

    async fn send_unsent(&mut self) {
        if let Some(answer) = self.unsent.take() {
            send_last(&self.answers, Ok(answer), &self.app.stop).await;
        }
    }
}

/// Sends the last answer and waits until the client takes it, has gone, or has not read it while the server is
/// stopping.
async fn send_last(
    answers: &mpsc::Sender<Result<StreamItemsResponse, Status>>,
    answer: Result<StreamItemsResponse, Status>,
    stop: &CancellationToken,
) {
    tokio::select! {
        _ = answers.send(answer) => {}
        () = async { stop.cancelled().await; tokio::time::sleep(LAST_ANSWER).await } => {}
    }
}

fn items(message: StreamItemsRequest) -> Result<StreamedItems, Status> {
    match message.part {
        Some(Part::Items(items)) => Ok(items),
        Some(Part::Begin(_)) => Err(Error::invalid("begin", "was already sent").into()),
        None => Err(Error::invalid("items", "required").into()),
    }
}

/// Returns the stream, or the error for one that the store refused.
fn opened(result: StreamResult, queue_id: i64) -> Result<ItemStream, Error> {
    Err(match result {
        StreamResult::Open(stream) => return Ok(stream),
        StreamResult::OtherQueue { queue_id } => {
            Error::invalid("begin.queue_id", format!("the stream began in queue {queue_id}"))
        }
        StreamResult::NoSuchQueue => no_queue(queue_id),
        StreamResult::QueueCompleted => queue_completed(queue_id),
        StreamResult::QuickQueue => quick_queue(queue_id),
        StreamResult::TakenOver => Error::Aborted("a newer stream with this stream_id has taken over".to_owned()),
    })
}
