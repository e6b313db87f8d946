//! `trunkline migrate`: applies the database migrations and exits.

use crate::config::{Config, Flags};
use crate::store::{self, migrate};
use crate::telemetry;

/// The flags and arguments of `migrate`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: Flags,
}

/// Applies the migrations that are missing.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    let _log = telemetry::start(&config)?;
    super::data_files::prepare(&config)?;
    let applied = migrate::run(&store::open(&config.database_url())?).await?;
    tracing::info!(applied, "the store is up to date");
    Ok(())
}
