//! All limits of one lane, and which of them a call falls under. No IO.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::clients::Clients;
use super::feed::{Feed, Runnable};
use super::limiter::{LimitReached, Limiter, Limits};
use super::permits::Permits;
use super::ready::Ready;
use crate::domain::commit::CallRef;
use crate::domain::dial::legs::Legs;
use crate::domain::ids::CallId;
use crate::domain::status::Outcome;
use crate::domain::wait_reasons::{Limit, Reason, WaitReason};

/// The limits of a lane. The limits of clients are shared with the other lanes of the node.
#[derive(Debug)]
pub struct Limiters {
    server: Limiter,
    queues: HashMap<i64, Limiter>,
    grants: HashMap<i64, Limiter>,
    trunks: HashMap<Arc<str>, Limiter>,
    clients: Clients,
    /// The clients whose own limits were reached since this was last cleared.
    clients_reached: HashMap<i64, LimitReached>,
    /// The rate of a slowed trunk that has no rate of its own, in calls per second.
    usual: f64,
    /// When the first of the paces that blocked a call lets another one begin.
    next: Option<Instant>,
    /// True if permits may be kept for a call with several legs.
    some_reserved: bool,
    /// The clients that have spent as much today as they may.
    spent: HashMap<i64, WaitReason>,
}

impl Limiters {
    /// Makes the limiters of a server with these limits.
    #[must_use]
    pub fn new(server: Limits, clients: Clients, now: Instant) -> Self {
        let usual = server.per_second.unwrap_or(1.0);
        Self {
            server: Limiter::new(server, usual, now),
            queues: HashMap::new(),
            grants: HashMap::new(),
            trunks: HashMap::new(),
            clients,
            clients_reached: HashMap::new(),
            usual,
            next: None,
            some_reserved: false,
            spent: HashMap::new(),
        }
    }

    /// Takes over the limits that the feeder read.
    pub fn set(&mut self, feed: &Feed, now: Instant) {
        if let Some(server) = &feed.server {
            self.server.set(server.set, now);
            self.usual = server.set.per_second.unwrap_or(1.0);
            let mut set: BTreeMap<&str, Limits> = BTreeMap::new();
            for trunk in server.trunks.iter() {
                set.insert(&trunk.trunk, trunk.limits());
                limiter(&mut self.trunks, &Arc::from(trunk.trunk.as_str()), self.usual, now);
            }
            for (name, limiter) in &mut self.trunks {
                limiter.set_usual(self.usual);
                limiter.set(set.get(&**name).copied().unwrap_or_default(), now);
            }
            self.trunks.retain(|name, limiter| set.contains_key(&**name) || !limiter.is_idle(now));
        }
        self.spent.clone_from(&feed.spent);
        for (client, (set, _)) in &feed.grants {
            limiter(&mut self.grants, client, self.usual, now).set(*set, now);
        }
        self.grants.retain(|client, limiter| feed.grants.contains_key(client) || !limiter.is_idle(now));
        let mut runnable: HashMap<i64, Limits> = HashMap::with_capacity(feed.runnable.len());
        for Runnable { queue, limits, .. } in &feed.runnable {
            limiter(&mut self.queues, &queue.id, self.usual, now).set(*limits, now);
            runnable.insert(queue.id, *limits);
        }
        self.queues.retain(|queue, limiter| runnable.contains_key(queue) || !limiter.is_idle(now));
    }

    /// Returns true if the server takes another call now.
    pub fn server(&mut self, now: Instant) -> bool {
        let reached = self.server.check(now);
        self.passes(reached)
    }

    /// Returns true if a queue of a client takes another call now, whatever it dials.
    pub fn queue(&mut self, queue_id: i64, client_id: i64, now: Instant) -> bool {
        if self.spent.contains_key(&client_id) {
            return false;
        }
        // All limiters are asked, so that `explain` can report the first of several reasons.
        let grant = self.grants.get_mut(&client_id).map_or(Ok(()), |limiter| limiter.check(now));
        let queue = self.queues.get_mut(&queue_id).map_or(Ok(()), |limiter| limiter.check(now));
        let client = self.clients.check(client_id, now);
        if let Err(reached) = client {
            self.clients_reached.insert(client_id, reached);
        }
        // Not short-circuited, because the earliest of the times counts.
        self.passes(grant) & self.passes(queue) & self.passes(client)
    }

    /// Returns true if a call of a queue that takes another call now may begin: its trunk takes it, and if it has several
    /// legs, or permits are kept for a call that has, there are enough permits for all its legs.
    pub fn call(&mut self, call: &Ready, now: Instant) -> bool {
        if call.legs.count > 1 || self.some_reserved || self.clients.some_reserved() {
            return self.legs(call, now);
        }
        let Some(trunk) = &call.trunk else { return true };
        let reached = self.trunks.get_mut(trunk).map_or(Ok(()), |limiter| limiter.check(now));
        self.passes(reached)
    }

