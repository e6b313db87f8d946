//! `trunkline nodes`: manages the processes that share the store.

use clap::Subcommand;

use super::remote::Remote;
use crate::pb;

/// The flags and arguments of `nodes`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    remote: Remote,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// List all nodes and whether they are alive
    List,
    /// Drain a node: other nodes dial through its servers, and live calls go on
    Drain {
        /// The name of the node
        name: String,
    },
    /// Let a drained node dial again
    Resume {
        /// The name of the node
        name: String,
    },
}

/// Lists the nodes, or changes whether one dials.
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
            session.out.say(&node, format_args!("node {} is being drained", node.name))
        }
        Action::Resume { name } => {
            let node = admin.resume_node(pb::ResumeNodeRequest { name }).await?.into_inner().node.unwrap_or_default();
            session.out.say(&node, format_args!("node {} dials again", node.name))
        }
    }
}
