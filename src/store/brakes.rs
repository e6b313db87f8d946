//! The brakes on clients: which destinations each has called, how many calls to new ones began today, and which calls are
//! held. [`brake`](crate::domain::brake) has the rule.
//!
//! The commit of a claim decides, one after the other for a client, under a lock on the client's row. Calls whose
//! destinations are all known do not get here. A commit never waits for the audit, whose entry about a braked client is
//! written afterwards by [`announce`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::audit;
use super::bulk::{self, Hex, row};
use super::db::{Conn, Db, Tx, with_conn};
use super::error::Result;
use super::events::NewEvent;
use super::schema::{calls, client_brakes, client_destinations};
use super::status_sql::{WAITS, waits_and};
use crate::domain::brake::{Brake, BrakeCheck, Braked, Dialed};
use crate::domain::commit::{Claim, Group, Hold};
use crate::domain::destination::day;
use crate::domain::event_kind::EventKind;
use crate::domain::ids::CallId;
use crate::domain::time::Millis;

row! {
    #[derive(Clone, Copy, Debug, Queryable)]
    struct BrakeRow {
        client_id: i64 = BigInt,
        learns_from: i64 = BigInt,
        braked_at: Option<i64> = BigInt,
        announced: bool = Bool,
        day: i32 = Integer,
        calls: i64 = BigInt,
        day_limit: i32 = Integer,
        version: i64 = BigInt,
    }
}

row! {
    struct LockRow {
        client_id: i64 = BigInt,
        learns_from: i64 = BigInt,
    }
}

row! {
    #[derive(Debug)]
    struct DestinationRow {
        client_id: i64 = BigInt,
        destination: String = Text,
        first_at: i64 = BigInt,
    }
}

row! {
    struct HoldRow {
        id: Hex = Uuid,
        due_at: i64 = BigInt,
    }
}

const LOCK: &str = "INSERT INTO client_brakes (client_id, learns_from, announced, day, calls, day_limit, version) \
     SELECT client_id, learns_from, TRUE, 0, 0, 0, 0 FROM {rows} AS u WHERE true \
     ON CONFLICT (client_id) DO UPDATE SET version = client_brakes.version";

const SAVE: &str = "UPDATE client_brakes SET braked_at = u.braked_at, announced = u.announced, day = u.day, \
     calls = u.calls, day_limit = u.day_limit, version = u.version FROM {rows} AS u \
     WHERE client_brakes.client_id = u.client_id";

const ADD: &str = "INSERT INTO client_destinations (client_id, destination, first_at, released) \
     SELECT client_id, destination, first_at, FALSE FROM {rows} AS u WHERE true \
     ON CONFLICT (client_id, destination) DO NOTHING";

static HOLD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "UPDATE calls SET due_at = u.due_at, braked = TRUE FROM {{rows}} AS u WHERE calls.id = u.id AND {waits}",
        waits = *WAITS
    )
});

/// The columns of a client's row, in the order of [`BrakeRow`].
macro_rules! columns {
    () => {
        (
            client_brakes::client_id,
            client_brakes::learns_from,
            client_brakes::braked_at,
            client_brakes::announced,
            client_brakes::day,
            client_brakes::calls,
            client_brakes::day_limit,
            client_brakes::version,
        )
    };
}

/// The brake of a client, as a lane reads it.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// The id of the client.
    pub client_id: i64,
    /// What decides which destinations are new.
    pub brake: Brake,
    /// False if the client was braked and no one has been told.
    pub announced: bool,
    /// A number that changes with the brake and with the destinations of the client.
    pub version: i64,
}

/// What the release of a brake has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// When the client was braked; None if it was not.
    pub braked_at: Option<Millis>,
    /// The destinations that were new and are known now, sorted.
    pub destinations: Vec<String>,
}

/// A client whose row a commit has locked.
#[derive(Debug)]
struct Locked {
    row: BrakeRow,
    dialed: HashMap<String, Dialed>,
    added: Vec<DestinationRow>,
    is_changed: bool,
}

/// The decisions of a commit. Until its end, no other commit decides about a call of the same clients.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    clients: BTreeMap<i64, Locked>,
    held: HashSet<CallId>,
}

impl BrakeRow {
    fn brake(&self) -> Brake {
        Brake { learns_from: Millis(self.learns_from), braked_at: self.braked_at.map(Millis) }
    }

    /// Returns how many calls to new destinations have begun on the day of this time.
    fn calls_on(&self, at: Millis) -> i64 {
        if day(at).0 > self.day { 0 } else { self.calls }
    }
}

