//! `trunkline kill-switch`: stops all new calls on all servers at once.

use clap::Subcommand;

use super::remote::Remote;
use crate::pb;

/// The flags and arguments of `kill-switch`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show whether the kill switch is engaged, and why
    Status,
    /// Stop all new calls; live calls go on, and calls are still accepted
    Engage {
        /// The reason, shown to anyone who asks for the status
        #[arg(long)]
        reason: String,
    },
    /// Release the kill switch, so that calls are dialed again
    Release {
        /// The reason for the release
        #[arg(long)]
        reason: Option<String>,
    },
}

/// Shows, engages or releases the kill switch.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let mut admin = session.admin();
    let request = match args.action {
        Action::Status => {
            let answer = admin.get_kill_switch(pb::GetKillSwitchRequest {}).await?.into_inner();
            return session.out.one(&answer.kill_switch.unwrap_or_default());
        }
        Action::Engage { reason } => pb::SetKillSwitchRequest { engaged: Some(true), reason: Some(reason) },
        Action::Release { reason } => pb::SetKillSwitchRequest { engaged: Some(false), reason },
    };
    let now = admin.set_kill_switch(request).await?.into_inner().kill_switch.unwrap_or_default();
    let sentence = if now.engaged {
        "the kill switch is engaged: no new call is dialed"
    } else {
        "the kill switch is released: calls are dialed again"
    };
    session.out.say(&now, sentence)
}
