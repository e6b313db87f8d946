//! `trunkline serve`: the server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::fault::Fault;
use super::ports::Ports;
use super::reload::Reload;
use super::signals::Signals;
use super::{first_start, serve_sandbox};
use crate::api::auth::KeyKind;
use crate::api::grpc::{App, event_json};
use crate::api::metrics::{Metrics, Recorder};
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
    let stops = Stops::default();
    let db = store::open(&config.database_url())?;
    let name = tokio::select! {
        name = name(&db, &config, stops.telling.clone()) => name?,
        () = signals.next() => return Ok(()),
    };
    let node = name.as_str().to_owned();
    migrate::run(&db).await.context("cannot prepare the store")?;
    let ports = Ports::open(&config).await?;
    let address = ports.address()?;
    Reload { flags: args.config.clone(), log, certificate: ports.certificate.clone() }.start(stops.telling.clone())?;

    tokio::spawn(wal::keep_short(db.clone(), stops.telling.clone()));
    let hub = Hub::start(db.clone(), stops.telling.clone()).await?;
    let webhooks = webhooks::Handle {
        poster: webhooks::Poster::new().context("cannot set up TLS for webhooks")?,
        changed: Arc::default(),
    };
    let app = App {
        db: db.clone(),
        hub: Arc::clone(&hub),
        sealer: sealer.clone(),
        servers_changed: Arc::default(),
        webhooks: webhooks.clone(),
        client_keys: if args.sandbox { KeyKind::Test } else { KeyKind::Live },
        stop: stops.dialing.clone(),
    };
    let recorder = Recorder::install(stops.telling.clone())?;
    let metrics = Metrics { recorder, db: db.clone(), node: node.clone(), hub: Arc::clone(&hub) };
    let answering = ports.answer(&app, admin_key, metrics, &stops.answering)?;
    // Kept to the end: its calls live as long as the server.
    let sandbox = CancellationToken::new();
    let _ends_sandbox = sandbox.clone().drop_guard();
    if args.sandbox {
        serve_sandbox::start(&app, address, args.sandbox_speed, sandbox).await?;
    }
    let wake = Arc::new(Notify::new());
    tokio::spawn(wake::wake_on_news(Arc::clone(&hub), Arc::clone(&wake), stops.telling.clone()));
    let posting = webhooks::Service::new(webhooks::Options {
        db: db.clone(),
        hub,
        sealer: sealer.clone(),
        poster: webhooks.poster,
        render: event_json,
        node: node.clone(),
        changed: webhooks.changed,
    });
    let posting = tokio::spawn(posting.run(stops.posting.clone()));
    let member = Member::join(db.clone(), node.clone(), env!("CARGO_PKG_VERSION")).await;
    tokio::spawn(member.context("cannot join the other nodes")?.run(stops.dialing.clone()));
    let dialer = Dialer::new(dialer::Options { db, sealer, node, wake, servers_changed: app.servers_changed });
    let dialing = tokio::spawn(dialer.run(stops.dialing.clone()));
    info!("listening on {address}");

    signals.next().await;
    info!("stopping: nothing new is dialed, live calls go on; a second signal ends it at once");
    tokio::select! {
        stopped = stops.stop(dialing, posting, answering) => stopped,
        () = signals.next() => {
            Err(Fault::Failed("ended by a second signal; the next start looks for calls that are live".to_owned()).into())
        }
    }
}

/// What ends a part of the server. Dialing ends first, the event log last: what the dialer still commits is still posted
/// and told. The port stays open in between, so that whoever asks learns that the server drains.
#[derive(Default)]
struct Stops {
    dialing: CancellationToken,
    posting: CancellationToken,
    answering: CancellationToken,
    telling: CancellationToken,
}

impl Stops {
    async fn stop(
        self,
        dialing: JoinHandle<()>,
        posting: JoinHandle<()>,
        answering: JoinHandle<io::Result<()>>,
    ) -> anyhow::Result<()> {
        self.dialing.cancel();
        let dialed = dialing.await;
        self.posting.cancel();
        let posted = posting.await;
        self.answering.cancel();
        dialed.context("the dialer ended badly")?;
        posted.context("the webhooks ended badly")?;
        if timeout(DRAIN, answering).await.is_err() {
            warn!("some answers were still on their way");
        }
        self.telling.cancel();
        Ok(())
    }
}

/// This node's name, kept from all other processes until `stop`.
async fn name(db: &Db, config: &Config, stop: CancellationToken) -> anyhow::Result<Name> {
    Name::take(db, &config.node_name(), stop).await.map_err(|error| match error {
        NameError::Served(_) => Fault::Failed(error.to_string()).into(),
        NameError::Lock { .. } | NameError::Store(_) => anyhow::Error::new(error).context("cannot prepare the store"),
    })
}
