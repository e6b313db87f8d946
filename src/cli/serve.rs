//! `trunkline serve`: the server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::fault::Fault;
use super::reload::Reload;
use super::{Signals, first_start, serve_sandbox};
use crate::api::auth::{Auth, KeyKind};
use crate::api::grpc::{Admin, App, Calls, Clients, Keys, Queues, event_json};
use crate::api::metrics::{self, Metrics, Recorder};
use crate::api::port::{Peer, Port};
use crate::api::server::{self, Readiness, Services};
use crate::api::tls::Certificate;
use crate::cluster::{Member, Name, NameError};
use crate::config::{Config, Flags};
use crate::dialer::{self, Dialer};
use crate::progress::{Hub, wake};
use crate::store::{self, Db, migrate, wal};
use crate::{telemetry, webhooks};

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
    let log = telemetry::start(&config)?;
    let mut signals = Signals::new()?;
    first_start::make_data_dir(&config)?;
    let (admin_key, sealer) = (first_start::admin_key(&config)?, first_start::sealer(&config)?);
    let db = store::open(&config.database_url())?;
    // Dialing stops first, the event log last: what the dialer still commits is still told.
    // The port stays open in between, so that whoever asks learns that the server drains.
    let (stop, close, stop_telling) = (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
    let name = tokio::select! {
        name = name(&db, &config, stop_telling.clone()) => name?,
        () = signals.next() => return Ok(()),
    };
    migrate::run(&db).await.context("cannot prepare the store")?;
    let certificate =
        config.tls()?.map(Certificate::new).transpose().map_err(|error| Fault::Usage(error.to_string()))?;
    let tls = certificate.as_ref().map(Certificate::acceptor).transpose()?;
    let listener = listen(config.listen).await?;
    let address = listener.local_addr()?;
    let metrics_listener = match config.metrics_listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };

    Reload { flags: args.config.clone(), log, certificate }.start(stop_telling.clone())?;
    tokio::spawn(wal::keep_short(db.clone(), stop_telling.clone()));
    let hub = Hub::start(db.clone(), stop_telling.clone()).await?;
    let (wake, servers_changed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let webhooks = webhooks::Handle {
        poster: webhooks::Poster::new().context("cannot set up TLS for webhooks")?,
        changed: Arc::default(),
    };
    let app = App {
        db: db.clone(),
        hub: Arc::clone(&hub),
        sealer: sealer.clone(),
        servers_changed: Arc::clone(&servers_changed),
        webhooks: webhooks.clone(),
        client_keys: if args.sandbox { KeyKind::Test } else { KeyKind::Live },
        stop: stop.clone(),
    };
    let node = name.as_str().to_owned();
    let metrics = Arc::new(Metrics {
        recorder: Recorder::install(stop_telling.clone())?,
        db: db.clone(),
        node: node.clone(),
        hub: Arc::clone(&hub),
    });
    let (here, elsewhere) = match metrics_listener {
        None => (Some(metrics), None),
        Some(listener) => (None, Some((listener, metrics))),
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
        here,
        stop.clone(),
    )?;
    let api = tokio::spawn({
        let (port, close) = (Port::new(listener, tls), close.clone());
        let router = router.into_make_service_with_connect_info::<Peer>();
        async move { axum::serve(port, router).with_graceful_shutdown(close.cancelled_owned()).await }
    });
    if let Some((listener, metrics)) = elsewhere {
        info!("metrics on {}", listener.local_addr()?);
        let (router, close) = (metrics::routes(metrics), close.clone());
        tokio::spawn(
            async move { axum::serve(listener, router).with_graceful_shutdown(close.cancelled_owned()).await },
        );
    }
    // Kept to the end: its calls live as long as the server.
    let sandbox = CancellationToken::new();
    let _ends_sandbox = sandbox.clone().drop_guard();
    if args.sandbox {
        serve_sandbox::start(&app, address, args.sandbox_speed, sandbox).await?;
    }
    tokio::spawn(wake::wake_on_news(Arc::clone(&hub), Arc::clone(&wake), stop_telling.clone()));
    let stop_posting = CancellationToken::new();
    let posting = webhooks::Service::new(webhooks::Options {
        db: db.clone(),
        hub,
        sealer: sealer.clone(),
        poster: webhooks.poster,
        render: event_json,
        node: node.clone(),
        changed: webhooks.changed,
    });
    let posting = tokio::spawn(posting.run(stop_posting.clone()));
    let member = Member::join(db.clone(), node.clone(), env!("CARGO_PKG_VERSION")).await;
    tokio::spawn(member.context("cannot join the other nodes")?.run(stop.clone()));
    let dialer = Dialer::new(dialer::Options { db, sealer, node, wake, servers_changed });
    let dialer = tokio::spawn(dialer.run(stop.clone()));
    info!("listening on {address}");

    signals.next().await;
    info!("stopping: nothing new is dialed, live calls go on; a second signal ends it at once");
    stop.cancel();
    let stopped = async {
        let dialed = dialer.await;
        stop_posting.cancel();
        let posted = posting.await;
        close.cancel();
        dialed.context("the dialer ended badly")?;
        posted.context("the webhooks ended badly")?;
        if timeout(DRAIN, api).await.is_err() {
            warn!("some answers were still on their way");
        }
        stop_telling.cancel();
        Ok(())
    };
    tokio::select! {
        stopped = stopped => stopped,
        () = signals.next() => {
            Err(Fault::Failed("ended by a second signal; the next start looks for calls that are live".to_owned()).into())
        }
    }
}

/// This node's name, kept from all other processes until `stop`.
async fn name(db: &Db, config: &Config, stop: CancellationToken) -> anyhow::Result<Name> {
    Name::take(db, &config.node_name(), stop).await.map_err(|error| match error {
        NameError::Served(_) => Fault::Failed(error.to_string()).into(),
        NameError::Lock { .. } | NameError::Store(_) => anyhow::Error::new(error).context("cannot prepare the store"),
    })
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

/// Ready is: the store can be reached, has every migration, and the server is not stopping.
fn readiness(db: Db, stop: CancellationToken) -> Readiness {
    Arc::new(move || {
        let (db, stopping) = (db.clone(), stop.is_cancelled());
        async move {
            if stopping {
                return Err("draining".to_owned());
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
