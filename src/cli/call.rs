//! `trunkline call`: shows, changes or ends a single call.

use std::str::FromStr;

use clap::Subcommand;

use super::client_ref::ForClient;
use super::remote::Remote;
use super::time::Time;
use crate::pb;

/// The flags and arguments of `call`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    client: ForClient,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Show a call with its attempts and its timeline
    Show(CallRef),
    /// Change a call that waits
    Update(Update),
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

#[derive(clap::Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// Do not dial the call after this time; `none` for no deadline
    #[arg(long, value_name = "TIME")]
    deadline: Option<Optional>,
    /// Do not dial the call before this time; `none` to dial it at once
    #[arg(long, value_name = "TIME", conflicts_with = "next")]
    not_before: Option<Optional>,
    /// How many further attempts the call asks for, 0 to 100
    #[arg(long, value_name = "N")]
    retry: Option<i32>,
    /// Dial the call before the other calls of its queue that wait for its server
    #[arg(long)]
    next: bool,
}

#[derive(clap::Args)]
struct Update {
    #[command(flatten)]
    call: CallRef,
    #[command(flatten)]
    changes: Changes,
}

/// A time, or `none`.
#[derive(Clone, Copy)]
struct Optional(Option<Time>);

impl FromStr for Optional {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(Self(None)) } else { text.parse().map(|time| Self(Some(time))) }
    }
}

impl Action {
    /// Returns the id of the call that the action concerns.
    fn call_id(&self) -> &str {
        match self {
            Self::Show(call) | Self::Cancel(call) | Self::Hangup(call) | Self::Update(Update { call, .. }) => {
                &call.call_id
            }
        }
    }
}

impl Update {
    fn request(self) -> pb::UpdateCallRequest {
        let Changes { deadline, not_before, retry, next } = self.changes;
        let given = [
            ("deadline", deadline.is_some()),
            ("not_before", not_before.is_some()),
            ("retry", retry.is_some()),
            ("dial_next", next),
        ];
        let time = |flag: Option<Optional>| flag.and_then(|Optional(time)| time).map(Into::into);
        pb::UpdateCallRequest {
            call_id: self.call.call_id,
            deadline: time(deadline),
            not_before: time(not_before),
            retry,
            dial_next: next,
            update_mask: given.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| (*name).to_owned()).collect(),
        }
    }
}

/// Shows, changes or ends a call.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    args.client.check_call(&session, args.action.call_id()).await?;
    let mut calls = session.calls();
    match args.action {
        Action::Show(CallRef { call_id }) => {
            session.out.one(&calls.get_call(pb::GetCallRequest { call_id }).await?.into_inner().call)
        }
        Action::Update(update) => session.out.one(&calls.update_call(update.request()).await?.into_inner().call),
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
