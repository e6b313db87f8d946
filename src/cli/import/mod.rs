//! `trunkline import FILE.csv`: sends the calls of a CSV file in batches.
//!
//! No call is inserted twice, whatever is interrupted: the id of a batch is derived from the file's content and the
//! batch's position in it, and the server answers a batch that it has already as it did the first time. The state file
//! beside the CSV only saves the time of sending batches again, and reveals that the file was changed in between.

pub(crate) mod columns;
pub(crate) mod rows;
mod sender;
mod state;

use std::fs::File;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use self::columns::Columns;
use self::rows::Rows;
use self::sender::{NewQueue, Sender, Sent};
use self::state::{Content, ID_BITS, State, Target};
use super::client_ref::ForClient;
use super::fault::{Fault, note};
use super::queue_rules::RuleFlags;
use super::remote::Remote;
use crate::pb::TestConnectionRequest;

/// The flags and arguments of `import`.
#[derive(clap::Args)]
#[command(after_long_help = columns::HELP)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    client: ForClient,
    /// The CSV file, whose first line names the columns
    file: PathBuf,
    /// The queue to add the calls to, in place of a new one
    #[arg(long, value_name = "QUEUE_ID")]
    queue: Option<i64>,
    /// The code of the Asterisk server for calls that name none
    #[arg(long, value_name = "CODE")]
    server: Option<String>,
    /// Read a field from a column with another name, such as contact_number=Phone
    #[arg(long, value_name = "FIELD=COLUMN", value_parser = pair)]
    map: Vec<(String, String)>,
    /// Give a field this text in every call, with {COLUMN} replaced by that column, such as
    /// channel=PJSIP/{Phone}@trunk1
    #[arg(long, value_name = "FIELD=TEXT", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Ignore a column that is not a field
    #[arg(long, value_name = "COLUMN")]
    ignore: Vec<String>,
    /// Numbers, separated by commas, that are used in turn as the caller ids of the calls
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    dids: Vec<String>,
    /// The character that separates the columns, or `tab`
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    delimiter: u8,
    /// Distinguishes several imports of one file: with another label, its calls are inserted once more
    #[arg(long, value_name = "TEXT", default_value = "")]
    label: String,
    /// Read and check the whole file, but send nothing
    #[arg(long)]
    dry_run: bool,
    /// Let the server check every call, including the dial policy and the do-not-call lists, but store nothing
    #[arg(long, conflicts_with = "dry_run")]
    validate: bool,
    /// Create the queue paused, so that nothing is dialed until it is resumed
    #[arg(long, conflicts_with = "queue")]
    paused: bool,
    /// The name of the queue that is created
    #[arg(long, conflicts_with = "queue")]
    name: Option<String>,
    #[command(flatten)]
    rules: RuleFlags,
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

/// The result of an import.
#[derive(serde::Serialize)]
struct Summary {
    queue_id: i64,
    /// How many calls this run inserted.
    inserted_count: u64,
    /// How many calls had been inserted before.
    present_count: u64,
    /// How many calls the file contains.
    count: u64,
}

/// Sends the calls of a file.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let rows = Rows::open(&args.file, args.delimiter)?;
    let columns = Columns::new(rows.headers(), args.server.as_deref(), &args.map, &args.set, &args.ignore)?;
    // The whole file is read before anything is sent, so that no malformed line stops an import in the middle.
    let (content, count) = rows::check(&args.file, args.delimiter, &columns)?;
    if args.dry_run {
        return say_checked(&args, count);
    }
    if args.queue.is_some() && !args.rules.is_empty() {
        return Err(
            Fault::Usage("--queue names a queue that has rules; change them with `queues rules`".to_owned()).into()
        );
    }
    let rules = (!args.rules.is_empty()).then(|| args.rules.clone().rules());
    let new_queue = NewQueue { name: args.name.clone(), paused: args.paused, rules };
    let session = args.remote.connect().await?;
    let client_id = args.client.id(&session).await?;
    let content = Content { file_sha256: content, label: args.label.clone(), id_bits: ID_BITS };
    if args.validate {
        let bar = progress(count);
        let sender =
            Sender { session: &session, dids: args.dids.clone(), client_id, new_queue, validate_only: true, bar: &bar };
        return validate(&args, sender, rows, &columns, &content, count).await;
    }
    let own = session.clients().test_connection(TestConnectionRequest {}).await?.into_inner().client_id;
    let target = Target { url: args.remote.url().to_owned(), client_id: client_id.or(own) };
    let mut state = State::load(&args.file, &target, &content)?;
    if let (Some(asked), Some(begun)) = (args.queue, state.queue_id)
        && asked != begun
    {
        return Err(Fault::Usage(format!(
            "the import of {} began in queue {begun}, not in queue {asked}; its state is in {}",
            args.file.display(),
            state.path().display()
        ))
        .into());
    }
    let mut queue_id = state.queue_id.or(args.queue);
    let bar = progress(count);
    bar.set_position(state.rows);
    let mut sender =
        Sender { session: &session, dids: args.dids, client_id, new_queue, validate_only: false, bar: &bar };
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
                    note(format_args!(
                        "{inserted} of {count} calls are inserted; repeat the command to continue from there"
                    ));
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

/// Lets the server check the calls of a file, batch by batch, until it refuses one.
async fn validate(
    args: &Args,
    mut sender: Sender<'_>,
    rows: Rows<File>,
    columns: &Columns,
    content: &Content,
    count: u64,
) -> anyhow::Result<()> {
    for batch in rows.batches(columns, 0) {
        let batch = batch?;
        let sent = sender.send(args.queue, content.batch_id(batch.offset), &batch).await;
        let checked = sent.inspect_err(|_| sender.bar.abandon())?;
        checked.warnings.iter().for_each(|warning| sender.bar.suspend(|| note(warning)));
        sender.bar.inc(u64::try_from(batch.items.len()).unwrap_or(0));
    }
    sender.bar.finish_and_clear();
    let sentence = format!("{count} calls of {} would be inserted; nothing was stored", args.file.display());
    args.remote.output().say(&serde_json::json!({ "count": count }), sentence)
}

fn say_checked(args: &Args, count: u64) -> anyhow::Result<()> {
    let sentence = format!("{} contains {count} calls; nothing was sent", args.file.display());
    args.remote.output().say(&serde_json::json!({ "count": count }), sentence)
}

/// Returns a progress bar, which is shown on a terminal only.
fn progress(count: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} calls, {per_sec}, {eta} left");
    let bar = ProgressBar::new(count);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
