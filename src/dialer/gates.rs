//! All limits of one lane, and which of them a call falls under.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::clients::Clients;
use super::feeder::Feed;
use super::limits::{Gate, Hold, Reached, Set};
use super::ready::Ready;
use crate::domain::held::{Held, Limit, Reason};
use crate::domain::status::Outcome;

/// The limits of a lane. Those of clients are shared with the other lanes of the node.
#[derive(Debug)]
pub struct Gates {
    server: Gate,
    queues: HashMap<i64, Gate>,
    grants: HashMap<i64, Gate>,
    trunks: HashMap<Arc<str>, Gate>,
    clients: Clients,
    /// Which clients' own limits were reached since this was last forgotten.
    clients_reached: HashMap<i64, Reached>,
    /// What slowed trunks have that have no pace of their own, in calls a second.
    usual: f64,
    /// When the first of the paces that were in the way lets another call begin.
    next: Option<Instant>,
}

impl Gates {
    /// Of a server with these limits.
    #[must_use]
    pub fn new(server: Set, clients: Clients, now: Instant) -> Self {
        let usual = server.per_second.unwrap_or(1.0);
        Self {
            server: Gate::new(server, usual, now),
            queues: HashMap::new(),
            grants: HashMap::new(),
            trunks: HashMap::new(),
            clients,
            clients_reached: HashMap::new(),
            usual,
            next: None,
        }
    }

    /// Other limits from now on.
    pub fn set(&mut self, feed: &Feed, now: Instant) {
        if let Some(server) = &feed.server {
            self.server.set(server.set, now);
            self.usual = server.set.per_second.unwrap_or(1.0);
            let mut set: BTreeMap<&str, Set> = BTreeMap::new();
            for trunk in server.trunks.iter() {
                let limits = Set { max_live: trunk.max_channels, per_second: trunk.calls_per_second };
                set.insert(&trunk.trunk, limits);
                gate(&mut self.trunks, &Arc::from(trunk.trunk.as_str()), self.usual, now);
            }
            for (name, gate) in &mut self.trunks {
                gate.set_usual(self.usual);
                gate.set(set.get(&**name).copied().unwrap_or_default(), now);
            }
            self.trunks.retain(|name, gate| set.contains_key(&**name) || !gate.is_idle(now));
        }
        for (client, (set, _)) in &feed.grants {
            gate(&mut self.grants, client, self.usual, now).set(*set, now);
        }
        self.grants.retain(|client, gate| feed.grants.contains_key(client) || !gate.is_idle(now));
        let mut runnable: HashMap<i64, Set> = HashMap::with_capacity(feed.runnable.len());
        for queue in feed.runnable.iter().map(|runnable| &runnable.queue) {
            let set = Set { max_live: queue.max_live_calls, per_second: queue.calls_per_second };
            gate(&mut self.queues, &queue.queue.id, self.usual, now).set(set, now);
            runnable.insert(queue.queue.id, set);
        }
        self.queues.retain(|queue, gate| runnable.contains_key(queue) || !gate.is_idle(now));
    }

    /// Whether the server takes another call now.
    pub fn server(&mut self, now: Instant) -> bool {
        let reached = self.server.check(now);
        self.passes(reached)
    }

    /// Whether a queue of a client takes another call now, whatever it dials.
    pub fn queue(&mut self, queue_id: i64, client_id: i64, now: Instant) -> bool {
        // All are asked, so that explain can tell the first of several.
        let grant = self.grants.get_mut(&client_id).map_or(Ok(()), |gate| gate.check(now));
        let queue = self.queues.get_mut(&queue_id).map_or(Ok(()), |gate| gate.check(now));
        let client = self.clients.check(client_id, now);
        if let Err(reached) = client {
            self.clients_reached.insert(client_id, reached);
        }
        // Not short-circuited: the earliest of the times counts.
        self.passes(grant) & self.passes(queue) & self.passes(client)
    }

    /// Whether the trunk of a call takes another one now.
    pub fn trunk(&mut self, call: &Ready, now: Instant) -> bool {
        let Some(trunk) = &call.trunk else { return true };
        let reached = self.trunks.get_mut(trunk).map_or(Ok(()), |gate| gate.check(now));
        self.passes(reached)
    }

    fn passes(&mut self, reached: Result<(), Reached>) -> bool {
        if let Err(Reached::Pace { until, .. }) = reached {
            self.next = Some(self.next.map_or(until, |next| next.min(until)));
        }
        reached.is_ok()
    }

