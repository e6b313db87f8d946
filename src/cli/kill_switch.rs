//! `trunkline kill-switch`: stops all new calls, everywhere, at once.

use clap::Subcommand;

use super::remote::Remote;
use crate::pb;

/// The flags.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show how it stands
    Status,
    /// Stop all new calls; live calls go on, and calls are still accepted
    Engage {
        /// Why, for those who find it engaged
        #[arg(long)]
        reason: String,
    },
    /// Let calls go out again
    Release {
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
}

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
        "the kill switch is engaged: nothing new is dialed"
    } else {
        "the kill switch is released: calls go out again"
    };
    session.out.say(&now, sentence)
}
