//! `trunkline clients`: who may hand in calls.

use clap::Subcommand;

use super::client_ref::ClientRef;
use super::paging::Paging;
use super::policies::PolicyFlags;
use super::remote::{Remote, Session};
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
#[expect(clippy::large_enum_variant, reason = "there is one, and it is taken apart at once")]
enum Action {
    /// List all clients, oldest first
    List(Paging),
    /// Show one client with its limits and policy
    Show(ClientRef),
    /// Make a client and its first key, which is shown this once
    Create {
        /// For people; unique
        name: String,
        /// The account code of its call records
        #[arg(long, value_name = "CODE")]
        account_code: String,
        /// Codes of servers it may dial through
        #[arg(long = "server", value_name = "CODE")]
        servers: Vec<String>,
        #[command(flatten)]
        limits: LimitFlags,
        #[command(flatten)]
        policy: PolicyFlags,
    },
    /// Change a client: what is not named stays
    Update {
        #[command(flatten)]
        client: ClientRef,
        /// A new name
        #[arg(long)]
        name: Option<String>,
        /// A new account code
        #[arg(long, value_name = "CODE")]
        account_code: Option<String>,
        /// Codes of all servers it may dial through, in place of those it may now
        #[arg(long = "server", value_name = "CODE")]
        servers: Vec<String>,
        #[command(flatten)]
        limits: LimitFlags,
    },
    /// Refuse a client's keys, and dial none of its calls
    Disable(ClientRef),
    /// Let a disabled client work again
    Enable(ClientRef),
}

/// What limits a client.
#[derive(Clone, clap::Args)]
struct LimitFlags {
    /// API requests a second to each node
    #[arg(long, value_name = "N")]
    requests_per_second: Option<f64>,
    /// Calls begun a second, on all servers of a node together
    #[arg(long, value_name = "N")]
    calls_per_second: Option<f64>,
    /// Live calls at one time, on all servers of a node together
    #[arg(long, value_name = "N")]
    max_live_calls: Option<i32>,
    /// Calls that wait
    #[arg(long, value_name = "N")]
    max_queued_calls: Option<i64>,
    /// Calls to one number on one day (UTC)
    #[arg(long, value_name = "N")]
    max_calls_per_destination_per_day: Option<i32>,
    /// Take all limits away that are not named beside it
    #[arg(long)]
    unlimited: bool,
}

impl LimitFlags {
    /// What is named, over what there was. None where nothing is.
    fn over(&self, now: Option<pb::ClientLimits>) -> Option<pb::ClientLimits> {
        let named = pb::ClientLimits {
            requests_per_second: self.requests_per_second,
            calls_per_second: self.calls_per_second,
            max_live_calls: self.max_live_calls,
            max_queued_calls: self.max_queued_calls,
            max_calls_per_destination_per_day: self.max_calls_per_destination_per_day,
        };
        if self.unlimited {
            return Some(named);
        }
        if named == pb::ClientLimits::default() {
            return None;
        }
        let now = now.unwrap_or_default();
        Some(pb::ClientLimits {
            requests_per_second: named.requests_per_second.or(now.requests_per_second),
            calls_per_second: named.calls_per_second.or(now.calls_per_second),
            max_live_calls: named.max_live_calls.or(now.max_live_calls),
            max_queued_calls: named.max_queued_calls.or(now.max_queued_calls),
            max_calls_per_destination_per_day: named
                .max_calls_per_destination_per_day
                .or(now.max_calls_per_destination_per_day),
        })
    }
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    match args.action {
        Action::List(Paging { page, page_size }) => {
            let answer = session.admin().list_clients(pb::ListClientsRequest { page, page_size }).await?.into_inner();
            session.out.list(&answer, &["client_id", "name", "account_code", "disabled", "servers", "created_at"])
        }
        Action::Show(client) => session.out.one(&client.get(&session).await?),
        Action::Create { name, account_code, servers, limits, policy } => {
            let request = pb::CreateClientRequest {
                name,
                account_code,
                servers,
                limits: limits.over(None),
                policy: policy.over(None)?,
            };
            session.out.one(&session.admin().create_client(request).await?.into_inner().client)
        }
        Action::Update { client, name, account_code, servers, limits } => {
            let now = client.get(&session).await?;
            let request = pb::UpdateClientRequest {
                client_id: now.client_id,
                name,
                account_code,
                servers,
                limits: limits.over(now.limits),
                ..Default::default()
            };
            session.out.one(&session.admin().update_client(request).await?.into_inner().client)
        }
        Action::Disable(client) => set_disabled(&session, &client, true).await,
        Action::Enable(client) => set_disabled(&session, &client, false).await,
    }
}

async fn set_disabled(session: &Session, client: &ClientRef, disabled: bool) -> anyhow::Result<()> {
    let client_id = client.id(session).await?;
    let request = pb::UpdateClientRequest { client_id, disabled: Some(disabled), ..Default::default() };
    let client = session.admin().update_client(request).await?.into_inner().client.unwrap_or_default();
    let sentence = if client.disabled {
        format!("client {} is disabled: its keys are refused, and none of its calls is dialed", client.name)
    } else {
        format!("client {} works again", client.name)
    };
    session.out.say(&client, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(max_live_calls: Option<i32>, unlimited: bool) -> LimitFlags {
        LimitFlags {
            requests_per_second: None,
            calls_per_second: None,
            max_live_calls,
            max_queued_calls: None,
            max_calls_per_destination_per_day: None,
            unlimited,
        }
    }

    #[test]
    fn limits_that_are_not_named_stay() {
        let now = pb::ClientLimits { max_queued_calls: Some(9), max_live_calls: Some(1), ..Default::default() };
        let over = flags(Some(2), false).over(Some(now)).unwrap();
        assert_eq!((over.max_live_calls, over.max_queued_calls), (Some(2), Some(9)));
        assert_eq!(flags(None, false).over(Some(now)), None);
        assert_eq!(flags(None, true).over(Some(now)), Some(pb::ClientLimits::default()));
    }
}
