//! Builds the server from its parts, and runs each part as a task.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::Notify;

use super::ports::Ports;
use super::reload::Reload;
use super::sandbox;
use super::shutdown::Shutdown;
use super::supervisor::{Supervisor, TaskFailure};
use crate::api::auth::{AdminKey, Auth, KeyKind};
use crate::api::grpc::{App, Keys, event_json};
use crate::api::metrics::{Metrics, Recorder};
use crate::api::streams::Streams;
use crate::cluster::{Member, Name};
use crate::config::{Config, Flags};
use crate::dialer::{self, Dialer};
use crate::progress::{Hub, wake};
use crate::statistics::Statistics;
use crate::store::Db;
use crate::store::secrets::Sealer;
use crate::store::wal::WalUpkeep;
use crate::telemetry::Log;
use crate::webhooks;
use crate::webhooks::target::Permitted;

/// What a server is built from.
pub struct Parts {
    /// The configuration as it was loaded.
    pub config: Config,
    /// The flags that the configuration was loaded with, for loading it again.
    pub flags: Flags,
    /// The log, whose filter SIGHUP changes.
    pub log: Log,
    /// Collects the metrics of this process.
    pub recorder: Recorder,
    /// The store, with every migration applied.
    pub db: Db,
    /// The name of this node, which no other process has.
    pub name: Name,
    /// The admin key from the configuration or the data directory.
    pub admin_key: AdminKey,
    /// Opens and seals the secrets in the store.
    pub sealer: Sealer,
    /// Speed of the built-in sandbox, 1 being that of real calls. None runs no sandbox.
    pub sandbox_speed: Option<f64>,
}

/// A server that is running.
pub struct Server {
    address: SocketAddr,
    supervisor: Supervisor,
    shutdown: Shutdown,
}

impl Server {
    /// Opens the ports and starts every task.
    ///
    /// # Errors
    /// Returns an error if a port cannot be opened, the store cannot be read or written, or TLS cannot be set up. The
    /// tasks that were started before the error are aborted.
    pub async fn start(parts: Parts) -> anyhow::Result<Self> {
        let Parts { config, flags, log, recorder, db, name, admin_key, sealer, sandbox_speed } = parts;
        let (mut supervisor, shutdown) = (Supervisor::default(), Shutdown::default());
        let node = name.as_str().to_owned();
        supervisor.spawn("node name", &shutdown.events, |stop| name.run(stop));
        let (ports, doors) = (Ports::open(&config)?, config.doors());
        let address = ports.address()?;
        let reload = Reload::new(flags, log)?;
        if let Some(certificate) = ports.certificate.clone() {
            let asked = reload.asked();
            supervisor.spawn("certificate", &shutdown.events, |stop| certificate.keep_fresh(asked, stop));
        }
        supervisor.spawn("reload", &shutdown.events, |stop| reload.run(stop));
        if let Some(upkeep) = WalUpkeep::new(&db) {
            supervisor.spawn("write-ahead log", &shutdown.events, |stop| upkeep.run(stop));
        }
        let hub = Hub::new(db.clone()).await?;
        supervisor.spawn("event hub", &shutdown.events, |stop| Arc::clone(&hub).run(stop));
        let permitted = Permitted { http: config.webhook_http.0, networks: config.webhook_networks };
        let webhooks = webhooks::Handle {
            poster: webhooks::Poster::new(permitted).context("cannot set up TLS for webhooks")?,
            changed: Arc::default(),
        };
        let app = App {
            db: db.clone(),
            hub: Arc::clone(&hub),
            sealer: sealer.clone(),
            servers_changed: Arc::default(),
            webhooks: webhooks.clone(),
            streams: Streams::new(doors.streams_per_client(), doors.timeouts().write),
            client_keys: if sandbox_speed.is_some() { KeyKind::Test } else { KeyKind::Live },
            stop: shutdown.dialer.clone(),
        };
        let upkeep = recorder.clone();
        supervisor.spawn("metrics upkeep", &shutdown.events, |stop| upkeep.run(stop));
        let (connections, for_metrics) = (ports.admission.clone(), Arc::clone(&hub));
        let metrics = Metrics { recorder, db: db.clone(), node: node.clone(), hub: for_metrics, connections };
        let auth = Auth::new(Arc::new(Keys(db.clone())), Some(admin_key), config.trusted_proxies);
        let is_tls = ports.certificate.is_some();
        ports.answer(&app, auth, metrics, &mut supervisor, &shutdown.api)?;
        if let Some(speed) = sandbox_speed {
            // It stops last, because the dialer and its calls need it until then.
            let sandbox = sandbox::prepare(&app, address, is_tls, speed).await?;
            supervisor.spawn("sandbox", &shutdown.events, |stop| sandbox.run(stop));
        }
        let wake = Arc::new(Notify::new());
        let (followed, woken) = (Arc::clone(&hub), Arc::clone(&wake));
        supervisor.spawn("wake-up", &shutdown.events, |stop| wake::wake_on_news(followed, woken, stop));
        let service = webhooks::Service::new(webhooks::Options {
            db: db.clone(),
            hub,
            sealer: sealer.clone(),
            poster: webhooks.poster,
            render: event_json,
            node: node.clone(),
            changed: webhooks.changed,
        });
        supervisor.spawn("webhooks", &shutdown.webhooks, |stop| service.run(stop));
        let statistics = Statistics::new(db.clone(), node.clone());
        supervisor.spawn("statistics", &shutdown.events, |stop| statistics.run(stop));
        let member = Member::join(db.clone(), node.clone(), env!("CARGO_PKG_VERSION")).await;
        let member = member.context("cannot join the other nodes")?;
        supervisor.spawn("node heartbeat", &shutdown.dialer, |stop| member.run(stop));
        let dialer = Dialer::new(dialer::Options {
            db,
            sealer,
            node,
            max_call_seconds: config.max_call_seconds,
            new_destination_calls: config.brake_new_destination_calls,
            wake,
            servers_changed: app.servers_changed,
        });
        supervisor.spawn("dialer", &shutdown.dialer, |stop| dialer.run(stop));
        Ok(Self { address, supervisor, shutdown })
    }