    fn legs(&mut self, call: &Ready, now: Instant) -> bool {
        let (id, legs) = (CallId::from(call.call.id), call.legs.count);
        let (queue_id, client_id) = (call.call.queue_id, call.call.client_id);
        // All limiters are asked, so that each keeps permits for the call that needs them.
        let mut fits = self.server.check_legs(id, legs, now).is_ok();
        for limiter in [self.grants.get_mut(&client_id), self.queues.get_mut(&queue_id)].into_iter().flatten() {
            fits &= limiter.check_legs(id, legs, now).is_ok();
        }
        if let Err(reached) = self.clients.check_legs(client_id, id, legs, now) {
            self.clients_reached.insert(client_id, reached);
            fits = false;
        }
        for (trunk, legs) in trunks(call) {
            let Some(limiter) = self.trunks.get_mut(trunk) else { continue };
            let reached = limiter.check(now);
            fits &= limiter.check_legs(id, legs, now).is_ok();
            fits &= self.passes(reached);
        }
        self.some_reserved |= !fits && legs > 1;
        fits
    }

    /// Returns true if a call has more legs than a limit allows, so that it can never begin.
    #[must_use]
    pub fn never_fits(&self, call: &Ready) -> bool {
        let exceeds = |limiter: Option<&Limiter>, legs: usize| {
            let most = limiter.and_then(Limiter::max_live);
            most.is_some_and(|most| usize::try_from(most).is_ok_and(|most| most < legs))
        };
        let (legs, queue, client) = (call.legs.count, call.call.queue_id, call.call.client_id);
        legs > 1
            && ([Some(&self.server), self.queues.get(&queue), self.grants.get(&client)]
                .into_iter()
                .any(|limiter| exceeds(limiter, legs))
                || self
                    .clients
                    .max_live(client)
                    .is_some_and(|most| usize::try_from(most).is_ok_and(|most| most < legs))
                || call.legs.trunks.iter().any(|(trunk, legs)| exceeds(self.trunks.get(trunk), *legs)))
    }

    /// Drops what is kept for calls with several legs that wait no more. `waits` says whether a call waits in this lane.
    pub fn renew_reservations(&mut self, waits: impl Fn(CallId) -> bool, now: Instant) {
        self.clients.renew_reservations(&waits, now);
        if !self.some_reserved {
            return;
        }
        let limiters = self.queues.values_mut().chain(self.grants.values_mut()).chain(self.trunks.values_mut());
        self.some_reserved = false;
        for limiter in limiters.chain([&mut self.server]) {
            limiter.renew_reservation(&waits, now);
            self.some_reserved |= limiter.has_reservation();
        }
    }

    fn passes(&mut self, reached: Result<(), LimitReached>) -> bool {
        if let Err(LimitReached::Pace { until, .. }) = reached {
            self.next = Some(self.next.map_or(until, |next| next.min(until)));
        }
        reached.is_ok()
    }

    /// Begins a call that passes all limiters. An error says that another lane took the client's last permit at this
    /// moment.
    pub fn begin(&mut self, call: &Ready, now: Instant) -> Result<Permits, LimitReached> {
        let (queue_id, client_id) = (call.call.queue_id, call.call.client_id);
        let (id, legs) = (CallId::from(call.call.id), call.legs.count);
        let client = self.clients.begin(client_id, id, legs, now).inspect_err(|reached| {
            self.clients_reached.insert(client_id, *reached);
        })?;
        let (mut trunk, mut further_trunks) = (None, Vec::new());
        for (name, legs) in trunks(call) {
            let permit = limiter(&mut self.trunks, name, self.usual, now).begin(id, legs, now);
            if call.trunk.as_ref() == Some(name) {
                trunk = Some((Arc::clone(name), permit));
            } else {
                further_trunks.push(permit);
            }
        }
        Ok(Permits {
            server: Some(self.server.begin(id, legs, now)),
            queue: Some(limiter(&mut self.queues, &queue_id, self.usual, now).begin(id, legs, now)),
            grant: Some(limiter(&mut self.grants, &client_id, self.usual, now).begin(id, legs, now)),
            trunk,
            further_trunks,
            client: Some(client),
        })
    }

    /// Returns the permits of a call that was live before this lane began.
    pub fn adopt(&mut self, call: CallRef, trunk: Option<&str>, legs: &Legs, now: Instant) -> Permits {
        let CallRef { queue_id, client_id, .. } = call;
        let of_trunk = |name: &str| legs.trunks.iter().find(|(trunk, _)| **trunk == *name).map_or(1, |(_, legs)| *legs);
        let further = legs.trunks.iter().filter(|(name, _)| Some(&**name) != trunk);
        let further_trunks =
            further.map(|(name, legs)| limiter(&mut self.trunks, name, self.usual, now).adopt(*legs)).collect();
        let trunk = trunk.map(|name| {
            let name: Arc<str> = Arc::from(name);
            let permit = limiter(&mut self.trunks, &name, self.usual, now).adopt(of_trunk(&name));
            (name, permit)
        });
        Permits {
            server: Some(self.server.adopt(legs.count)),
            queue: Some(limiter(&mut self.queues, &queue_id, self.usual, now).adopt(legs.count)),
            grant: Some(limiter(&mut self.grants, &client_id, self.usual, now).adopt(legs.count)),
            trunk,
            further_trunks,
            client: Some(self.clients.adopt(client_id, legs.count, now)),
        }
    }

