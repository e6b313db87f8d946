//! `trunkline keys`: manages the API keys of clients and of administrators.

use clap::{Subcommand, ValueEnum};
use jiff::{Span, Timestamp, ZonedDateTime};

use super::client_ref::ClientRef;
use super::fault::Fault;
use super::remote::{Remote, Session};
use crate::pb;

/// The flags and arguments of `keys`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List a client's keys, revoked ones too, without their secrets
    List(ClientRef),
    /// Create a further key, which is never shown again; the other keys stay valid
    Create {
        #[command(flatten)]
        client: ClientRef,
        /// What the key allows [default: write]
        #[arg(long)]
        scope: Option<ClientScope>,
        #[command(flatten)]
        terms: Terms,
    },
    /// Revoke a key; every node refuses it and ends its streams within a second
    Revoke {
        #[command(flatten)]
        client: ClientRef,
        /// The id of the key, as `keys list` shows it
        key_id: String,
    },
    /// Manage the keys of administrators, whose names are in the audit log
    #[command(subcommand)]
    Admin(AdminAction),
}

#[derive(Subcommand)]
enum AdminAction {
    /// List the keys of administrators, revoked ones too, without their secrets
    List,
    /// Create the key of an administrator, which is never shown again
    Create {
        /// The name of the key in the audit log, which no other key has or had
        name: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Revoke the key of an administrator; every node refuses it and ends its streams within a second
    Revoke {
        /// The id of the key, as `keys admin list` shows it
        key_id: String,
    },
}

/// What the key of a client allows.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ClientScope {
    /// List, get, explain and watch
    Read,
    /// Also insert, dial, change and end calls
    Write,
}

/// Until when and from where a key can be used.
#[derive(clap::Args)]
struct Terms {
    /// When the key expires, such as 2030-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "expires_in")]
    expires_at: Option<Timestamp>,
    /// How long the key is valid, such as 90d or 12h
    #[arg(long, value_name = "TIME")]
    expires_in: Option<Span>,
    /// A network that the key can be used from, such as 192.0.2.0/24; can be repeated [default: everywhere]
    #[arg(long = "network", value_name = "NETWORK")]
    networks: Vec<String>,
}

impl Terms {
    fn expires_at(&self) -> Result<Option<pb::Timestamp>, Fault> {
        let end = match self.expires_in {
            Some(span) => Some(in_future(span)?),
            None => self.expires_at,
        };
        Ok(end.map(Into::into))
    }
}

/// Lists, creates or revokes keys.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let mut admin = session.admin();
    match args.action {
        Action::List(client) => {
            let client_id = client.id(&session).await?;
            let answer = admin.list_keys(pb::ListKeysRequest { client_id }).await?.into_inner();
            let columns = ["key_id", "scope", "networks", "created_at", "expires_at", "revoked_at", "last_used_at"];
            session.out.list(&answer, &columns)
        }
        Action::Create { client, scope, terms } => {
            let scope = match scope {
                Some(ClientScope::Read) => pb::Scope::Read,
                Some(ClientScope::Write) => pb::Scope::Write,
                None => pb::Scope::Unspecified,
            };
            let expires_at = terms.expires_at()?;
            let client_id = client.id(&session).await?;
            let networks = terms.networks;
            let request = pb::CreateKeyRequest { client_id, expires_at, scope: scope.into(), networks };
            session.out.one(&admin.create_key(request).await?.into_inner().key)
        }
        Action::Revoke { client, key_id } => {
            let client_id = client.id(&session).await?;
            let answer = admin.revoke_key(pb::RevokeKeyRequest { client_id, key_id }).await?.into_inner();
            let key = answer.key.unwrap_or_default();
            session.out.say(&key, format_args!("key {} is revoked", key.key_id))
        }
        Action::Admin(action) => administer(action, &session).await,
    }
}

async fn administer(action: AdminAction, session: &Session) -> anyhow::Result<()> {
    let mut admin = session.admin();
    match action {
        AdminAction::List => {
            let answer = admin.list_admin_keys(pb::ListAdminKeysRequest {}).await?.into_inner();
            let columns = ["key_id", "name", "networks", "created_at", "expires_at", "revoked_at", "last_used_at"];
            session.out.list(&answer, &columns)
        }
        AdminAction::Create { name, terms } => {
            let expires_at = terms.expires_at()?;
            let request = pb::CreateAdminKeyRequest { name, expires_at, networks: terms.networks };
            session.out.one(&admin.create_admin_key(request).await?.into_inner().key)
        }
        AdminAction::Revoke { key_id } => {
            let answer = admin.revoke_admin_key(pb::RevokeAdminKeyRequest { key_id }).await?.into_inner();
            let key = answer.key.unwrap_or_default();
            session.out.say(&key, format_args!("the admin key of {} is revoked", key.name))
        }
    }
}

fn in_future(span: Span) -> Result<Timestamp, Fault> {
    let end = ZonedDateTime::now().checked_add(span).map_err(|error| Fault::Usage(format!("--expires-in: {error}")))?;
    Ok(end.timestamp())
}
