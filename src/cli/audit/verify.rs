//! `trunkline audit verify`: verifies the chain of hashes of the audit, on the server or in an export.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::pages::page;
use crate::cli::fault::{Fault, note};
use crate::cli::output::Output;
use crate::cli::remote::{Remote, Session};
use crate::domain::audit_chain::{Content, Hash, Link};
use crate::domain::audit_verifier::{Broken, Summary, Verifier};
use crate::pb;

/// The flags of `audit verify`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    /// A hash that an earlier verification or export printed, and that must be in the chain; can be repeated
    #[arg(long = "head", value_name = "HASH")]
    heads: Vec<Hash>,
    /// Verify this file, written by `audit export`, and ask no server; a file may begin in the middle of the chain
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Verifies the audit. Fails with the first entry that does not fit, or a hash that is missing.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let mut verifier = if args.file.is_some() { Verifier::of_part() } else { Verifier::of_all() };
    for head in &args.heads {
        verifier.want(*head);
    }
    let (summary, out) = match &args.file {
        Some(file) => (of_file(verifier, file)?, args.remote.output()),
        None => {
            let session = args.remote.connect().await?;
            (of_server(verifier, &session).await?, session.out)
        }
    };
    if let Some(missing) = summary.missing.first() {
        let what = if args.heads.contains(missing) { "the hash of --head" } else { "the end that the server names" };
        let message =
            format!("no audit entry has the hash {missing}, {what}: entries were removed, or the chain was made anew");
        return Err(Fault::Failed(message).into());
    }
    print(out, &summary)?;
    if args.heads.is_empty() {
        note(
            "keep the head outside of the database: only --head HASH finds out later whether the last entries were \
             removed, or all hashes after a change were made anew",
        );
    }
    Ok(())
}

fn print(out: Output, summary: &Summary) -> anyhow::Result<()> {
    let (first, last) = summary.seqs.unwrap_or_default();
    let head = summary.head.to_string();
    let answer = json!({ "entries": summary.entries, "first_seq": first, "last_seq": last, "head": head });
    let range = if summary.seqs.is_some() { format!(", seq: {first} to {last}") } else { String::new() };
    out.say(&answer, format_args!("the audit is intact; entries: {}{range}, head: {head}", summary.entries))
}

async fn of_server(mut verifier: Verifier, session: &Session) -> anyhow::Result<Summary> {
    let mut last = 0;
    loop {
        let answer = page(session, last).await?;
        if last == 0
            && let Some(head) = answer.head
        {
            verifier.want(head.hash.parse().map_err(|error| Fault::Failed(format!("the end of the chain: {error}")))?);
        }
        let Some(newest) = answer.results.last() else { break };
        last = newest.audit_id;
        for entry in &answer.results {
            add(&mut verifier, entry)?;
        }
    }
    verifier.finish().map_err(|broken| broken_chain(&broken))
}

fn of_file(mut verifier: Verifier, path: &Path) -> anyhow::Result<Summary> {
    let unreadable = |error: &dyn std::fmt::Display| Fault::Usage(format!("cannot read {}: {error}", path.display()));
    let file = BufReader::new(File::open(path).map_err(|error| unreadable(&error))?);
    for (index, line) in file.lines().enumerate() {
        let line = line.map_err(|error| unreadable(&error))?;
        let entry: pb::AuditEntry = serde_json::from_str(&line)
            .map_err(|error| Fault::Usage(format!("{} line {}: {error}", path.display(), index + 1)))?;
        add(&mut verifier, &entry)?;
    }
    verifier.finish().map_err(|broken| broken_chain(&broken))
}

fn add(verifier: &mut Verifier, entry: &pb::AuditEntry) -> anyhow::Result<()> {
    let at = entry.at.as_ref().and_then(|at| jiff::Timestamp::try_from(*at).ok());
    let content = Content {
        id: entry.audit_id,
        seq: entry.seq,
        at: at.map_or(0, jiff::Timestamp::as_millisecond),
        actor: &entry.actor,
        action: &entry.action,
        target: &entry.target,
        remote_address: entry.remote_address.as_deref(),
        request_id: &entry.request_id,
        detail: &entry.detail,
        before: entry.before.as_deref(),
        after: entry.after.as_deref(),
    };
    let read = |hash: &Option<String>| hash.as_ref()?.parse().ok();
    let link = read(&entry.previous_hash).zip(read(&entry.hash)).map(|(previous, hash)| Link { previous, hash });
    verifier.add(&content, link).map_err(|broken| broken_chain(&broken))
}

fn broken_chain(broken: &Broken) -> anyhow::Error {
    Fault::Failed(broken.to_string()).into()
}