impl Locked {
    /// Returns how many of the numbers have a new destination.
    fn new_ones(&self, check: &BrakeCheck, at: Millis) -> i64 {
        let brake = self.row.brake();
        let is_new = |code: &&String| brake.is_new(self.dialed.get(code.as_str()), at);
        i64::try_from(check.destinations.iter().filter(is_new).count()).unwrap_or(i64::MAX)
    }

    /// Counts the calls of a claim to new destinations; `sign` is -1 if the claim is taken back.
    fn count(&mut self, check: &BrakeCheck, at: Millis, sign: i64) {
        let new = self.new_ones(check, at);
        if new == 0 || (sign < 0 && self.row.day != day(at).0) {
            return;
        }
        self.row.calls = (self.row.calls_on(at) + sign * new).max(0);
        self.row.day = self.row.day.max(day(at).0);
        self.is_changed = true;
    }

    /// Notes that these destinations were called, or that calls to them are held.
    fn note(&mut self, destinations: &[String], at: Millis) {
        for destination in destinations {
            if self.dialed.contains_key(destination) {
                continue;
            }
            self.dialed.insert(destination.clone(), Dialed { first_at: at, released: false });
            let client_id = self.row.client_id;
            self.added.push(DestinationRow { client_id, destination: destination.clone(), first_at: at.0 });
            self.row.version += 1;
            self.is_changed = true;
        }
    }

    /// Brakes the client because of a call that was held, if as many calls have begun as may. Returns the event.
    fn brake(&mut self, claim: &Claim, limit: i32) -> Option<NewEvent> {
        if self.row.braked_at.is_some() || self.row.calls_on(claim.at) < i64::from(limit) {
            return None;
        }
        self.row.braked_at = Some(claim.at.0);
        self.row.announced = false;
        self.row.day_limit = limit;
        self.row.version += 1;
        self.is_changed = true;
        let detail = format!(
            "the client is braked: it has called new destinations as often as it may on one day, {limit} times \
             (brake_new_destination_calls); its calls to new destinations wait until an administrator releases the brake"
        );
        let event = NewEvent::of_queue(EventKind::Note, claim.call.client_id, claim.call.queue_id, claim.at);
        Some(NewEvent { call: Some(claim.call.id), status: Some(claim.from), detail: Some(detail), ..event })
    }
}

/// Locks the clients of a group whose calls may have new destinations, and decides which claims must wait.
pub(super) async fn decide(tx: &mut Tx, group: &Group) -> Result<Decisions> {
    let withdrawn = group.withdrawn.iter().map(|withdrawal| &withdrawal.claim);
    let mut since: BTreeMap<i64, Millis> = BTreeMap::new();
    for claim in group.claims.iter().chain(withdrawn).filter(|claim| claim.checks.brake.is_some()) {
        let first = since.entry(claim.call.client_id).or_insert(claim.at);
        *first = claim.at.min(*first);
    }
    for hold in &group.holds {
        since.entry(hold.call.client_id).or_insert(hold.at);
    }
    if since.is_empty() {
        return Ok(Decisions::default());
    }
    let ids: Vec<i64> = since.keys().copied().collect();
    let row = |(client_id, first): (i64, Millis)| LockRow { client_id, learns_from: first.0 };
    let locks: Vec<LockRow> = since.into_iter().map(row).collect();
    bulk::execute(tx, LOCK, LockRow::COLUMNS, &locks).await?;
    let mut dialed = self::dialed(tx, &ids).await?;
    let locked = |row: BrakeRow| {
        let dialed = dialed.remove(&row.client_id).unwrap_or_default();
        (row.client_id, Locked { row, dialed, added: Vec::new(), is_changed: false })
    };
    let clients: BTreeMap<i64, Locked> = rows(tx, &ids).await?.into_iter().map(locked).collect();
    let mut decisions = Decisions { clients, held: HashSet::new() };
    let mut begun: HashMap<i64, i64> = HashMap::new();
    for claim in &group.claims {
        let Some((check, client)) = decisions.of(claim) else { continue };
        let (new, begun) = (client.new_ones(check, claim.at), begun.entry(claim.call.client_id).or_default());
        if new > 0 && client.row.brake().holds(check.limit, client.row.calls_on(claim.at) + *begun) {
            decisions.held.insert(claim.call.id);
        } else {
            *begun += new;
        }
    }
    Ok(decisions)
}

