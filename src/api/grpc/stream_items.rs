//! Streams of items: any number of calls over one request, stored in groups as they come.
//!
//! Nothing is read ahead of the store but one message, so HTTP/2's flow control holds back a client that is faster, and
//! memory does not grow with the stream.

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::app::App;
use super::errors::{no_queue, queue_completed, quick_queue};
use super::insert;
use crate::api::Error;
use crate::api::auth::Caller;
use crate::api::validate::batch::MAX_ITEMS;
use crate::api::validate::{Rules, stream as check};
use crate::domain::time::Millis;
use crate::pb::stream_items_request::Part;
use crate::pb::{StreamBegin, StreamItemsRequest, StreamItemsResponse, StreamedItems};
use crate::store::Tx;
use crate::store::calls::NewCall;
use crate::store::keys;
use crate::store::streams::{self, ItemStream, StreamResult};

/// What a client gets.
pub type Answers = ReceiverStream<Result<StreamItemsResponse, Status>>;

/// How long the client's rights are taken for granted: a revoked key stops a stream within a second, as it does any
/// other request.
const TRUSTED_FOR: Duration = Duration::from_millis(500);

/// Answers on their way that the client has not read. Further ones are summed up.
const ANSWERS: usize = 16;

/// How long a stopping server waits for a client to read its last answer.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Warnings in one answer at most.
const MAX_WARNINGS: usize = 1000;

/// Whose stream it is.
struct Holder {
    client_id: i64,
    key_id: String,
}

struct Running {
    app: App,
    holder: Holder,
    incoming: Streaming<StreamItemsRequest>,
    /// A message that was read, and did not fit into its group.
    held: Option<StreamedItems>,
    stream: ItemStream,
    dids: Vec<String>,
    rules: Rules,
    rules_read: Instant,
    answers: mpsc::Sender<Result<StreamItemsResponse, Status>>,
    untold: Option<StreamItemsResponse>,
}

/// Serves one stream in a task of its own, which ends a transaction that it has begun, also when the client is gone.
pub fn serve(app: App, caller: &Caller, incoming: Streaming<StreamItemsRequest>) -> Result<Answers, Error> {
    let holder = Holder { client_id: caller.client_id()?, key_id: caller.key_id.clone() };
    let (answers, answered) = mpsc::channel(ANSWERS);
    tokio::spawn(async move {
        let stop = app.stop.clone();
        if let Err(status) = run(app, holder, incoming, answers.clone()).await {
            send_last(&answers, Err(status), &stop).await;
        }
    });
    Ok(ReceiverStream::new(answered))
}

async fn run(
    app: App,
    holder: Holder,
    mut incoming: Streaming<StreamItemsRequest>,
    answers: mpsc::Sender<Result<StreamItemsResponse, Status>>,
) -> Result<(), Status> {
    let Some(first) = next(&app, &mut incoming).await? else { return Ok(()) };
    let Some(Part::Begin(request)) = first.part else {
        return Err(Error::invalid("begin", "required first").into());
    };
    check::begin(&request)?;
    let rules = rules(&app, &holder).await?;
    let stream = begin(&app, &holder, &request).await?;
    let dids = request.dids;
    let (held, untold, rules_read) = (None, None, Instant::now());
    let mut running = Running { app, holder, incoming, held, stream, dids, rules, rules_read, answers, untold };
    running.tell(Vec::new());
    let ended = running.go_on().await;
    running.tell_the_rest().await;
    ended
}

async fn begin(app: &App, holder: &Holder, request: &StreamBegin) -> Result<ItemStream, Error> {
    loop {
        let mut tx = app.db.begin().await?;
        let (id, queue_id) = (&request.stream_id, request.queue_id);
        // None: one of the same name was begun in this moment, and is taken over at the next look.
        match streams::begin(&mut tx, holder.client_id, id, queue_id, Millis::now()).await? {
            Some(begun) => return open(tx, begun, request.queue_id.unwrap_or_default()).await,
            None => tx.rollback().await?,
        }
    }
}

/// What the client may do, as of now.
async fn rules(app: &App, holder: &Holder) -> Result<Rules, Error> {
    let mut conn = app.db.read().await?;
    let (key, client) = keys::find(&mut conn, &holder.key_id).await?.ok_or(Error::Unauthenticated)?;
    let expired = key.expires_at.is_some_and(|end| end <= Millis::now().0);
    if key.revoked_at.is_some() || expired {
        return Err(Error::Unauthenticated);
    }
    if client.disabled {
        return Err(Error::Forbidden("the client is disabled".to_owned()));
    }
    app.rules(&mut conn, holder.client_id).await
}

/// The next message; None at the stream's end.
async fn next(app: &App, incoming: &mut Streaming<StreamItemsRequest>) -> Result<Option<StreamItemsRequest>, Status> {
    tokio::select! {
        () = app.stop.cancelled() => {
            let message = "the server is stopping; resume the stream elsewhere".to_owned();
            Err(Error::Unavailable { message, retry_after: Duration::from_secs(1) }.into())
        }
        message = incoming.message() => message,
    }
}

