//! `trunkline clients`: manages the clients, which insert calls.

use clap::Subcommand;

use super::client_ref::ClientRef;
use super::paging::Paging;
use super::policies::PolicyFlags;
use super::remote::{Remote, Session};
use crate::pb;

/// The flags and arguments of `clients`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is only one value, and it is matched at once")]
enum Action {
    /// List all clients, oldest first
    List(Paging),
    /// Show one client with its limits and policy
    Show(ClientRef),
    /// Create a client and its first key, which is never shown again
    Create {
        /// The name of the client, which is unique
        name: String,
        /// The account code in its CDRs
        #[arg(long, value_name = "CODE")]
        account_code: String,
        /// The code of a server that it may dial through; can be repeated
        #[arg(long = "server", value_name = "CODE")]
        servers: Vec<String>,
        #[command(flatten)]
        limits: LimitFlags,
        #[command(flatten)]
        policy: PolicyFlags,
    },
    /// Change a client; what is not given stays as it is
    Update {
        #[command(flatten)]
        client: ClientRef,
        /// The new name of the client
        #[arg(long)]
        name: Option<String>,
        /// The new account code of the client
        #[arg(long, value_name = "CODE")]
        account_code: Option<String>,
        /// The code of a server that it may dial through; can be repeated, and replaces the servers of now
        #[arg(long = "server", value_name = "CODE")]
        servers: Vec<String>,
        #[command(flatten)]
        limits: LimitFlags,
    },
    /// Let a braked client call the destinations that are new to it
    ReleaseBrake(ClientRef),
    /// Refuse a client's keys and stop dialing its calls
    Disable(ClientRef),
    /// Enable a disabled client again
    Enable(ClientRef),
}

/// The limits of a client.
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
    /// Calls that wait to be dialed
    #[arg(long, value_name = "N")]
    max_queued_calls: Option<i64>,
    /// Calls to one number on one day (UTC)
    #[arg(long, value_name = "N")]
    max_calls_per_destination_per_day: Option<i32>,
    /// Seconds that a call may take
    #[arg(long, value_name = "SECONDS")]
    max_call_seconds: Option<i32>,
    /// Legs called on one day (UTC)
    #[arg(long, value_name = "N")]
    max_calls_per_day: Option<i32>,
    /// Minutes of answered calls on one day (UTC)
    #[arg(long, value_name = "N")]
    max_minutes_per_day: Option<i32>,
    /// Calls to new destinations on one day (UTC); 0 for any number
    #[arg(long, value_name = "N")]
    brake_new_destination_calls: Option<i32>,
    /// Remove all limits that are not given in the same command
    #[arg(long)]
    unlimited: bool,
}

impl LimitFlags {
    /// Returns the current limits with the given ones in place of theirs, or None if no flag is given.
    fn over(&self, now: Option<pb::ClientLimits>) -> Option<pb::ClientLimits> {
        let named = pb::ClientLimits {
            requests_per_second: self.requests_per_second,
            calls_per_second: self.calls_per_second,
            max_live_calls: self.max_live_calls,
            max_queued_calls: self.max_queued_calls,
            max_calls_per_destination_per_day: self.max_calls_per_destination_per_day,
            max_call_seconds: self.max_call_seconds,
            max_calls_per_day: self.max_calls_per_day,
            max_minutes_per_day: self.max_minutes_per_day,
            brake_new_destination_calls: self.brake_new_destination_calls,
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
            max_call_seconds: named.max_call_seconds.or(now.max_call_seconds),
            max_calls_per_day: named.max_calls_per_day.or(now.max_calls_per_day),
            max_minutes_per_day: named.max_minutes_per_day.or(now.max_minutes_per_day),
            brake_new_destination_calls: named.brake_new_destination_calls.or(now.brake_new_destination_calls),
        })
    }
}

/// Lists, shows or changes clients.
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
        Action::ReleaseBrake(client) => release_brake(&session, &client).await,
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
        format!("client {} is enabled again", client.name)
    };
    session.out.say(&client, sentence)
}

async fn release_brake(session: &Session, client: &ClientRef) -> anyhow::Result<()> {
    let client = client.get(session).await?;
    let request = pb::ReleaseBrakeRequest { client_id: client.client_id };
    let released = session.admin().release_brake(request).await?.into_inner();
    let was = if released.braked_at.is_some() { "is released" } else { "was not braked" };
    let named: Vec<String> = released.destinations.iter().map(|code| format!("+{code}")).collect();
    let known = if named.is_empty() { String::new() } else { format!("; no longer new to it: {}", named.join(", ")) };
    session.out.say(&released, format!("client {} {was}{known}", client.name))
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
            max_call_seconds: None,
            max_calls_per_day: None,
            max_minutes_per_day: None,
            brake_new_destination_calls: None,
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