impl Decisions {
    /// Returns the calls that must wait.
    pub(super) fn held(&self) -> impl Iterator<Item = CallId> + '_ {
        self.held.iter().copied()
    }

    fn of<'a>(&self, claim: &'a Claim) -> Option<(&'a BrakeCheck, &Locked)> {
        Some((claim.checks.brake.as_ref()?, self.clients.get(&claim.call.client_id)?))
    }

    /// Counts what begins, brakes the clients whose calls had to wait, and holds their waiting calls.
    pub(super) async fn apply(
        mut self,
        tx: &mut Tx,
        group: &Group,
        claimed: &HashSet<CallId>,
        events: &mut Vec<NewEvent>,
    ) -> Result<()> {
        if self.clients.is_empty() {
            return Ok(());
        }
        let granted = group.claims.iter().filter(|claim| claimed.contains(&claim.call.id));
        let begun = granted.map(|claim| (claim, 1));
        let withdrawn = group.withdrawn.iter().map(|withdrawal| (&withdrawal.claim, -1));
        for (claim, sign) in begun.chain(withdrawn) {
            let client = self.clients.get_mut(&claim.call.client_id);
            if let Some((check, client)) = claim.checks.brake.as_ref().zip(client) {
                client.count(check, claim.at, sign);
                client.note(&check.destinations, claim.at);
            }
        }
        for claim in group.claims.iter().filter(|claim| self.held.contains(&claim.call.id)) {
            let client = self.clients.get_mut(&claim.call.client_id);
            if let Some((check, client)) = claim.checks.brake.as_ref().zip(client) {
                events.extend(client.brake(claim, check.limit));
                client.note(&check.destinations, claim.at);
            }
        }
        let mut held: Vec<HoldRow> = Vec::new();
        for Hold { call, at, until, destinations } in &group.holds {
            // The brake may have been released since the call was read.
            if let Some(client) = self.clients.get_mut(&call.client_id).filter(|client| client.row.braked_at.is_some())
            {
                client.note(destinations, *at);
                held.push(HoldRow { id: Hex(call.id.0), due_at: until.0 });
            }
        }
        bulk::execute(tx, &HOLD, HoldRow::COLUMNS, &held).await?;
        let changed: Vec<Locked> = self.clients.into_values().filter(|client| client.is_changed).collect();
        let rows: Vec<BrakeRow> = changed.iter().map(|client| client.row).collect();
        let added: Vec<DestinationRow> = changed.into_iter().flat_map(|client| client.added).collect();
        bulk::execute(tx, SAVE, BrakeRow::COLUMNS, &rows).await?;
        bulk::execute(tx, ADD, DestinationRow::COLUMNS, &added).await
    }
}

async fn rows(conn: &mut Conn, clients: &[i64]) -> Result<Vec<BrakeRow>> {
    Ok(with_conn!(conn, |c| {
        client_brakes::table.filter(client_brakes::client_id.eq_any(clients)).select(columns!()).load(c).await
    })?)
}

/// Reads the brakes of these clients. One that is absent has made no attempt.
pub async fn states(conn: &mut Conn, clients: &[i64]) -> Result<Vec<State>> {
    let state = |row: BrakeRow| {
        let BrakeRow { client_id, announced, version, .. } = row;
        State { client_id, brake: row.brake(), announced, version }
    };
    Ok(rows(conn, clients).await?.into_iter().map(state).collect())
}

/// Reads the destinations of these clients, by their codes.
pub async fn dialed(conn: &mut Conn, clients: &[i64]) -> Result<HashMap<i64, HashMap<String, Dialed>>> {
    let found: Vec<(i64, String, i64, bool)> = with_conn!(conn, |c| {
        client_destinations::table
            .filter(client_destinations::client_id.eq_any(clients))
            .select((
                client_destinations::client_id,
                client_destinations::destination,
                client_destinations::first_at,
                client_destinations::released,
            ))
            .load(c)
            .await
    })?;
    let mut dialed: HashMap<i64, HashMap<String, Dialed>> = HashMap::new();
    for (client, destination, first_at, released) in found {
        let first_at = Millis(first_at);
        dialed.entry(client).or_default().insert(destination, Dialed { first_at, released });
    }
    Ok(dialed)
}

/// Reads why calls of a client are held; None if it is not braked.
pub async fn braked(conn: &mut Conn, client_id: i64, now: Millis) -> Result<Option<Braked>> {
    let Some(row) = rows(conn, &[client_id]).await?.pop().filter(|row| row.braked_at.is_some()) else {
        return Ok(None);
    };
    let destinations = new_ones(conn, &row, now).await?;
    Ok(Some(Braked { limit: row.day_limit, calls: row.calls, destinations }))
}

