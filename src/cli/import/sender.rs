//! Sends batches, and sends one again if the server could not be reached or asked for fewer requests.

use std::time::Duration;

use indicatif::ProgressBar;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::columns::name_of;
use super::rows::Batch;
use crate::cli::fault::{Fault, is_away, note};
use crate::cli::remote::Session;
use crate::pb::{InsertBatchRequest, QueueRules};

/// How often one batch is tried before the import gives up. The import can be continued later.
const TRIES: u32 = 6;

/// The pause before the second try. It doubles before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Sends the batches of one import.
pub struct Sender<'a> {
    /// The connection to the server.
    pub session: &'a Session,
    /// The caller ids that are used in turn in each batch.
    pub dids: Vec<String>,
    /// The client that an administrator imports for.
    pub client_id: Option<i64>,
    /// What the queue is like, if the import creates it.
    pub new_queue: NewQueue,
    /// True if the server only checks the calls.
    pub validate_only: bool,
    /// The progress bar, above which notes are printed.
    pub bar: &'a ProgressBar,
}

/// What the queue of an import is like.
#[derive(Clone, Default)]
pub struct NewQueue {
    /// The name of the queue.
    pub name: Option<String>,
    /// True if the queue begins paused.
    pub paused: bool,
    /// The rules of the queue; None if all have their defaults.
    pub rules: Option<QueueRules>,
}

/// The result of sending a batch.
pub struct Sent {
    /// The queue that the batch is in.
    pub queue_id: i64,
    /// True if the server had the batch already.
    pub replayed: bool,
    /// The warnings of the server, with lines and columns of the file.
    pub warnings: Vec<String>,
}

impl Sender<'_> {
    /// Sends a batch until the server has it.
    ///
    /// # Errors
    /// Returns an error if the server refuses the batch, or cannot be reached for 6 tries.
    pub async fn send(&mut self, queue_id: Option<i64>, batch_id: i64, batch: &Batch) -> anyhow::Result<Sent> {
        let mut wait = FIRST_WAIT;
        for tried in 1.. {
            // Only the batch that creates the queue says what it is like.
            let NewQueue { name, paused, rules } = match queue_id {
                None => self.new_queue.clone(),
                Some(_) => NewQueue::default(),
            };
            let request = InsertBatchRequest {
                queue_id,
                batch_id: Some(batch_id),
                dids: self.dids.clone(),
                data: batch.items.clone(),
                client_id: self.client_id,
                name,
                paused,
                rules,
                validate_only: self.validate_only,
                ..Default::default()
            };
            let status = match self.session.queues().insert_batch(request).await {
                Ok(answer) => {
                    let replayed = answer.metadata().contains_key("idempotent-replayed");
                    let answer = answer.into_inner();
                    let warnings = answer.warnings.iter().map(|warning| by_line(warning, batch)).collect();
                    return Ok(Sent { queue_id: answer.queue_id, replayed, warnings });
                }
                Err(status) => status,
            };
            let asked = status.get_error_details().retry_info().and_then(|info| info.retry_delay);
            let later = is_away(&status) || status.code() == Code::ResourceExhausted;
            if !later || tried == TRIES {
                return Err(Self::refused(status, batch));
            }
            let pause = asked.unwrap_or_default().max(wait);
            self.bar.suspend(|| note(format_args!("{}; trying again in {pause:?}", status.message())));
            tokio::time::sleep(pause).await;
            wait *= 2;
        }
        Err(Fault::Failed("nothing was tried".to_owned()).into())
    }

    /// Converts the server's error to one with lines and columns of the file in place of paths.
    fn refused(status: Status, batch: &Batch) -> anyhow::Error {
        let details = status.get_error_details();
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        if violations.is_empty() {
            return status.into();
        }
        let lines: Vec<String> = violations
            .iter()
            .map(|violation| by_line(&format!("{}: {}", violation.field, violation.description), batch))
            .collect();
        Fault::from(Status::new(status.code(), lines.join("\n  "))).into()
    }
}

/// Writes `data[17].action.Channel: required` as `line 19, channel: required`.
fn by_line(text: &str, batch: &Batch) -> String {
    let parsed = text.strip_prefix("data[").and_then(|rest| {
        let (index, rest) = rest.split_once(']')?;
        let line = batch.lines.get(index.parse::<usize>().ok()?)?;
        let (path, why) = rest.trim_start_matches('.').split_once(": ")?;
        Some(format!("line {line}, {}: {why}", name_of(path)))
    });
    parsed.unwrap_or_else(|| text.to_owned())
}