impl Running {
    async fn go_on(&mut self) -> Result<(), Status> {
        while let Some(message) = self.next_items().await? {
            if self.rules_read.elapsed() > TRUSTED_FOR {
                self.rules = rules(&self.app, &self.holder).await?;
                self.rules_read = Instant::now();
            }
            let (mut calls, mut warnings) = self.check(&message, 0)?;
            // What has come already rides in the same transaction, so that small messages are no slower than large ones.
            let mut broken = None;
            while broken.is_none()
                && let Some(more) = self.items_at_hand(MAX_ITEMS - calls.len())
            {
                match more.and_then(|more| Ok(self.check(&more, calls.len())?)) {
                    Ok((more, warned)) => {
                        calls.extend(more);
                        warnings.extend(warned);
                    }
                    // What came before it is stored all the same.
                    Err(status) => broken = Some(status),
                }
            }
            warnings.extend(self.cancel_listed(&mut calls).await?);
            self.store(&calls).await?;
            self.tell(warnings);
            if let Some(status) = broken {
                return Err(status);
            }
        }
        Ok(())
    }

    async fn next_items(&mut self) -> Result<Option<StreamedItems>, Status> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        next(&self.app, &mut self.incoming).await?.map(items).transpose()
    }

    /// The next message, where it is there already and has at most `room` items; a longer one waits for its turn.
    fn items_at_hand(&mut self, room: usize) -> Option<Result<StreamedItems, Status>> {
        if room == 0 {
            return None;
        }
        match self.incoming.message().now_or_never()?.transpose()?.and_then(items) {
            Ok(message) if message.items.len() > room => {
                self.held = Some(message);
                None
            }
            read => Some(read),
        }
    }

    /// Checks a message that follows `behind` items that are not stored yet.
    fn check(&self, message: &StreamedItems, behind: usize) -> Result<(Vec<NewCall>, Vec<String>), Error> {
        let expected = self.stream.stored + i64::try_from(behind).unwrap_or(i64::MAX);
        check::items(message, expected, &self.dids, &self.rules, Millis::now())
    }

    /// Cancels those of the next calls that nobody may place, and answers the warnings.
    async fn cancel_listed(&self, calls: &mut [NewCall]) -> Result<Vec<String>, Error> {
        let mut conn = self.app.db.read().await?;
        let stored = usize::try_from(self.stream.stored).unwrap_or(0);
        let place = |index| format!("item {}", stored + index);
        self.app.cancel_listed(&mut conn, self.holder.client_id, calls, place).await
    }

    async fn store(&mut self, calls: &[NewCall]) -> Result<(), Error> {
        let mut tx = self.app.db.begin().await?;
        let appended = streams::append(&mut tx, &self.stream, calls, Millis::now()).await?;
        if let Err(full) = insert::check_added(&mut tx, &self.rules, calls).await {
            tx.rollback().await?;
            return Err(full);
        }
        self.stream = open(tx, appended, self.stream.queue_id).await?;
        Ok(())
    }

    /// Tells how many items are durable. A client that does not read its answers is not waited for: it would wait for
    /// us, to read its items. It gets them summed up.
    fn tell(&mut self, mut warnings: Vec<String>) {
        let untold = self.untold.get_or_insert_default();
        untold.queue_id = self.stream.queue_id;
        untold.stored = self.stream.stored;
        untold.warnings.append(&mut warnings);
        if untold.warnings.len() > MAX_WARNINGS {
            untold.warnings.truncate(MAX_WARNINGS - 1);
            untold.warnings.push("further warnings are left out".to_owned());
        }
        if let Ok(room) = self.answers.try_reserve()
            && let Some(answer) = self.untold.take()
        {
            room.send(Ok(answer));
        }
    }

    async fn tell_the_rest(&mut self) {
        if let Some(answer) = self.untold.take() {
            send_last(&self.answers, Ok(answer), &self.app.stop).await;
        }
    }
}

/// Waits until the client takes it. Who has gone away does not hear it, and who reads nothing does not keep a stopping
/// server from its end.
async fn send_last(
    answers: &mpsc::Sender<Result<StreamItemsResponse, Status>>,
    answer: Result<StreamItemsResponse, Status>,
    stop: &CancellationToken,
) {
    tokio::select! {
        _ = answers.send(answer) => {}
        () = async { stop.cancelled().await; tokio::time::sleep(LAST_WORD).await } => {}
    }
}

fn items(message: StreamItemsRequest) -> Result<StreamedItems, Status> {
    match message.part {
        Some(Part::Items(items)) => Ok(items),
        Some(Part::Begin(_)) => Err(Error::invalid("begin", "was sent already").into()),
        None => Err(Error::invalid("items", "required").into()),
    }
}

/// Commits what was done to a stream, or rolls back where the store refused it.
async fn open(tx: Tx, result: StreamResult, queue_id: i64) -> Result<ItemStream, Error> {
    let refused = match result {
        StreamResult::Open(stream) => {
            tx.commit().await?;
            return Ok(stream);
        }
        StreamResult::OtherQueue { queue_id } => {
            Error::invalid("begin.queue_id", format!("the stream began in queue {queue_id}"))
        }
        StreamResult::NoSuchQueue => no_queue(queue_id),
        StreamResult::QueueCompleted => queue_completed(queue_id),
        StreamResult::QuickQueue => quick_queue(queue_id),
        StreamResult::TakenOver => Error::Aborted("another stream of this stream_id goes on".to_owned()),
    };
    tx.rollback().await?;
    Err(refused)
}
