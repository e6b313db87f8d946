//! `trunkline import FILE.csv`: sends the calls of a CSV file in batches.
//!
//! No call is inserted twice, whatever is interrupted: a batch's id is made from the file's content and the batch's place
//! in it, and the server answers a batch that it has as the first time. The state file beside the CSV only saves the
//! time to send again what is there, and notices a file that was changed in between.

mod columns;
mod rows;
mod sender;
mod state;

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use self::columns::Columns;
use self::rows::Rows;
use self::sender::{Sender, Sent};
use self::state::{Content, State, Target};
use super::fault::{Fault, note};
use super::remote::Remote;
use crate::pb::TestConnectionRequest;

/// The flags.
#[derive(clap::Args)]
#[command(after_long_help = columns::HELP)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    /// The CSV file; its first line names the columns
    file: PathBuf,
    /// Add to this queue, in place of a new one
    #[arg(long, value_name = "QUEUE_ID")]
    queue: Option<i64>,
    /// The Asterisk server of calls that name none
    #[arg(long, value_name = "CODE")]
    server: Option<String>,
    /// Read a field from a column that is called otherwise, as contact_number=Phone
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = pair)]
    map: Vec<(String, String)>,
    /// Give a field the same text in every call; {COLUMN} stands for that column's, as channel=PJSIP/{Phone}@trunk1
    #[arg(long, value_name = "FIELD=TEXT", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Pass over a column that is no field
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
    /// Numbers that rotate over the calls as caller ids, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    dids: Vec<String>,
    /// What separates the columns
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    delimiter: u8,
    /// Tells apart several imports of the same file: with another label its calls are inserted once more
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Read and check the whole file, and send nothing
    #[arg(long)]
    dry_run: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (field, rest) = text.split_once('=').ok_or("must be FIELD=…")?;
    Ok((field.trim().to_owned(), rest.to_owned()))
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "tab" | "\\t" => Ok(b'\t'),
        _ => <[u8; 1]>::try_from(text.as_bytes())
            .map(|[byte]| byte)
            .map_err(|_| "must be one character, or `tab`".into()),
    }
}

/// Where the import stands at its end.
#[derive(serde::Serialize)]
struct Summary {
    queue_id: i64,
    /// Calls that this run inserted.
    inserted_count: u64,
    /// Calls that were there before.
    present_count: u64,
    /// Calls in the file.
    count: u64,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let rows = Rows::open(&args.file, args.delimiter)?;
    let columns = Columns::new(rows.headers(), args.server.as_deref(), &args.map, &args.set, &args.ignore)?;
    // The whole file is read before anything is sent: a line that cannot be read then stops no import half-way.
    let (content, count) = rows::check(&args.file, args.delimiter, &columns)?;
    if args.dry_run {
        return say_checked(&args, count);
    }
    let session = args.remote.connect().await?;
    let client_id = session.clients().test_connection(TestConnectionRequest {}).await?.into_inner().client_id;
    let target = Target { url: args.remote.url().to_owned(), client_id };
    let mut state = State::load(&args.file, &target, &Content { file_sha256: content, label: args.label.clone() })?;
    if let (Some(asked), Some(begun)) = (args.queue, state.queue_id)
        && asked != begun
    {
        return Err(Fault::Usage(format!(
            "the import of {} was begun in queue {begun}; {} keeps its state",
            args.file.display(),
            state.path().display()
        ))
        .into());
    }
    let mut queue_id = state.queue_id.or(args.queue);
    let bar = progress(count);
    bar.set_position(state.rows);
    let mut sender = Sender { session: &session, dids: args.dids, bar: &bar };
    let mut summary = Summary { queue_id: 0, inserted_count: 0, present_count: state.rows, count };
    for batch in rows.batches(&columns, state.rows) {
        let batch = batch?;
        let id = state.content.batch_id(batch.offset);
        let sent = sender.send(queue_id, id, &batch).await;
        let Sent { queue_id: into, replayed, warnings } = match sent {
            Ok(sent) => sent,
            Err(error) => {
                bar.abandon();
                let inserted = summary.inserted_count + summary.present_count;
                if inserted > 0 {
                    note(format_args!("{inserted} of {count} calls are inserted; the same command goes on from there"));
                }
                return Err(error);
            }
        };
        let rows = u64::try_from(batch.items.len()).unwrap_or(0);
        *(if replayed { &mut summary.present_count } else { &mut summary.inserted_count }) += rows;
        queue_id = Some(into);
        state.advance(into, batch.offset + rows, count);
        warnings.iter().for_each(|warning| bar.suspend(|| note(warning)));
        bar.inc(rows);
    }
    bar.finish_and_clear();
    summary.queue_id = queue_id.unwrap_or_default();
    let Summary { queue_id, inserted_count, present_count, count } = summary;
    let before = if present_count > 0 { format!(", {present_count} had been there before") } else { String::new() };
    session.out.say(&summary, format_args!("{count} calls are in queue {queue_id}: {inserted_count} are new{before}"))
}

fn say_checked(args: &Args, count: u64) -> anyhow::Result<()> {
    let sentence = format!("{} holds {count} calls; nothing was sent", args.file.display());
    args.remote.output().say(&serde_json::json!({ "count": count }), sentence)
}

/// A bar on a terminal, nothing elsewhere.
fn progress(count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} calls, {per_sec}, {eta} left");
    let bar = ProgressBar::new(count);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
