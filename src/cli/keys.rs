//! `trunkline keys`: manages the API keys of clients.

use clap::Subcommand;
use jiff::{Span, Timestamp, ZonedDateTime};

use super::client_ref::ClientRef;
use super::fault::Fault;
use super::remote::Remote;
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
        /// When the key expires, such as 2030-01-31T00:00:00Z
        #[arg(long, value_name = "TIME", conflicts_with = "expires_in")]
        expires_at: Option<Timestamp>,
        /// How long the key is valid, such as 90d or 12h
        #[arg(long, value_name = "TIME")]
        expires_in: Option<Span>,
    },
    /// Revoke a key; every node refuses it within a second
    Revoke {
        #[command(flatten)]
        client: ClientRef,
        /// The id of the key, as `keys list` shows it
        key_id: String,
    },
}

/// Lists, creates or revokes keys.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let mut admin = session.admin();
    match args.action {
        Action::List(client) => {
            let client_id = client.id(&session).await?;
            let answer = admin.list_keys(pb::ListKeysRequest { client_id }).await?.into_inner();
            session.out.list(&answer, &["key_id", "created_at", "expires_at", "revoked_at", "last_used_at"])
        }
        Action::Create { client, expires_at, expires_in } => {
            let expires_at = match expires_in {
                Some(span) => Some(in_future(span)?),
                None => expires_at,
            };
            let client_id = client.id(&session).await?;
            let request = pb::CreateKeyRequest { client_id, expires_at: expires_at.map(Into::into) };
            session.out.one(&admin.create_key(request).await?.into_inner().key)
        }
        Action::Revoke { client, key_id } => {
            let client_id = client.id(&session).await?;
            let answer = admin.revoke_key(pb::RevokeKeyRequest { client_id, key_id }).await?.into_inner();
            let key = answer.key.unwrap_or_default();
            session.out.say(&key, format_args!("key {} is revoked", key.key_id))
        }
    }
}

fn in_future(span: Span) -> Result<Timestamp, Fault> {
    let end = ZonedDateTime::now().checked_add(span).map_err(|error| Fault::Usage(format!("--expires-in: {error}")))?;
    Ok(end.timestamp())
}
