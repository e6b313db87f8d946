//! What may be dialed through a server now: read again every half second, and parsed only if it changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, warn};

use super::brakes::{Brakes, Tasks, Verdict};
use super::clients::Clients;
use super::limiter::Limits;
use crate::domain::destination;
use crate::domain::dial::called::Reading;
use crate::domain::extension::Pattern;
use crate::domain::limits::{ClientLimits, TrunkLimits};
use crate::domain::number::Numbering;
use crate::domain::policy::{Policy, Terms};
use crate::domain::spend::SpendLimits;
use crate::domain::time::Millis;
use crate::domain::wait_reasons::WaitReason;
use crate::domain::window::Windows;
use crate::store::client_days;
use crate::store::client_terms::ClientTerms;
use crate::store::lanes::{self, LaneClient, LaneQueue, ServerLimits};
use crate::store::settings::{self, KillSwitch, PlatformPolicy};
use crate::store::{Conn, Result, do_not_call};

/// How old rules may be. A change has to hold within a second, including the time to read it.
const RULES_MAX_AGE: Duration = Duration::from_millis(500);

/// The rules that hold on one server.
#[derive(Default)]
pub struct Rules {
    read_at: Option<Instant>,
    /// True if the kill switch is engaged, so that nothing new is dialed.
    pub stopped: bool,
    /// True if there are numbers on do-not-call lists.
    pub some_listed: bool,
    platform: PlatformPolicy,
    /// What limits the server; None if it was removed.
    pub server: Option<ServerSet>,
    clients: HashMap<i64, ClientRules>,
    /// How many seconds calls of each client may take, also of one that is disabled: its live calls go on.
    pub longest_calls: Vec<(i64, Option<i32>)>,
    /// The clients that have spent as much today as they may.
    pub spent: HashMap<i64, WaitReason>,
    windows: HashMap<i64, (String, Arc<Windows>)>,
    brakes: Brakes,
    /// How many calls to new destinations a client may begin on one day that sets no limit of its own; 0 if any number.
    new_destination_calls: i32,
    generations: u64,
}

/// What there is to do after the rules were read.
#[derive(Debug, Default)]
pub struct Changes {
    /// The clients whose limit on calls to one number on one day changed.
    pub other_days: Vec<i64>,
    /// What the brakes of clients ask for.
    pub brakes: Tasks,
}

/// The limits of a server and of its trunks.
#[derive(Clone, Debug)]
pub struct ServerSet {
    row: ServerLimits,
    /// The limits of the server itself.
    pub set: Limits,
    /// The limits of its trunks.
    pub trunks: Arc<Vec<TrunkLimits>>,
    /// The directories that recordings may go to.
    pub recording_dirs: Arc<Vec<String>>,
    /// What numbers mean on the server.
    pub numbering: Arc<Numbering>,
    /// How many seconds a call may take, if the server limits that.
    pub max_call_seconds: Option<i32>,
    /// False if what numbers mean on the server cannot be read, so that nothing may be dialed.
    is_readable: bool,
}

/// What a client may dial through the server.
#[derive(Clone, Debug)]
pub struct ClientRules {
    row: LaneClient,
    /// The client's policy, with what the platform denies to all clients.
    pub policy: Policy,
    /// The client's limits on all servers.
    pub limits: ClientLimits,
    /// The limits of its grant for this server.
    pub grant: Limits,
    /// The extensions that it may dial on the server besides numbers.
    pub extensions: Vec<Pattern>,
    /// A number that changes with every change of the policy.
    pub generation: u64,
}

impl ServerSet {
    /// Parses the stored limits of a server.
    #[must_use]
    pub fn new(code: &str, row: ServerLimits) -> Self {
        let trunks = serde_json::from_str(&row.trunks).unwrap_or_else(|error| {
            warn!(server = code, %error, "the limits of its trunks cannot be read, and are not applied");
            Vec::new()
        });
        let recording_dirs = serde_json::from_str(&row.recording_dirs).unwrap_or_else(|error| {
            warn!(server = code, %error, "its recording directories cannot be read; no call that is recorded is dialed");
            Vec::new()
        });
        let numbering = serde_json::from_str(&row.numbering).map_err(|error| {
            error!(server = code, %error, "what numbers mean on it cannot be read; none of its calls is dialed");
        });
        let (numbering, is_readable) = (numbering.clone().unwrap_or_default(), numbering.is_ok());
        let set = Limits { max_live: Some(row.max_channels), per_second: Some(row.calls_per_second) };
        let (trunks, recording_dirs) = (Arc::new(trunks), Arc::new(recording_dirs));
        let max_call_seconds = row.max_call_seconds;
        Self { row, set, trunks, recording_dirs, numbering: Arc::new(numbering), max_call_seconds, is_readable }
    }
}

impl Rules {
    /// Returns rules of which nothing is read. A client that sets no limit may begin this many calls to new destinations
    /// on one day; with 0, any number.
    #[must_use]
    pub fn new(new_destination_calls: i32) -> Self {
        Self { new_destination_calls, ..Self::default() }
    }

