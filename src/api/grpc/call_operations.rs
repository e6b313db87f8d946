//! Cancels, retries and moves many calls: in groups, each of which is told to the client as it is committed.

use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::warn;

use super::app::App;
use super::change::Change;
use super::changed::Changed;
use super::errors::STORE_AWAY;
use crate::api::streams::StreamPermit;
use crate::api::validate::call_operations::{Action, Operation, Scope};
use crate::api::{At, Error, Reason, Violations};
use crate::domain::ids::CallId;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::pb;
use crate::store::call_search::{CallSearch, TimeRange};
use crate::store::calls::Call;
use crate::store::{call_pages, clients, commands, retry_calls, servers, waiting};

/// How many calls one transaction changes: few enough that lanes do not wait long for their own commits.
const GROUP: usize = 250;

/// The stream of counts to a client.
pub type Counted<R> = ReceiverStream<Result<R, Status>>;

/// What was done so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// How many calls the request applies to; None if it continues another one.
    pub matched: Option<i64>,
    /// How many calls were canceled, retried or moved.
    pub changed: i64,
    /// How many live calls are hung up.
    pub hanging_up: i64,
    /// How many calls were found and left.
    pub skipped: i64,
    /// Where a request continues; None if all calls are handled.
    pub token: Option<String>,
    /// True if all calls are handled.
    pub done: bool,
}

/// An operation on its way.
struct Run<R> {
    app: App,
    operation: Operation,
    /// Calls that are stored at this time or later are left alone.
    until: Millis,
    counts: Counts,
    write: fn(&Counts) -> R,
    responses: mpsc::Sender<Result<R, Status>>,
    _permit: StreamPermit,
}

/// Carries out an operation on the calls of a client, or of all clients. `check` checks the request, and `write` makes a
/// response of what was done so far.
///
/// # Errors
/// Fails before anything is changed if the request is wrong, or applies to another number of calls than it expects. A later
/// error ends the stream.
pub async fn run<R: Send + 'static>(
    change: Change,
    permit: StreamPermit,
    client_id: Option<i64>,
    check: impl FnOnce(Scope<'_>) -> Result<Operation, Error>,
    write: fn(&Counts) -> R,
) -> Result<Counted<R>, Error> {
    let app = &change.app;
    let mut conn = app.db.read().await?;
    let numberings = clients::numberings(&mut conn, client_id).await?;
    let operation = check(Scope { client_id, numberings: &numberings, now: change.now })?;
    let queue_id = operation.passes.first().and_then(|pass| pass.queue_id);
    app.check_scope(&mut conn, client_id, queue_id.as_slice()).await?;
    if let Action::Move { to } = &operation.action {
        let is_granted = match client_id {
            Some(client_id) => waiting::granted(&mut conn, to).await?.contains(&client_id),
            None => servers::get(&mut conn, to).await?.is_some(),
        };
        if !is_granted {
            let mut violations = Violations::default();
            let why = "the server does not exist, or the client has no grant for it";
            violations.invalid(&At::field("to_asterisk_server_code"), why);
            violations.finish()?;
        }
    }
    let mut matched = None;
    if !operation.is_resumed {
        let mut count = 0;
        for pass in &operation.passes {
            count += call_pages::count(&mut conn, pass).await?;
        }
        if operation.expected_count.is_some_and(|expected| expected != count) {
            let expected = operation.expected_count.unwrap_or_default();
            let message = format!("the request applies to {count} calls by now, and not to {expected}");
            return Err(Error::FailedPrecondition { reason: Reason::CountDiffers, message });
        }
        matched = Some(count);
    }
    drop(conn);
    if !operation.dry_run {
        let noted = json!({ "matched_count": matched });
        change.begin().await?.commit(target(None), Changed::created(&noted)?).await?;
    }
    let (responses, stream) = mpsc::channel(1);
    let counts = Counts { matched, ..Counts::default() };
    let until = Millis(change.now.0.saturating_add(1));
    let run = Run { app: app.clone(), operation, until, counts, write, responses, _permit: permit };
    // In a task of its own, so that a group is completed even if the client leaves.
    tokio::spawn(run.handle_all());
    Ok(ReceiverStream::new(stream))
}

/// Returns the name of a call, or of many, in the audit.
pub fn target(id: Option<CallId>) -> String {
    id.map_or_else(|| "calls".to_owned(), |id| format!("calls/{id}"))
}

