//! `trunkline grants`: manages which client may dial through which server, and its limits there.

use clap::Subcommand;

use super::client_ref::ClientRef;
use super::remote::Remote;
use crate::pb;

/// The flags and arguments of `grants`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List a client's grants
    List(ClientRef),
    /// Let a client dial through a server, or change its limits there
    Set {
        #[command(flatten)]
        client: ClientRef,
        /// The code of the server
        server: String,
        /// Live calls at one time [default: only the server's limit holds]
        #[arg(long, value_name = "N")]
        max_live_calls: Option<i32>,
        /// Calls begun a second [default: only the server's limit holds]
        #[arg(long, value_name = "N")]
        calls_per_second: Option<f64>,
        /// Extensions of a PBX that may be dialed besides numbers, such as *98 or the pattern _*9XX [default: none]
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        extensions: Vec<String>,
    },
    /// Withdraw a grant; live calls go on
    Remove {
        #[command(flatten)]
        client: ClientRef,
        /// The code of the server
        server: String,
    },
}

/// Lists or changes the grants of a client.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let mut admin = session.admin();
    match args.action {
        Action::List(client) => {
            let client_id = client.id(&session).await?;
            let answer = admin.list_grants(pb::ListGrantsRequest { client_id }).await?.into_inner();
            session.out.list(&answer, &["asterisk_server_code", "max_live_calls", "calls_per_second", "extensions"])
        }
        Action::Set { client, server, max_live_calls, calls_per_second, extensions } => {
            let client_id = client.id(&session).await?;
            let request = pb::SetGrantRequest {
                client_id,
                asterisk_server_code: server,
                max_live_calls,
                calls_per_second,
                extensions,
            };
            session.out.one(&admin.set_grant(request).await?.into_inner().grant)
        }
        Action::Remove { client, server } => {
            let client_id = client.id(&session).await?;
            let request = pb::DeleteGrantRequest { client_id, asterisk_server_code: server.clone() };
            let answer = admin.delete_grant(request).await?.into_inner();
            session.out.say(&answer, format_args!("client {client_id} no longer dials through {server}"))
        }
    }
}
