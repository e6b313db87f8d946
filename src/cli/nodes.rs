//! `trunkline nodes`: the processes that share the store.

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
    /// List the nodes
    List,
    /// Take a node out of dialing: its servers go to other nodes, live calls go on
    Drain {
        /// Its name
        name: String,
    },
    /// Put a drained node back to work
    Resume {
        /// Its name
        name: String,
    },
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let session = args.remote.connect().await?;
    let mut admin = session.admin();
    match args.action {
        Action::List => {
            let answer = admin.list_nodes(pb::ListNodesRequest {}).await?.into_inner();
            session.out.list(&answer, &["name", "alive", "draining", "servers", "version", "started_at", "seen_at"])
        }
        Action::Drain { name } => {
            let node = admin.drain_node(pb::DrainNodeRequest { name }).await?.into_inner().node.unwrap_or_default();
            session.out.say(&node, format_args!("node {} drains", node.name))
        }
        Action::Resume { name } => {
            let node = admin.resume_node(pb::ResumeNodeRequest { name }).await?.into_inner().node.unwrap_or_default();
            session.out.say(&node, format_args!("node {} is back at work", node.name))
        }
    }
}