    /// Reads what may have changed, unless it was read recently and `anew` is false. Returns what there is to do then.
    pub async fn read(&mut self, conn: &mut Conn, server: &str, shared: &Clients, anew: bool) -> Result<Changes> {
        let now = Instant::now();
        if !anew && self.read_at.is_some_and(|at| now - at < RULES_MAX_AGE) {
            return Ok(Changes::default());
        }
        self.stopped = settings::get::<KillSwitch>(conn).await?.0.engaged;
        let platform = settings::get::<PlatformPolicy>(conn).await?.0;
        let limits = lanes::server_limits(conn, server).await?;
        let clients = lanes::clients(conn, server).await?;
        self.some_listed = do_not_call::any(conn).await?;
        let before = self.numbering().cloned();
        self.set_server(server, limits);
        // Every call is checked again if its numbers mean something else now.
        let is_other = before.as_ref() != self.numbering() || platform != self.platform;
        self.platform = platform;
        self.longest_calls = clients.iter().map(|client| (client.id, longest_call(client))).collect();
        let is_dialed = self.numbering().is_some();
        let clients = clients.into_iter().filter(|client| is_dialed && !client.disabled).collect();
        let other_days = self.set_clients(clients, is_other);
        for (id, client) in &self.clients {
            shared.set(*id, client.limits.limits(), now.into_std());
        }
        self.read_spent(conn).await?;
        let braking: Vec<(i64, i32)> =
            self.clients.iter().map(|(id, client)| (*id, self.new_destination_calls(client))).collect();
        let brakes = self.brakes.read(conn, &braking).await?;
        self.read_at = Some(now);
        Ok(Changes { other_days, brakes })
    }

    /// Decides whether the brake on a client lets a call to these numbers begin.
    #[must_use]
    pub fn judge(&self, client: &ClientRules, rings: &[String], now: Millis) -> Verdict {
        self.brakes.judge(client.row.id, rings, self.new_destination_calls(client), now)
    }

    fn new_destination_calls(&self, client: &ClientRules) -> i32 {
        client.limits.brake_new_destination_calls.unwrap_or(self.new_destination_calls)
    }

    async fn read_spent(&mut self, conn: &mut Conn) -> Result<()> {
        self.spent.clear();
        let limited: HashMap<i64, SpendLimits> =
            self.clients.iter().filter_map(|(id, client)| Some((*id, SpendLimits::of(&client.limits)?))).collect();
        if limited.is_empty() {
            return Ok(());
        }
        let (now, ids) = (Millis::now(), limited.keys().copied().collect::<Vec<i64>>());
        let (day, next_day) = destination::day(now);
        let spent = client_days::spent(conn, &ids, day, now).await?;
        let reached = |(id, limits): (i64, SpendLimits)| {
            Some((id, limits.reached(spent.get(&id).copied().unwrap_or_default(), next_day.0)?))
        };
        self.spent = limited.into_iter().filter_map(reached).collect();
        Ok(())
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

    fn set_clients(&mut self, rows: Vec<LaneClient>, all_are_other: bool) -> Vec<i64> {
        let mut other_days = Vec::new();
        let mut before = std::mem::take(&mut self.clients);
        for row in rows {
            let known = before.remove(&row.id);
            let client = match known {
                Some(known) if known.row == row && !all_are_other => known,
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

    /// Returns what numbers mean on the server; None if the server was removed or its settings cannot be read.
    #[must_use]
    pub fn numbering(&self) -> Option<&Arc<Numbering>> {
        self.server.as_ref().filter(|server| server.is_readable).map(|server| &server.numbering)
    }

    /// Returns the rules of a client; None if it is disabled, or has no grant for the server.
    #[must_use]
    pub fn client(&self, id: i64) -> Option<&ClientRules> {
        self.clients.get(&id)
    }

    /// Returns the rules of all clients.
    pub fn clients(&self) -> impl Iterator<Item = (i64, &ClientRules)> {
        self.clients.iter().map(|(id, client)| (*id, client))
    }

    /// Returns the windows of a queue. An error says that they cannot be read; the queue's calls then wait, so that no
    /// one is called at night by mistake.
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

    /// Drops the windows of all other queues.
    pub fn keep_windows(&mut self, queues: &[LaneQueue]) {
        if self.windows.len() > queues.len() * 2 + 100 {
            self.windows.retain(|id, _| queues.binary_search_by_key(id, |row| row.queue.id).is_ok());
        }
    }
}

/// Returns how many seconds a client's calls may take, if the client limits that and its limits can be read.
fn longest_call(client: &LaneClient) -> Option<i32> {
    serde_json::from_str::<ClientLimits>(&client.limits).ok()?.max_call_seconds
}

impl ClientRules {
    /// Returns what a call through a server is checked against besides the client's policy.
    #[must_use]
    pub fn terms<'a>(&'a self, server: &'a ServerSet) -> Terms<'a> {
        let reading = Reading { numbering: &server.numbering, extensions: &self.extensions };
        Terms { account_code: &self.row.account_code, recording_dirs: &server.recording_dirs, reading }
    }

    fn new(row: LaneClient, platform: &PlatformPolicy, generation: u64) -> Option<Self> {
        let ClientTerms { policy, limits } = match ClientTerms::read(&row.policy, &row.limits, platform) {
            Ok(terms) => terms,
            Err(error) => {
                warn!(client = row.id, %error, "its policy or limits cannot be read; none of its calls is dialed");
                return None;
            }
        };
        let extensions = match serde_json::from_str(&row.extensions) {
            Ok(extensions) => extensions,
            Err(error) => {
                warn!(client = row.id, %error, "the extensions of its grant cannot be read; it may dial none");
                Vec::new()
            }
        };
        let grant = Limits { max_live: row.max_live_calls, per_second: row.calls_per_second };
        Some(Self { row, policy, limits, grant, extensions, generation })
    }
}
