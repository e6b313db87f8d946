//! `trunkline migrate`: brings the tables up to date and exits.

use crate::config::{Config, Flags};
use crate::store::{self, migrate};
use crate::telemetry;

/// The flags.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: Flags,
}

pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    let _log = telemetry::start(&config)?;
    super::first_start::make_data_dir(&config)?;
    let applied = migrate::run(&store::open(&config.database_url())?).await?;
    tracing::info!(applied, "the store is up to date");
    Ok(())
}