impl<R: Send + 'static> Run<R> {
    async fn handle_all(mut self) {
        let ended = if self.operation.dry_run { Ok(()) } else { self.groups().await };
        match ended {
            Ok(()) => {
                self.counts.done = true;
                self.counts.token = None;
                self.send().await;
            }
            Err(error) => {
                warn!(%error, "many calls are changed only in part");
                // If the client has left, nobody is told.
                let _ = self.responses.send(Err(error.into())).await;
            }
        }
    }

    /// Changes one group after another, until all calls are handled, the client leaves or the server stops.
    async fn groups(&mut self) -> Result<(), Error> {
        if !self.operation.is_resumed && !self.send().await {
            return Ok(());
        }
        let (first, mut after) = self.operation.begin;
        for index in first..self.operation.passes.len() {
            let Some(pass) = self.operation.passes.get(index) else { break };
            let pass = self.bounded(pass);
            loop {
                if self.app.stop.is_cancelled() {
                    let message = "the server stops; continue with the last resume_token".to_owned();
                    return Err(Error::Unavailable { message, retry_after: STORE_AWAY });
                }
                let page = call_pages::page(&mut self.app.db.read().await?, &pass, after, GROUP).await?;
                self.change(&page.calls).await?;
                after = page.next;
                if let Some(next) = page.next {
                    self.counts.token = self.operation.token(index, next);
                }
                if !page.calls.is_empty() && !self.send().await {
                    return Ok(());
                }
                if page.next.is_none() {
                    break;
                }
            }
            after = None;
        }
        Ok(())
    }

    /// Returns a pass without the calls that were stored after the request arrived.
    fn bounded(&self, pass: &CallSearch) -> CallSearch {
        let to = pass.created.to.map_or(self.until, |to| to.min(self.until));
        CallSearch { created: TimeRange { to: Some(to), ..pass.created }, ..pass.clone() }
    }

    /// Changes a group of calls, and counts them.
    async fn change(&mut self, calls: &[Call]) -> Result<(), Error> {
        if calls.is_empty() {
            return Ok(());
        }
        let (db, now) = (&self.app.db, Millis::now());
        let found = i64::try_from(calls.len()).unwrap_or(i64::MAX);
        let is_live = calls.iter().any(|call| call.status().is_ok_and(CallStatus::is_live));
        let changed = match &self.operation.action {
            Action::Cancel { .. } if is_live => {
                let asked = commands::hang_up(db, calls, now).await?;
                self.counts.hanging_up += asked;
                self.counts.skipped += found - asked;
                return Ok(());
            }
            Action::Cancel { .. } => waiting::cancel_calls(db, calls, now).await?,
            Action::Retry { deadline } => retry_calls::retry(db, calls, *deadline, now).await?,
            Action::Move { to } => waiting::move_calls(db, calls, to, now).await?,
        };
        self.counts.changed += changed;
        self.counts.skipped += found - changed;
        Ok(())
    }

    /// Sends what was done so far. Returns false if the client has left.
    async fn send(&self) -> bool {
        self.responses.send(Ok((self.write)(&self.counts))).await.is_ok()
    }
}

/// Makes a response of `CancelCalls`.
pub fn canceled(counts: &Counts) -> pb::CancelCallsResponse {
    let Counts { matched, changed, hanging_up, skipped, ref token, done } = *counts;
    pb::CancelCallsResponse {
        matched_count: matched,
        canceled_count: changed,
        hanging_up_count: hanging_up,
        skipped_count: skipped,
        done,
        resume_token: token.clone(),
    }
}

/// Makes a response of `RetryCalls`.
pub fn retried(counts: &Counts) -> pb::RetryCallsResponse {
    let Counts { matched, changed, skipped, ref token, done, .. } = *counts;
    pb::RetryCallsResponse {
        matched_count: matched,
        retried_count: changed,
        skipped_count: skipped,
        done,
        resume_token: token.clone(),
    }
}

/// Makes a response of `MoveCalls`.
pub fn moved(counts: &Counts) -> pb::MoveCallsResponse {
    let Counts { matched, changed, skipped, ref token, done, .. } = *counts;
    pb::MoveCallsResponse {
        matched_count: matched,
        moved_count: changed,
        skipped_count: skipped,
        done,
        resume_token: token.clone(),
    }
}
