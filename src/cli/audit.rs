//! `trunkline audit`: lists who changed what.

use super::remote::Remote;
use crate::pb;

/// The flags and arguments of `audit`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    /// List only entries older than this AUDIT_ID, which is the last one you saw
    #[arg(long, value_name = "AUDIT_ID")]
    before: Option<i64>,
    /// How many entries to list, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N")]
    page_size: Option<i32>,
}

/// Prints a page of the audit log, newest entries first.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let request = pb::ListAuditRequest { before: args.before, page_size: args.page_size };
    let answer = session.admin().list_audit(request).await?.into_inner();
    session.out.list(&answer, &["audit_id", "at", "actor", "action", "target", "remote_address", "detail"])
}
