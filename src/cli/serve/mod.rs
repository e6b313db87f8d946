//! `trunkline serve`: runs the server.

mod ports;
mod readiness;
mod reload;
mod sandbox;
mod server;
mod shutdown;
mod supervisor;

use anyhow::Context;
use tracing::info;

use self::server::{Parts, Server};
use super::fault::Fault;
use super::signals::Signals;
use super::{core_dumps, data_files, first_start};
use crate::api::metrics::Recorder;
use crate::cluster::{Name, NameError};
use crate::config::{Config, Flags};
use crate::store::{self, migrate};
use crate::telemetry;

/// The flags of `serve`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: Flags,
    /// Run with a built-in Asterisk Manager server that makes no phone ring
    #[arg(long)]
    sandbox: bool,
    /// How many times faster than real calls the sandbox's calls are
    #[arg(long, default_value_t = 1.0, requires = "sandbox", value_parser = super::sandbox::speed)]
    sandbox_speed: f64,
}

/// Runs the server until it receives SIGTERM or SIGINT, or until one of its tasks fails.
pub async fn run(args: Args) -> anyhow::Result<()> {
    core_dumps::forbid()?;
    let config = Config::load(&args.config)?;
    let log = telemetry::start(&config)?;
    let mut signals = Signals::new()?;
    config.check_public()?;
    data_files::prepare(&config)?;
    let (admin_key, sealer) = (first_start::admin_key(&config)?, first_start::sealer(&config, &args.config)?);
    let db = store::open(&config.database_url())?;
    let wanted = config.node_name();
    let name = tokio::select! {
        name = Name::take(&db, &wanted) => name.map_err(name_failure)?,
        () = signals.next() => return Ok(()),
    };
    migrate::run(&db).await.context("cannot prepare the store")?;
    first_start::report_missing_keys(&db, &sealer).await.context("cannot read the store")?;
    let mut server = Server::start(Parts {
        config,
        flags: args.config,
        log,
        recorder: Recorder::install()?,
        db,
        name,
        admin_key,
        sealer,
        sandbox_speed: args.sandbox.then_some(args.sandbox_speed),
    })
    .await?;
    info!("listening on {}", server.address());
    let failed = tokio::select! {
        () = signals.next_request() => false,
        () = server.until_failure() => true,
    };
    info!("stopping: no new call is dialed, live calls go on; a second signal ends the process at once");
    let forced = async {
        if failed {
            // What the first signal asks for is being done already.
            signals.next_request().await;
        }
        signals.next().await;
    };
    tokio::select! {
        stopped = server.stop() => Ok(stopped.map_err(|failure| Fault::Failed(failure.to_string()))?),
        () = forced => {
            let text = "ended at once by a second signal; the next start looks for the calls that are live";
            Err(Fault::Failed(text.to_owned()).into())
        }
    }
}

fn name_failure(error: NameError) -> anyhow::Error {
    match error {
        NameError::Served(_) => Fault::Failed(error.to_string()).into(),
        NameError::Lock { .. } | NameError::Store(_) => anyhow::Error::new(error).context("cannot prepare the store"),
    }
}
