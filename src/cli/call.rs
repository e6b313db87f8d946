//! `trunkline call`: shows or ends a single call.

use clap::Subcommand;

use super::remote::Remote;
use crate::pb;

/// The flags and arguments of `call`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show a call with its attempts and its timeline
    Show(CallRef),
    /// End a call that has not been answered
    Cancel(CallRef),
    /// Hang up a live call
    Hangup(CallRef),
}

#[derive(Clone, clap::Args)]
struct CallRef {
    /// The id of the call
    call_id: String,
}

/// Shows or ends a call.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let mut calls = session.calls();
    match args.action {
        Action::Show(CallRef { call_id }) => {
            session.out.one(&calls.get_call(pb::GetCallRequest { call_id }).await?.into_inner().call)
        }
        Action::Cancel(CallRef { call_id }) => {
            let call = calls.cancel_call(pb::CancelCallRequest { call_id }).await?.into_inner().call;
            let call = call.unwrap_or_default();
            session.out.say(&call, ended(&call))
        }
        Action::Hangup(CallRef { call_id }) => {
            let call = calls.hangup_call(pb::HangupCallRequest { call_id }).await?.into_inner().call;
            let call = call.unwrap_or_default();
            session.out.say(&call, ended(&call))
        }
    }
}

fn ended(call: &pb::Call) -> String {
    match call.result() {
        pb::EndResult::Canceled => format!("call {} is canceled and will not be dialed", call.call_id),
        pb::EndResult::HangingUp => format!("call {} is being hung up", call.call_id),
        pb::EndResult::AlreadyCanceled => format!("call {} was already canceled", call.call_id),
        pb::EndResult::Unspecified => format!("call {} has ended", call.call_id),
    }
}
