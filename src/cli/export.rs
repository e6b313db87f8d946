//! `trunkline export`: writes the outcome of every call of a queue, as CSV or JSON lines.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::client_ref::ForClient;
use super::fault::{Fault, note};
use super::output::as_rest;
use super::remote::{Remote, Session};
use super::signals::asked_to_stop;
use crate::pb;

/// The flags and arguments of `export`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    client: ForClient,
    /// The id of the queue
    #[arg(long, value_name = "QUEUE_ID")]
    queue: i64,
    /// The format of the output; --json alone means jsonl
    #[arg(long, default_value = "csv", default_value_if("json", "true", "jsonl"))]
    format: Format,
    /// Skip so many calls; an interrupted export prints the number to continue with
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: u64,
    /// Write only calls with this status, such as completed or failed
    #[arg(long, value_parser = status)]
    status: Option<pb::CallStatus>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// CSV with a heading line, unless it continues an earlier export
    Csv,
    /// One JSON object on each line, as the REST API writes a call
    Jsonl,
}

/// How many calls one request asks for.
const PAGE: u64 = 1000;

/// The columns of the CSV: the fields that any call can have.
const COLUMNS: [&str; 26] = [
    "call_id",
    "queue_id",
    "batch_id",
    "asterisk_server_code",
    "status",
    "outcome",
    "attempts",
    "channel",
    "contact_number",
    "project",
    "action_id",
    "channel_id",
    "did",
    "created_at",
    "due_at",
    "deadline",
    "started_at",
    "answered_at",
    "ended_at",
    "duration",
    "billable_seconds",
    "hangup_cause",
    "hangup_cause_text",
    "recording_path",
    "time_zone",
    "labels",
];

/// Reads a status as the REST API writes it.
///
/// # Errors
/// Returns all statuses that there are.
pub fn status(text: &str) -> Result<pb::CallStatus, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        let known = (1..=10).filter_map(|code| pb::CallStatus::try_from(code).ok());
        let names = known.filter_map(|status| serde_json::to_value(status).ok()?.as_str().map(str::to_owned));
        format!("must be one of {}", names.collect::<Vec<_>>().join(", "))
    })
}

/// Writes the calls of a queue to standard output.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    args.client.check_queue(&session, args.queue).await?;
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} calls, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    let mut position = args.after;
    let done = write_all(&args, &session, &bar, &mut position).await;
    bar.finish_and_clear();
    match done {
        Ok(true) => Ok(()),
        Ok(false) => {
            let message = format!("interrupted after {position} calls; continue with --after {position}");
            Err(Fault::Failed(message).into())
        }
        Err(error) => {
            note(format_args!("{position} calls were written; continue with --after {position}"));
            Err(error)
        }
    }
}

/// Writes page by page. Returns false if it was asked to stop before the end.
async fn write_all(args: &Args, session: &Session, bar: &ProgressBar, position: &mut u64) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    if args.format == Format::Csv && *position == 0 {
        csv::Writer::from_writer(&mut out).write_record(COLUMNS)?;
    }
    let mut stop = std::pin::pin!(asked_to_stop());
    loop {
        let page = page(args, session, *position);
        let (calls, count) = tokio::select! {
            page = page => page?,
            stopped = &mut stop => {
                stopped?;
                return Ok(false);
            }
        };
        bar.set_length(count);
        let read = u64::try_from(calls.len()).unwrap_or(0);
        write_page(args.format, &mut out, &calls)?;
        *position += read;
        bar.set_position(*position);
        if read == 0 || *position >= count {
            return Ok(true);
        }
    }
}

/// Returns the calls after a position, up to the end of their page, and the number of all calls.
async fn page(args: &Args, session: &Session, position: u64) -> anyhow::Result<(Vec<pb::Call>, u64)> {
    let request = pb::ListQueueCallsRequest {
        master_queue_id: Some(args.queue),
        page: Some(i32::try_from(position / PAGE + 1)?),
        page_size: Some(i32::try_from(PAGE)?),
        status: args.status.map(Into::into),
        ..Default::default()
    };
    let answer = session.queues().list_queue_calls(request).await?.into_inner();
    let skip = usize::try_from(position % PAGE)?;
    Ok((answer.results.into_iter().skip(skip).collect(), u64::try_from(answer.count).unwrap_or(0)))
}

/// Writes calls and flushes them, so that the position which is reported is really written.
fn write_page(format: Format, out: &mut impl Write, calls: &[pb::Call]) -> anyhow::Result<()> {
    match format {
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut *out);
            for call in calls {
                let call = as_rest(call)?;
                csv.write_record(COLUMNS.map(|column| field(&call[column]))).map_err(io::Error::from)?;
            }
            csv.flush()?;
        }
        Format::Jsonl => {
            let mut text = String::new();
            for call in calls {
                text.push_str(&as_rest(call)?.to_string());
                text.push('\n');
            }
            out.write_all(text.as_bytes())?;
        }
    }
    out.flush()?;
    Ok(())
}

/// Writes a value as a field of CSV; one that is absent is empty.
pub fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_a_field_of_a_call() {
        let call = crate::pb::DESCRIPTORS.get_message_by_name("trunkline.v1.Call").unwrap();
        for column in COLUMNS {
            assert!(call.fields().any(|field| field.json_name() == column), "{column}");
        }
    }

    #[test]
    fn a_status_is_named_as_in_rest() {
        assert_eq!(status("completed"), Ok(pb::CallStatus::Completed));
        assert!(status("done").unwrap_err().contains("queued, dialing"));
    }
}
