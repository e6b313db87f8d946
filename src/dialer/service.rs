//! Runs a lane for every server that this node owns, and starts and stops lanes as servers are added and removed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{error, warn};

use super::clients::{Clients, Uncounted};
use super::lane::Lane;
use crate::ami;
use crate::domain::destination;
use crate::domain::time::Millis;
use crate::store::client_days;
use crate::store::destinations;
use crate::store::leases::TTL;
use crate::store::secrets::{Place, Sealer, SecretError};
use crate::store::servers::{self, Server};
use crate::store::{Db, Result, leases, nodes};

/// How often servers are read even without a wake-up, because another node may have added or released one.
const READ_SERVERS: Duration = Duration::from_secs(2);

/// What the dialer is built from.
pub struct Options {
    /// The store with the servers, their leases and their calls.
    pub db: Db,
    /// Opens the secrets of the servers' manager users.
    pub sealer: Sealer,
    /// The name of this node in leases.
    pub node: String,
    /// How many seconds a call may take.
    pub max_call_seconds: u32,
    /// How many calls to new destinations a client may begin on one day that sets no limit of its own; 0 if any number.
    pub new_destination_calls: i32,
    /// Notified when there may be something new to dial, on any server.
    pub wake: Arc<Notify>,
    /// Notified when a server was added or changed.
    pub servers_changed: Arc<Notify>,
}

/// The dialer of one node.
pub struct Dialer {
    options: Options,
    /// The limits of clients, shared by all lanes.
    clients: Clients,
    lanes: HashMap<String, Running>,
    /// Present while this node may have run lanes before that it does not run yet, whose live calls are not counted.
    uncounted: Option<Uncounted>,
    /// The day on which the counts of older days were last deleted.
    day: i32,
}

struct Running {
    server: Server,
    /// The secret of the server's manager user that the lane logs in with.
    secret: SecretString,
    epoch: i64,
    wake: Arc<Notify>,
    stop: CancellationToken,
    /// Ends with the dialer, also if the dialer panics: no lane dials without one.
    task: AbortOnDropHandle<()>,
}

impl Dialer {
    /// Builds the dialer. Nothing is dialed before [`Dialer::run`].
    #[must_use]
    pub fn new(options: Options) -> Self {
        let clients = Clients::default();
        let uncounted = Some(clients.uncounted());
        Self { options, clients, lanes: HashMap::new(), uncounted, day: 0 }
    }

