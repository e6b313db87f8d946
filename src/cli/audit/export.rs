//! `trunkline audit export`: writes the entries of the audit as JSON lines.

use std::io::{self, Write};

use super::pages::page;
use crate::cli::fault::{Fault, note};
use crate::cli::output::as_rest;
use crate::cli::remote::{Remote, Session};
use crate::cli::signals::asked_to_stop;

/// The flags of `audit export`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    /// Write only entries newer than this AUDIT_ID, which is that of the last line you have
    #[arg(long, value_name = "AUDIT_ID", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,
}

/// Writes all entries to standard output, oldest first, and the end of the chain to standard error.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let mut last = args.after;
    let done = write_all(&session, &mut last).await;
    match done {
        Ok(true) => Ok(()),
        Ok(false) => Err(Fault::Failed(format!("interrupted; continue with --after {last}")).into()),
        Err(error) => {
            note(format_args!("entries up to {last} were written; continue with --after {last}"));
            Err(error)
        }
    }
}

/// Writes page by page. Returns false if it was asked to stop before the end.
async fn write_all(session: &Session, last: &mut i64) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    let mut stop = std::pin::pin!(asked_to_stop());
    loop {
        let answer = tokio::select! {
            answer = page(session, *last) => answer?,
            stopped = &mut stop => {
                stopped?;
                return Ok(false);
            }
        };
        let Some(newest) = answer.results.last().map(|entry| entry.audit_id) else {
            if let Some(head) = answer.head {
                note(format_args!("the chain ends with seq {} and the hash {}", head.seq, head.hash));
            }
            return Ok(true);
        };
        let mut text = String::new();
        for entry in &answer.results {
            text.push_str(&as_rest(entry)?.to_string());
            text.push('\n');
        }
        // Flushed, so that the position that is reported is really written.
        out.write_all(text.as_bytes())?;
        out.flush()?;
        *last = newest;
    }
}