    /// Notes how a call through `trunk` ended.
    pub fn saw(&mut self, trunk: Option<&Arc<str>>, outcome: Outcome, now: Instant) {
        self.server.saw(outcome, now);
        if let Some(limiter) = trunk.and_then(|trunk| self.trunks.get_mut(trunk)) {
            limiter.saw(outcome, now);
        }
    }

    /// Lets slowed rates recover as time passes.
    pub fn recover(&mut self, now: Instant) {
        self.server.recover(now);
        for limiter in self.trunks.values_mut() {
            limiter.recover(now);
        }
    }

    /// Returns when to check again, if a pace has blocked a call since [`Limiters::begin_round`].
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Begins a round of dispatch.
    pub fn begin_round(&mut self) {
        self.next = None;
    }

    /// Returns why a queue as a whole was blocked since [`Limiters::forget_reached`]: the first of several reasons.
    #[must_use]
    pub fn in_the_way(&self, queue_id: i64, client_id: i64) -> Option<WaitReason> {
        if let Some(spent) = self.spent.get(&client_id) {
            return Some(spent.clone());
        }
        let client = self.clients_reached.get(&client_id).copied();
        let grant = self.grants.get(&client_id).and_then(Limiter::reached);
        let queue = self.queues.get(&queue_id).and_then(Limiter::reached);
        let slowed = self.server.reached().filter(|reached| matches!(reached, LimitReached::Pace { slowed: true, .. }));
        let live = |reached: &Option<LimitReached>| matches!(reached, Some(LimitReached::Live { .. }));
        let full = self.server.reached().filter(|reached| live(&Some(*reached)));
        let all = [
            wait_reason(full, Reason::ServerChannels, Reason::ServerChannels, "max_channels", None),
            wait_reason(grant, Reason::GrantLiveCalls, Reason::GrantPace, "max_live_calls", None),
            wait_reason(client, Reason::ClientLiveCalls, Reason::ClientPace, "max_live_calls", None),
            wait_reason(queue, Reason::QueueLiveCalls, Reason::QueuePace, "max_live_calls", None),
            wait_reason(slowed, Reason::BackingOff, Reason::BackingOff, "max_channels", None),
        ];
        all.into_iter().flatten().min_by_key(|reason| reason.reason)
    }

    /// Returns why calls through a trunk were blocked.
    #[must_use]
    pub fn in_the_way_of(&self, trunk: &Arc<str>) -> Option<WaitReason> {
        let reached = self.trunks.get(trunk).and_then(Limiter::reached);
        wait_reason(reached, Reason::TrunkChannels, Reason::TrunkPace, "max_channels", Some(trunk))
    }

    /// Clears which limits were reached.
    pub fn forget_reached(&mut self) {
        self.clients_reached.clear();
        let limiters = self.queues.values_mut().chain(self.grants.values_mut()).chain(self.trunks.values_mut());
        limiters.chain([&mut self.server]).for_each(Limiter::forget_reached);
    }
}

/// Returns the trunks that the legs of a call go through which count, with the number of these legs.
fn trunks(call: &Ready) -> impl Iterator<Item = (&Arc<str>, usize)> {
    let only = call.trunk.iter().filter(|_| call.legs.trunks.is_empty()).map(|name| (name, 1));
    only.chain(call.legs.trunks.iter().map(|(name, legs)| (name, *legs)))
}

/// Returns the limiter with this key, which is created if it does not exist.
fn limiter<'a, K: Clone + Eq + std::hash::Hash>(
    limiters: &'a mut HashMap<K, Limiter>,
    key: &K,
    usual: f64,
    now: Instant,
) -> &'a mut Limiter {
    limiters.entry(key.clone()).or_insert_with(|| Limiter::new(Limits::default(), usual, now))
}

fn wait_reason(
    reached: Option<LimitReached>,
    live: Reason,
    pace: Reason,
    live_name: &str,
    trunk: Option<&Arc<str>>,
) -> Option<WaitReason> {
    let trunk = trunk.map(ToString::to_string);
    Some(match reached? {
        LimitReached::Live { most } => {
            let limit = Some(Limit { name: live_name.to_owned(), value: f64::from(most) });
            WaitReason { limit, trunk, ..WaitReason::new(live) }
        }
        LimitReached::Pace { per_second, slowed, .. } => {
            let limit = Some(Limit { name: "calls_per_second".to_owned(), value: per_second });
            WaitReason { limit, trunk, ..WaitReason::new(if slowed { Reason::BackingOff } else { pace }) }
        }
    })
}