    /// Runs lanes until `stop` is cancelled. Then stops and releases each lane, and returns after the last commit of
    /// each is durable.
    pub async fn run(mut self, stop: CancellationToken) {
        let (wake, servers_changed) = (Arc::clone(&self.options.wake), Arc::clone(&self.options.servers_changed));
        let mut read = tokio::time::interval(READ_SERVERS);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = wake.notified() => {
                    for lane in self.lanes.values() {
                        lane.wake.notify_one();
                    }
                }
                () = servers_changed.notified() => self.adjust().await,
                _ = read.tick() => self.adjust().await,
            }
        }
        for lane in self.lanes.values() {
            lane.stop.cancel();
        }
        for (code, lane) in self.lanes.drain() {
            release(&self.options.db, &code, lane).await;
        }
    }

    /// Starts the lanes of new servers, and restarts the lanes whose connection settings changed. A running lane takes
    /// over changed limits and templates. A node that is drained has no lanes.
    async fn adjust(&mut self) {
        let servers = match read_servers(&self.options.db, &self.options.node).await {
            Ok(servers) => servers,
            Err(error) => return warn!(%error, "cannot read the servers"),
        };
        self.forget_old_days().await;
        let ended: Vec<String> = self
            .lanes
            .iter()
            .filter(|(_, lane)| {
                let same = servers.iter().any(|server| connects_as(server, lane, &self.options.sealer));
                lane.task.is_finished() || !same
            })
            .map(|(code, _)| code.clone())
            .collect();
        // A node that was drained follows no calls either.
        if !ended.is_empty() || self.lanes.is_empty() {
            self.uncounted.get_or_insert_with(|| self.clients.uncounted());
        }
        for code in ended {
            if let Some(lane) = self.lanes.remove(&code) {
                lane.stop.cancel();
                release(&self.options.db, &code, lane).await;
            }
        }
        let mut all = true;
        for server in servers {
            if let Some(lane) = self.lanes.get_mut(&server.code)
                && lane.server != server
            {
                lane.server = server.clone();
                lane.wake.notify_one();
            }
            if !self.lanes.contains_key(&server.code)
                && let Err(error) = self.start(server).await
            {
                warn!(%error, "cannot start a lane; trying again");
                all = false;
            }
        }
        if all {
            // Each new lane has one of its own until it has counted its live calls.
            self.uncounted = None;
        }
    }

    /// Deletes how often numbers were called on past days. One day more is kept, for nodes whose clocks differ.
    async fn forget_old_days(&mut self) {
        let (today, _) = destination::day(Millis::now());
        if self.day == today {
            return;
        }
        let forgotten = async {
            let mut tx = self.options.db.begin().await?;
            destinations::forget(&mut tx, today - 1).await?;
            client_days::forget(&mut tx, today - 1).await?;
            tx.commit().await
        };
        match forgotten.await {
            Ok(()) => self.day = today,
            Err(error) => warn!(%error, "cannot delete how often numbers were called on past days"),
        }
    }

    async fn start(&mut self, server: Server) -> Result<()> {
        let opened = self.options.sealer.open(&server.secret, &Place::Server(server.code.clone()));
        let mut tx = self.options.db.begin().await?;
        let (node, now) = (&self.options.node, Millis::now());
        let secret = match opened {
            Ok(secret) => secret,
            // A node with the right key may take the lane.
            Err(error) => {
                error!(server = %server.code, %error, "its secret cannot be read; nothing is dialed through it");
                leases::pass_over(&mut tx, &server.code, node, &format!("its secret cannot be read: {error}"), now)
                    .await?;
                return tx.commit().await;
            }
        };
        let epoch = leases::acquire(&mut tx, &server.code, node, TTL, now).await?;
        tx.commit().await?;
        // None: another node dials through this server.
        let Some(epoch) = epoch else { return Ok(()) };
        let port = u16::try_from(server.port).unwrap_or(0);
        let ami = ami::Options::new(server.host.clone(), port, server.username.clone(), secret.clone(), server.tls);
        let ami = ami::Options { name: server.code.clone(), ..ami };
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let lane = Lane {
            db: self.options.db.clone(),
            server: server.clone(),
            ami,
            epoch,
            clients: self.clients.clone(),
            max_call_seconds: self.options.max_call_seconds,
            new_destination_calls: self.options.new_destination_calls,
            wake: Arc::clone(&wake),
            stop: stop.clone(),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(lane.run(self.clients.uncounted())));
        self.lanes.insert(server.code.clone(), Running { server, secret, epoch, wake, stop, task });
        Ok(())
    }
}

/// Returns true if the server still has the manager account and the host of the lane, so that the connection can stay.
fn connects_as(server: &Server, lane: &Running, sealer: &Sealer) -> bool {
    let place = |server: &Server| (server.code.clone(), server.host.clone(), server.port, server.tls);
    if place(server) != place(&lane.server) || server.username != lane.server.username {
        return false;
    }
    // A secret that was only sealed anew is the same.
    server.secret == lane.server.secret
        || match sealer.open(&server.secret, &Place::Server(server.code.clone())) {
            Ok(secret) => secret.expose_secret() == lane.secret.expose_secret(),
            // Another node sealed it with a key that this one does not have yet.
            Err(SecretError::MissingKey(_)) => true,
            Err(SecretError::Key | SecretError::Sealed | SecretError::Altered(_)) => false,
        }
}

async fn release(db: &Db, code: &str, lane: Running) {
    if let Err(error) = lane.task.await {
        error!(server = %code, %error, "the lane ended unexpectedly");
    }
    let released = async {
        let mut tx = db.begin().await?;
        leases::release(&mut tx, code, lane.epoch).await?;
        tx.commit().await
    };
    if let Err(error) = released.await {
        warn!(server = %code, %error, "cannot release the lane; another node takes it when its lease expires");
    }
}

/// Returns the servers that this node may dial through, which are none while it is drained.
async fn read_servers(db: &Db, node: &str) -> Result<Vec<Server>> {
    let mut conn = db.read().await?;
    if nodes::is_draining(&mut conn, node).await? {
        return Ok(Vec::new());
    }
    servers::list(&mut conn).await
}