    /// A call begins that passes all gates. Err where another lane took the client's last slot in this moment.
    pub fn begin(&mut self, call: &Ready, now: Instant) -> Result<Hold, Reached> {
        let (queue_id, client_id) = (call.call.queue_id, call.call.client_id);
        let client = self.clients.begin(client_id, now).inspect_err(|reached| {
            self.clients_reached.insert(client_id, *reached);
        })?;
        let trunk = call.trunk.as_ref().map(|name| {
            let slot = gate(&mut self.trunks, name, self.usual, now).begin(now);
            (Arc::clone(name), slot)
        });
        Ok(Hold {
            server: Some(self.server.begin(now)),
            queue: Some(gate(&mut self.queues, &queue_id, self.usual, now).begin(now)),
            grant: Some(gate(&mut self.grants, &client_id, self.usual, now).begin(now)),
            trunk,
            client: Some(client),
        })
    }

    /// A call is live that began before this lane did.
    pub fn hold(&mut self, queue_id: i64, client_id: i64, trunk: Option<&str>, now: Instant) -> Hold {
        let trunk = trunk.map(|name| {
            let name: Arc<str> = Arc::from(name);
            let slot = gate(&mut self.trunks, &name, self.usual, now).hold();
            (name, slot)
        });
        Hold {
            server: Some(self.server.hold()),
            queue: Some(gate(&mut self.queues, &queue_id, self.usual, now).hold()),
            grant: Some(gate(&mut self.grants, &client_id, self.usual, now).hold()),
            trunk,
            client: Some(self.clients.hold(client_id, now)),
        }
    }

    /// A call through `trunk` ended so.
    pub fn saw(&mut self, trunk: Option<&Arc<str>>, outcome: Outcome, now: Instant) {
        self.server.saw(outcome, now);
        if let Some(gate) = trunk.and_then(|trunk| self.trunks.get_mut(trunk)) {
            gate.saw(outcome, now);
        }
    }

    /// Time passes: what was slowed down recovers.
    pub fn recover(&mut self, now: Instant) {
        self.server.recover(now);
        for gate in self.trunks.values_mut() {
            gate.recover(now);
        }
    }

    /// When to look again, where a pace was in the way since [`Gates::begin_round`].
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// A round begins.
    pub fn begin_round(&mut self) {
        self.next = None;
    }

    /// What was in the way of a queue as a whole since [`Gates::forget_reached`], the first reason of several.
    #[must_use]
    pub fn in_the_way(&self, queue_id: i64, client_id: i64) -> Option<Held> {
        let client = self.clients_reached.get(&client_id).copied();
        let grant = self.grants.get(&client_id).and_then(Gate::reached);
        let queue = self.queues.get(&queue_id).and_then(Gate::reached);
        let slowed = self.server.reached().filter(|reached| matches!(reached, Reached::Pace { slowed: true, .. }));
        let live = |reached: &Option<Reached>| matches!(reached, Some(Reached::Live { .. }));
        let full = self.server.reached().filter(|reached| live(&Some(*reached)));
        let all = [
            held(full, Reason::ServerChannels, Reason::ServerChannels, "max_channels", None),
            held(grant, Reason::GrantLiveCalls, Reason::GrantPace, "max_live_calls", None),
            held(client, Reason::ClientLiveCalls, Reason::ClientPace, "max_live_calls", None),
            held(queue, Reason::QueueLiveCalls, Reason::QueuePace, "max_live_calls", None),
            held(slowed, Reason::BackingOff, Reason::BackingOff, "max_channels", None),
        ];
        all.into_iter().flatten().min_by_key(|held| held.reason)
    }

    /// What was in the way of calls through a trunk.
    #[must_use]
    pub fn in_the_way_of(&self, trunk: &Arc<str>) -> Option<Held> {
        let reached = self.trunks.get(trunk).and_then(Gate::reached);
        held(reached, Reason::TrunkChannels, Reason::TrunkPace, "max_channels", Some(trunk))
    }

    /// What was in the way until now is told.
    pub fn forget_reached(&mut self) {
        self.clients_reached.clear();
        let gates = self.queues.values_mut().chain(self.grants.values_mut()).chain(self.trunks.values_mut());
        gates.chain([&mut self.server]).for_each(Gate::forget_reached);
    }
}

/// The gate of that key, which is made where there is none.
fn gate<'a, K: Clone + Eq + std::hash::Hash>(
    gates: &'a mut HashMap<K, Gate>,
    key: &K,
    usual: f64,
    now: Instant,
) -> &'a mut Gate {
    gates.entry(key.clone()).or_insert_with(|| Gate::new(Set::default(), usual, now))
}

fn held(
    reached: Option<Reached>,
    live: Reason,
    pace: Reason,
    live_name: &str,
    trunk: Option<&Arc<str>>,
) -> Option<Held> {
    let trunk = trunk.map(ToString::to_string);
    Some(match reached? {
        Reached::Live { most } => {
            let limit = Some(Limit { name: live_name.to_owned(), value: f64::from(most) });
            Held { reason: live, limit, trunk }
        }
        Reached::Pace { per_second, slowed, .. } => {
            let limit = Some(Limit { name: "calls_per_second".to_owned(), value: per_second });
            Held { reason: if slowed { Reason::BackingOff } else { pace }, limit, trunk }
        }
    })
}
