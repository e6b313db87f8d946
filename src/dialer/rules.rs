//! What may be dialed through a server now: read again every half second, and parsed only where it changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::clients::Clients;
use super::limiter::Limits;
use crate::domain::limits::{ClientLimits, TrunkLimits};
use crate::domain::policy::Policy;
use crate::domain::window::Windows;
use crate::store::client_terms::ClientTerms;
use crate::store::lanes::{self, LaneClient, LaneQueue, ServerLimits};
use crate::store::settings::{self, KillSwitch, PlatformPolicy};
use crate::store::{Conn, Result, do_not_call};

/// How old rules may be: a change holds within a second, whatever a look at the store takes.
const RULES_MAX_AGE: Duration = Duration::from_millis(500);

/// What holds on one server.
#[derive(Default)]
pub struct Rules {
    read_at: Option<Instant>,
    /// Nothing new is dialed.
    pub stopped: bool,
    /// There are numbers on do-not-call lists.
    pub some_listed: bool,
    platform: PlatformPolicy,
    /// What limits the server; None where it is gone.
    pub server: Option<ServerSet>,
    clients: HashMap<i64, ClientRules>,
    windows: HashMap<i64, (String, Arc<Windows>)>,
    generations: u64,
}

/// What limits a server.
#[derive(Clone, Debug)]
pub struct ServerSet {
    row: ServerLimits,
    /// The server itself.
    pub set: Limits,
    /// Its trunks.
    pub trunks: Arc<Vec<TrunkLimits>>,
}

/// What a client may dial through the server.
#[derive(Clone, Debug)]
pub struct ClientRules {
    row: LaneClient,
    /// With what the platform denies everybody.
    pub policy: Policy,
    /// On all servers.
    pub limits: ClientLimits,
    /// On this one.
    pub grant: Limits,
    /// Another number for every other policy.
    pub generation: u64,
}

impl ServerSet {
    /// As stored.
    #[must_use]
    pub fn new(code: &str, row: ServerLimits) -> Self {
        let trunks = serde_json::from_str(&row.trunks).unwrap_or_else(|error| {
            warn!(server = code, %error, "the limits of its trunks cannot be read, and do not hold");
            Vec::new()
        });
        let set = Limits { max_live: Some(row.max_channels), per_second: Some(row.calls_per_second) };
        Self { row, set, trunks: Arc::new(trunks) }
    }
}

impl Rules {
    /// Reads what may have changed; `anew` however fresh it is. Answers the clients whose daily limit is another one.
    pub async fn read(&mut self, conn: &mut Conn, server: &str, shared: &Clients, anew: bool) -> Result<Vec<i64>> {
        let now = Instant::now();
        if !anew && self.read_at.is_some_and(|at| now - at < RULES_MAX_AGE) {
            return Ok(Vec::new());
        }
        self.stopped = settings::get::<KillSwitch>(conn).await?.0.engaged;
        let platform = settings::get::<PlatformPolicy>(conn).await?.0;
        let limits = lanes::server_limits(conn, server).await?;
        let clients = lanes::clients(conn, server).await?;
        self.some_listed = do_not_call::any(conn).await?;
        self.set_server(server, limits);
        let other_days = self.set_clients(clients, platform);
        for (id, client) in &self.clients {
            let set = Limits { max_live: client.limits.max_live_calls, per_second: client.limits.calls_per_second };
            shared.set(*id, set, now.into_std());
        }
        self.read_at = Some(now);
        Ok(other_days)
    }

    fn set_server(&mut self, code: &str, limits: Option<ServerLimits>) {
        let Some(row) = limits else {
            self.server = None;
            return;
        };
        if self.server.as_ref().is_some_and(|server| server.row == row) {
            return;
        }
        self.server = Some(ServerSet::new(code, row));
    }

    fn set_clients(&mut self, rows: Vec<LaneClient>, platform: PlatformPolicy) -> Vec<i64> {
        let mut other_days = Vec::new();
        let platform_is_other = platform != self.platform;
        self.platform = platform;
        let mut before = std::mem::take(&mut self.clients);
        for row in rows {
            let known = before.remove(&row.id);
            let client = match known {
                Some(known) if known.row == row && !platform_is_other => known,
                known => {
                    self.generations += 1;
                    let Some(client) = ClientRules::new(row, &self.platform, self.generations) else { continue };
                    let daily = |client: &ClientRules| client.limits.max_calls_per_destination_per_day;
                    if known.as_ref().is_none_or(|known| daily(known) != daily(&client)) {
                        other_days.push(client.row.id);
                    }
                    client
                }
            };
            self.clients.insert(client.row.id, client);
        }
        other_days
    }

    /// A client that may dial through the server; None where it was disabled, or its grant withdrawn.
    #[must_use]
    pub fn client(&self, id: i64) -> Option<&ClientRules> {
        self.clients.get(&id)
    }

    /// All of them.
    pub fn clients(&self) -> impl Iterator<Item = (i64, &ClientRules)> {
        self.clients.iter().map(|(id, client)| (*id, client))
    }

    /// The windows of a queue. Err where they cannot be read: its calls then wait, for a person's night is at stake.
    pub fn windows(&mut self, queue_id: i64, text: Option<&str>) -> Result<Option<Arc<Windows>>> {
        let Some(text) = text else {
            self.windows.remove(&queue_id);
            return Ok(None);
        };
        if let Some((known, windows)) = self.windows.get(&queue_id)
            && known == text
        {
            return Ok(Some(Arc::clone(windows)));
        }
        let windows: Arc<Windows> = Arc::new(serde_json::from_str(text)?);
        self.windows.insert(queue_id, (text.to_owned(), Arc::clone(&windows)));
        Ok(Some(windows))
    }

    /// Forgets the windows of all other queues.
    pub fn keep_windows(&mut self, queues: &[LaneQueue]) {
        if self.windows.len() > queues.len() * 2 + 100 {
            self.windows.retain(|id, _| queues.binary_search_by_key(id, |row| row.queue.id).is_ok());
        }
    }
}

impl ClientRules {
    fn new(row: LaneClient, platform: &PlatformPolicy, generation: u64) -> Option<Self> {
        let ClientTerms { policy, limits } = match ClientTerms::read(&row.policy, &row.limits, platform) {
            Ok(terms) => terms,
            Err(error) => {
                warn!(client = row.id, %error, "its policy or limits cannot be read, and nothing of it is dialed");
                return None;
            }
        };
        let grant = Limits { max_live: row.max_live_calls, per_second: row.calls_per_second };
        Some(Self { row, policy, limits, grant, generation })
    }
}
