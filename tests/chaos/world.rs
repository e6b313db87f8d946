//! The parts of a run: the server, the store, the proxy, Asterisk and its observer, and how each is broken and
//! repaired.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::disk::{Clock, Disk};
use crate::history::StoreDump;
use crate::observer::Observer;
use crate::plan::{Fault, Means};
use crate::reader;
use crate::support::api::{Api, wait_until_online};
use crate::support::asterisk;
use crate::support::ports::Port;
use crate::support::postgres::Postgres;
use crate::support::proxy::{Proxy, Weather};
use crate::support::server::{Options, Server};
use crate::target::{Kind, Target};

/// How long a half-open connection lasts: the dialer sends a Ping every 5 s and waits 5 s for the answer.
const GIVEN_UP: Duration = Duration::from_secs(11);

/// The engine of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

pub struct World {
    pub server: Server,
    pub proxy: Proxy,
    pub target: Target,
    pub observer: Observer,
    pub address: String,
    disk: Option<Disk>,
    clock: Option<Clock>,
    database: Option<(Postgres, String)>,
    _port: Port,
}

/// A secret key: 32 bytes in base64.
const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

impl World {
    /// Starts all parts. Returns None and reports the skipped test if one cannot run here.
    pub fn start(kind: Kind, engine: Engine) -> Option<Self> {
        let target = Target::start(kind)?;
        let observer = Observer::default();
        target.listen(&observer);
        let proxy = Proxy::start(target.ami_port());
        let port = Port::reserve();
        let address = format!("127.0.0.1:{}", port.number());
        // This variable follows the one that the support sets, and the last one counts. It keeps the port over
        // restarts.
        let mut options = Options::default().env("TRUNKLINE_LISTEN", &address);
        let (mut disk, mut database) = (None, None);
        match engine {
            Engine::Sqlite if crate::support::skip::is_root() => {
                let mounted = Disk::mount();
                options = options.within(mounted.within()).data_dir(mounted.path().join("data"));
                disk = Some(mounted);
            }
            Engine::Sqlite => {}
            Engine::Postgres => {
                let mut postgres = Postgres::start()?;
                let url = postgres.create_database();
                options = options.env("TRUNKLINE_DATABASE_URL", &url).env("TRUNKLINE_SECRET_KEY", SECRET_KEY);
                database = Some((postgres, url));
            }
        }
        // Files that libfaketime leaves are removed with the disk's namespace.
        let clock = disk.as_ref().and_then(|_| Clock::new());
        for (name, value) in clock.iter().flat_map(Clock::env) {
            options = options.env(name, value);
        }
        let server = options.start();
        Some(Self { server, proxy, target, observer, address, disk, clock, database, _port: port })
    }

    pub fn means(&self) -> Means {
        Means { disk: self.disk.is_some(), database: self.database.is_some(), clock: self.clock.is_some() }
    }

    fn data_dir(&self) -> PathBuf {
        self.disk.as_ref().map_or_else(|| self.server.data_dir(), |disk| disk.outside().join("data"))
    }

    /// Adds a server that is connected through the proxy and a client that may use it, and returns the client's key.
    pub async fn set_up(&self, max_channels: usize, calls_per_second: f64) -> String {
        let key = fs::read_to_string(self.data_dir().join("admin.key")).expect("the admin key");
        let admin = Api::new(&self.server, key.trim());
        let server = json!({
            "code": "ast", "host": "127.0.0.1", "port": self.proxy.port(), "username": "dialer",
            "secret": asterisk::SECRET, "max_channels": max_channels, "calls_per_second": calls_per_second,
        });
        admin.post("admin/servers", server).await.data();
        wait_until_online(&admin, "ast").await;
        let client = json!({
            "name": "chaos", "account_code": "acme", "servers": ["ast"],
            "policy": {
                "technologies": ["Local"], "applications": ["Wait", "NoOp"],
                "contexts": ["answer", "talk", "busy", "congestion", "noanswer", "unalloc", "unallocated"],
            },
        });
        admin.post("admin/clients", client).await.data()["api_key"].as_str().expect("a key").to_owned()
    }

    /// Does the same and returns the client's REST API.
    pub async fn api(&self, max_channels: usize, calls_per_second: f64) -> Api {
        let key = self.set_up(max_channels, calls_per_second).await;
        Api::new(&self.server, &key)
    }

    pub fn database_url(&self) -> String {
        self.database.as_ref().expect("a database").1.clone()
    }

    /// Causes a fault, and repairs it if it does not end by itself.
    pub async fn suffer(&mut self, fault: Fault) {
        match fault {
            Fault::KillServer => self.server.restart(),
            Fault::StopServer => {
                let status = self.server.stop();
                assert!(status.success(), "SIGTERM ended the server with {status}:\n{}", self.server.output().text());
                self.server.restart();
            }
            Fault::Cut { way, after } => self.proxy.cut_after(way, after),
            Fault::HalfOpen(lasting) => {
                self.proxy.set_weather(Weather::Swallow);
                sleep(lasting + GIVEN_UP).await;
                self.proxy.set_weather(Weather::Clear);
                self.proxy.cut();
            }
            Fault::Delay { by, lasting } => {
                self.proxy.set_weather(Weather::Delay(by));
                sleep(lasting).await;
                self.proxy.set_weather(Weather::Clear);
            }
            Fault::KillAsterisk { away } => self.kill_asterisk(away).await,
            Fault::FillDisk { lasting, kill } => {
                self.disk().fill();
                sleep(lasting).await;
                if kill {
                    self.server.kill();
                }
                self.disk().free();
                if kill {
                    self.server.restart();
                }
            }
            Fault::JumpClock { seconds } => self.clock.as_mut().expect("a clock").jump(seconds),
            Fault::KillDatabase { away, kill } => {
                self.database().kill();
                sleep(away).await;
                if kill {
                    self.server.kill();
                }
                self.database().restart();
                if kill {
                    self.server.restart();
                }
            }
        }
    }

    /// Kills Asterisk. The dialer cannot connect until the observer has connected again, so that no event is missed.
    async fn kill_asterisk(&mut self, away: Duration) {
        let sessions = self.observer.sessions_ended();
        self.proxy.set_weather(Weather::Closed);
        self.target.kill();
        sleep(away).await;
        crate::support::wait::until("the observer's session has ended", || {
            (self.observer.sessions_ended() > sessions).then_some(())
        });
        self.target.restart();
        self.target.listen(&self.observer);
        self.proxy.set_weather(Weather::Clear);
    }

    fn disk(&self) -> &Disk {
        self.disk.as_ref().expect("a disk that can be filled")
    }

    fn database(&mut self) -> &mut Postgres {
        &mut self.database.as_mut().expect("a database that can be killed").0
    }

    /// Stops the server and reads its store.
    pub async fn close(&mut self) -> StoreDump {
        let status = self.server.stop();
        assert!(status.success(), "SIGTERM ended the server with {status}:\n{}", self.server.output().text());
        match &self.database {
            Some((_, url)) => reader::of_database(url).await,
            None => {
                // Reading needs a place that can be written to, because the last commits are still in the WAL.
                let copy = tempfile::tempdir().expect("a temporary directory");
                for name in ["trunkline.db", "trunkline.db-wal"] {
                    drop(fs::copy(self.data_dir().join(name), copy.path().join(name)));
                }
                reader::of_file(&copy.path().join("trunkline.db"))
            }
        }
    }
}