    /// Returns the address of the API's port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a task of the server fails, or ends without having been asked to.
    pub async fn until_failure(&mut self) {
        self.supervisor.until_failure().await;
    }

    /// Stops the server: see [`Shutdown::run`] for the order. Live calls go on.
    ///
    /// # Errors
    /// Returns the first failure of a task since the start.
    pub async fn stop(self) -> Result<(), TaskFailure> {
        let Self { mut supervisor, shutdown, .. } = self;
        shutdown.run(&mut supervisor).await;
        supervisor.finish().await
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::Path;
    use std::sync::LazyLock;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::cli::first_start;
    use crate::store::{self, migrate, servers};
    use crate::telemetry;

    /// A process has one recorder and one log.
    static RECORDER: LazyLock<Recorder> = LazyLock::new(|| Recorder::install().unwrap());
    static LOG: LazyLock<Log> = LazyLock::new(|| telemetry::start(&config(Path::new("x"), 0, 0)).unwrap());

    fn flags(dir: &Path, api: u16, metrics: u16) -> Flags {
        let at = |port| Some((Ipv4Addr::LOCALHOST, port).into());
        Flags {
            listen: at(api),
            metrics_listen: at(metrics),
            data_dir: Some(dir.to_owned()),
            log: Some("off".to_owned()),
            ..Flags::default()
        }
    }

    fn config(dir: &Path, api: u16, metrics: u16) -> Config {
        Config::load(&flags(dir, api, metrics)).unwrap()
    }

    async fn free_port() -> u16 {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port()
    }

    /// A server with a sandbox on three ports, which are returned too.
    async fn started(dir: &Path) -> (Server, Db, [u16; 3]) {
        let (api, metrics) = (free_port().await, free_port().await);
        let config = config(dir, api, metrics);
        let db = store::open(&config.database_url()).unwrap();
        let name = Name::take(&db, "node").await.unwrap_or_else(|error| panic!("{error}"));
        migrate::run(&db).await.unwrap();
        let server = Server::start(Parts {
            flags: flags(dir, api, metrics),
            log: LOG.clone(),
            recorder: RECORDER.clone(),
            db: db.clone(),
            name,
            admin_key: first_start::admin_key(&config).unwrap(),
            sealer: first_start::sealer(&config, &flags(dir, api, metrics)).unwrap(),
            sandbox_speed: Some(100.0),
            config,
        });
        let server = server.await.unwrap();
        let sandbox = servers::list(&mut db.read().await.unwrap()).await.unwrap().remove(0).port;
        (server, db, [api, metrics, sandbox.try_into().unwrap()])
    }

    /// A connection that stays open after its first request.
    async fn connected(port: u16, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut start = [0; 15];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");
        stream
    }

    async fn panics(_stop: CancellationToken) {
        panic!("a bug");
    }

    async fn assert_free(ports: [u16; 3]) {
        for port in ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_port_and_the_name_are_free_after_a_stop() {
        let dir = tempfile::tempdir().unwrap();
        let (server, db, ports) = started(dir.path()).await;
        let _connections = (connected(ports[0], "/healthz").await, connected(ports[1], "/metrics").await);
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, ports[2])).await.is_err(), "the sandbox listens");
        server.stop().await.unwrap();
        assert_free(ports).await;
        assert!(Name::take(&db, "node").await.is_ok(), "no task keeps the name");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_that_panics_stops_the_server_and_every_port_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let (mut server, _db, ports) = started(dir.path()).await;
        let _connection = connected(ports[0], "/healthz").await;
        server.supervisor.spawn("test", &server.shutdown.events, panics);
        server.until_failure().await;
        let failure = server.stop().await.unwrap_err().to_string();
        assert!(failure.starts_with("the test task failed") && failure.contains("a bug"), "{failure}");
        assert_free(ports).await;
    }
}