async fn new_ones(conn: &mut Conn, row: &BrakeRow, now: Millis) -> Result<Vec<String>> {
    let dialed = dialed(conn, &[row.client_id]).await?.remove(&row.client_id).unwrap_or_default();
    let brake = row.brake();
    let new = dialed.into_iter().filter(|(_, dialed)| brake.is_new(Some(dialed), now));
    let mut destinations: Vec<String> = new.map(|(destination, _)| destination).collect();
    destinations.sort_unstable();
    Ok(destinations)
}

/// Counts the calls of a queue that are held on a server.
pub async fn held(conn: &mut Conn, server: &str, queue_id: i64, now: Millis) -> Result<i64> {
    Ok(with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(server).and(calls::queue_id.eq(queue_id)))
            .filter(waits_and("calls.braked"))
            .filter(calls::due_at.gt(now.0))
            .count()
            .get_result(c)
            .await
    })?)
}

/// Returns true if calls of these clients are held on a server.
pub async fn any_held(conn: &mut Conn, server: &str, clients: &[i64]) -> Result<bool> {
    let found: Option<i64> = with_conn!(conn, |c| {
        calls::table
            .filter(calls::server_code.eq(server).and(calls::client_id.eq_any(clients)))
            .filter(waits_and("calls.braked"))
            .select(calls::due_at)
            .first(c)
            .await
            .optional()
    })?;
    Ok(found.is_some())
}

/// Makes the held calls of these clients due, because the clients are not braked any more.
pub async fn resume(tx: &mut Tx, server: &str, clients: &[i64], now: Millis) -> Result<usize> {
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(calls::table)
            .filter(calls::server_code.eq(server).and(calls::client_id.eq_any(clients)))
            .filter(waits_and("calls.braked"))
            .set((calls::due_at.eq(now.0), calls::braked.eq(false)))
            .execute(c)
            .await
    })?)
}

/// Releases the brake on a client: its new destinations become known. Its held calls go on when the lanes read this.
pub async fn release(tx: &mut Tx, client_id: i64, now: Millis) -> Result<Released> {
    let locked: Option<BrakeRow> = with_conn!(&mut **tx, |c| {
        diesel::update(client_brakes::table.find(client_id))
            .set(client_brakes::version.eq(client_brakes::version + 1_i64))
            .returning(columns!())
            .get_result(c)
            .await
            .optional()
    })?;
    let Some(row) = locked else { return Ok(Released::default()) };
    let destinations = new_ones(tx, &row, now).await?;
    let released =
        client_destinations::client_id.eq(client_id).and(client_destinations::destination.eq_any(&destinations));
    with_conn!(&mut **tx, |c| {
        diesel::update(client_destinations::table.filter(released))
            .set(client_destinations::released.eq(true))
            .execute(c)
            .await
    })?;
    with_conn!(&mut **tx, |c| {
        diesel::update(client_brakes::table.find(client_id))
            .set((
                client_brakes::braked_at.eq(None::<i64>),
                client_brakes::announced.eq(true),
                client_brakes::calls.eq(0_i64),
            ))
            .execute(c)
            .await
    })?;
    Ok(Released { braked_at: row.braked_at.map(Millis), destinations })
}

/// Writes the entry of the audit about a client that was braked, and returns why it was. None if another node has written
/// it.
pub async fn announce(db: &Db, client_id: i64, now: Millis) -> Result<Option<Braked>> {
    let mut tx = db.begin().await?;
    audit::lock(&mut tx).await?;
    let announced = with_conn!(&mut *tx, |c| {
        diesel::update(client_brakes::table.find(client_id).filter(client_brakes::announced.eq(false)))
            .set(client_brakes::announced.eq(true))
            .execute(c)
            .await
    })?;
    let braked = if announced == 0 { None } else { braked(&mut tx, client_id, now).await? };
    let Some(braked) = braked else {
        tx.rollback().await?;
        return Ok(None);
    };
    let Braked { limit, calls, destinations } = &braked;
    let after = serde_json::json!({ "braked": true, "new_destinations": destinations });
    let entry = audit::NewEntry {
        at: now.0,
        actor: audit::SELF.to_owned(),
        action: "BrakeClient".to_owned(),
        target: format!("clients/{client_id}"),
        detail: serde_json::json!({ "brake_new_destination_calls": limit, "calls": calls }).to_string(),
        before: Some(serde_json::json!({ "braked": false }).to_string()),
        after: Some(after.to_string()),
        ..audit::NewEntry::default()
    };
    audit::append(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(Some(braked))
}
