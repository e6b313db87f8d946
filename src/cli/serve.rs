//! `trunkline serve`: the server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{first_start, serve_sandbox};
use crate::api::auth::{Auth, KeyKind};
use crate::api::grpc::{Admin, App, Calls, Clients, Keys, Queues};
use crate::api::server::{self, Readiness, Services};
use crate::config::{Config, Flags};
use crate::dialer::{self, Dialer};
use crate::progress::{Hub, wake};
use crate::store::{self, Db, migrate};
use crate::telemetry;

/// The flags.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: Flags,
    /// Run with a built-in Asterisk Manager server that rings nobody
    #[arg(long)]
    sandbox: bool,
    /// How much faster than real calls those of the sandbox are
    #[arg(long, default_value_t = 1.0, requires = "sandbox", value_parser = super::sandbox::speed)]
    sandbox_speed: f64,
}

/// How long answers may take that are on their way when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

pub async fn run(args: Args) -> anyhow::Result<()> {
    let config = Config::load(&args.config)?;
    telemetry::start(&config)?;
    first_start::make_data_dir(&config)?;
    let (admin_key, sealer) = (first_start::admin_key(&config)?, first_start::sealer(&config)?);
    let db = store::open(&config.database_url())?;
    migrate::run(&db).await.context("cannot prepare the store")?;
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;

    // Dialing stops first, the event log last: what the dialer still commits is still told.
    let (stop, stop_telling) = (CancellationToken::new(), CancellationToken::new());
    let hub = Hub::start(db.clone(), stop_telling.clone()).await?;
    let (wake, servers_changed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let app = App {
        db: db.clone(),
        hub: Arc::clone(&hub),
        sealer: sealer.clone(),
        servers_changed: Arc::clone(&servers_changed),
        client_keys: if args.sandbox { KeyKind::Test } else { KeyKind::Live },
        stop: stop.clone(),
    };
    let router = server::router(
        Services {
            admin: Arc::new(Admin(app.clone())),
            calls: Arc::new(Calls(app.clone())),
            clients: Arc::new(Clients(app.clone())),
            queues: Arc::new(Queues(app.clone())),
        },
        Auth::new(Arc::new(Keys(db.clone())), Some(admin_key)),
        readiness(db.clone(), stop.clone()),
    )?;
    let api = tokio::spawn({
        let stop = stop.clone();
        async move { axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await }
    });
    // Kept to the end: its calls live as long as the server.
    let sandbox = CancellationToken::new();
    let _ends_sandbox = sandbox.clone().drop_guard();
    if args.sandbox {
        serve_sandbox::start(&app, address, args.sandbox_speed, sandbox).await?;
    }
    tokio::spawn(wake::wake_on_news(hub, Arc::clone(&wake), stop_telling.clone()));
    let node = config.node_name();
    let dialer = Dialer::new(dialer::Options { db, sealer, node, wake, servers_changed });
    let dialer = tokio::spawn(dialer.run(stop.clone()));
    info!("listening on {address}");

    super::asked_to_stop().await?;
    info!("stopping: nothing new is dialed, live calls go on");
    stop.cancel();
    dialer.await.context("the dialer ended badly")?;
    if timeout(DRAIN, api).await.is_err() {
        warn!("some answers were still on their way");
    }
    stop_telling.cancel();
    Ok(())
}

/// Ready is: the store can be reached, has every migration, and the server is not stopping.
fn readiness(db: Db, stop: CancellationToken) -> Readiness {
    Arc::new(move || {
        let (db, stopping) = (db.clone(), stop.is_cancelled());
        async move {
            if stopping {
                return Err("the server stops".to_owned());
            }
            // In a task of its own, so that a caller who hangs up leaves no query half-way.
            let ready = tokio::spawn(async move { migrate::is_ready(&db).await }).await;
            match ready {
                Ok(Ok(true)) => Ok(()),
                Ok(Ok(false)) => Err("migrations are missing".to_owned()),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        }
        .boxed()
    })
}
