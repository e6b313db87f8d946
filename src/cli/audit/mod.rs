//! `trunkline audit`: lists who changed what, exports the audit and verifies its chain of hashes.

mod export;
mod pages;
mod verify;

use clap::Subcommand;

use super::remote::Remote;
use crate::pb;

/// The flags and arguments of `audit`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(flatten)]
    list: List,
    #[command(subcommand)]
    action: Option<Action>,
}

/// The flags of the list.
#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    remote: Remote,
    /// List only entries older than this AUDIT_ID, which is the last one you saw
    #[arg(long, value_name = "AUDIT_ID")]
    before: Option<i64>,
    /// How many entries to list, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N")]
    page_size: Option<i32>,
}

#[derive(Subcommand)]
enum Action {
    /// Verify the chain of hashes of the whole audit, or of an export
    ///
    /// Exits with 1 and names the first entry that does not fit. The hashes need no secret, so anyone who can write to
    /// the database can remove the last entries, or change an entry and make all later hashes anew. Only --head with a
    /// hash that was kept elsewhere finds that. It cannot find out who wrote an entry, and not whether an entry was
    /// true when it was written.
    Verify(verify::Args),
    /// Write all entries as JSON lines, oldest first, which `audit verify --file` can verify
    Export(export::Args),
}

/// Runs the command that the arguments name.
pub async fn run(args: Args) -> anyhow::Result<()> {
    match args.action {
        None => list(args.list).await,
        Some(Action::Verify(verify)) => verify::run(verify).await,
        Some(Action::Export(export)) => export::run(export).await,
    }
}

/// Prints a page of the audit log, newest entries first.
async fn list(args: List) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let request = pb::ListAuditRequest { before: args.before, page_size: args.page_size, after: None };
    let answer = session.admin().list_audit(request).await?.into_inner();
    let columns = ["audit_id", "at", "actor", "action", "target", "remote_address", "detail", "before", "after"];
    session.out.list(&answer, &columns)
}
