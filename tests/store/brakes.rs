//! Tests the brake on clients that call new destinations, whichever lane dials for them.

use std::collections::HashSet;

use trunkline::domain::brake::{BrakeCheck, Braked};
use trunkline::domain::commit::{Checks, Claim, Group, Hold};
use trunkline::domain::event_kind::EventKind;
use trunkline::domain::ids::CallId;
use trunkline::domain::time::{DAY, Millis};
use trunkline::store::brakes::{self, Released};
use trunkline::store::journal::{LaneRef, commit};
use trunkline::store::{audit, calls, events, leases, servers};

use super::conformance::due;
use super::engines::on_both_engines;
use super::store::{NOW, SERVER, Store, claim, withdrawal};

on_both_engines!(
    a_client_is_braked_beyond_its_limit_until_it_is_released,
    the_brake_is_announced_once,
    calls_are_held_only_while_the_client_is_braked,
    a_withdrawn_claim_does_not_count,
    lanes_that_claim_at_once_begin_no_more_than_the_limit_together,
    a_client_without_a_limit_is_never_braked_and_learns_nevertheless,
);

/// The second day, on which nothing is learned any more.
const LATER: Millis = Millis(NOW.0 + 2 * DAY);

fn to(claim: Claim, at: Millis, destinations: &[&str], limit: i32) -> Claim {
    let destinations = destinations.iter().map(|&code| code.to_owned()).collect();
    Claim { at, checks: Checks { legs: 1, brake: Some(BrakeCheck { limit, destinations }), ..claim.checks }, ..claim }
}

/// A queue whose calls are claimed one after the other, each in a commit of its own.
struct Lane {
    store: Store,
    queue: i64,
    lane: LaneRef,
    left: Vec<Claim>,
    number: i64,
}

impl Lane {
    async fn new(store: Store, calls: usize) -> Self {
        let queue = store.queue(1, calls).await;
        let lane = store.lane("a").await.unwrap();
        let left = due(&store, queue).await.iter().map(claim).collect();
        Self { store, queue, lane, left, number: 0 }
    }

    async fn commit(&mut self, group: &Group) -> HashSet<CallId> {
        self.number += 1;
        commit(&self.store.db, &self.lane, self.number, group).await.unwrap()
    }

    fn next(&mut self, at: Millis, destinations: &[&str], limit: i32) -> Claim {
        to(self.left.remove(0), at, destinations, limit)
    }

    /// Claims a call and returns true if the claim was granted.
    async fn begins(&mut self, at: Millis, destinations: &[&str], limit: i32) -> bool {
        let claims = vec![self.next(at, destinations, limit)];
        !self.commit(&Group { claims, ..Group::default() }).await.is_empty()
    }

    /// Lets the client learn `49`, and brakes it with calls to `44`.
    async fn brake(&mut self) {
        assert!(self.begins(NOW, &["49"], 1).await);
        assert!(self.begins(LATER, &["44"], 1).await);
        assert!(!self.begins(LATER, &["44"], 1).await);
    }

    async fn braked(&self, now: Millis) -> Option<Braked> {
        let mut conn = self.store.db.read().await.unwrap();
        brakes::braked(&mut conn, self.store.client, now).await.unwrap()
    }

    async fn release(&self, now: Millis) -> Released {
        let mut tx = self.store.tx().await;
        let released = brakes::release(&mut tx, self.store.client, now).await.unwrap();
        tx.commit().await.unwrap();
        released
    }

    /// Returns how many calls are held.
    async fn held(&self) -> i64 {
        let mut conn = self.store.db.read().await.unwrap();
        brakes::held(&mut conn, SERVER, self.queue, NOW).await.unwrap()
    }
}

async fn a_client_is_braked_beyond_its_limit_until_it_is_released(store: Store) {
    let mut lane = Lane::new(store, 14).await;
    for at in [NOW, Millis(NOW.0 + DAY - 1)] {
        assert!(lane.begins(at, &["49"], 2).await && lane.begins(at, &["1"], 2).await, "the client learns");
    }
    assert!(lane.begins(LATER, &["44"], 2).await);
    assert!(lane.begins(LATER, &["353", "49"], 2).await);
    assert_eq!(lane.braked(LATER).await, None, "the limit is reached, and nothing waits");
    assert!(!lane.begins(LATER, &["49", "44"], 2).await);
    let braked = Braked { limit: 2, calls: 2, destinations: vec!["353".into(), "44".into()] };
    assert_eq!(lane.braked(LATER).await, Some(braked));
    assert!(lane.begins(LATER, &["1"], 2).await, "what is known goes on");
    let much_later = Millis(LATER.0 + 30 * DAY);
    assert!(!lane.begins(much_later, &["44"], 2).await, "time does not release the brake");
    assert!(!lane.begins(much_later, &["1242"], 2).await);
    let destinations: Vec<String> = ["1242", "353", "44"].map(str::to_owned).into();
    let released = lane.release(much_later).await;
    assert_eq!(released, Released { braked_at: Some(LATER), destinations });
    assert_eq!(lane.braked(much_later).await, None);
    for code in ["44", "1242", "44"] {
        assert!(lane.begins(much_later, &[code], 2).await, "{code} is known now");
    }
    assert!(lane.begins(much_later, &["27", "27"], 2).await, "what was not called is still new, and counts from 0");
    let all = events::after(&mut lane.store.db.read().await.unwrap(), 0, 1000).await.unwrap();
    let notes: Vec<&str> = all
        .iter()
        .filter(|event| event.kind == EventKind::Note as i16)
        .map(|event| event.detail.as_deref().unwrap_or_default())
        .collect();
    assert!(matches!(notes[..], [note] if note.contains("the client is braked")), "{notes:?}");
}

async fn the_brake_is_announced_once(store: Store) {
    let mut lane = Lane::new(store, 5).await;
    let announce = async |lane: &Lane| brakes::announce(&lane.store.db, lane.store.client, LATER).await.unwrap();
    assert!(lane.begins(NOW, &["49"], 1).await);
    assert_eq!(announce(&lane).await, None);
    assert!(lane.begins(LATER, &["44"], 1).await);
    assert!(!lane.begins(LATER, &["44"], 1).await);
    let states = async |lane: &Lane| {
        let mut conn = lane.store.db.read().await.unwrap();
        brakes::states(&mut conn, &[lane.store.client]).await.unwrap().remove(0)
    };
    assert!(!states(&lane).await.announced);
    assert_eq!(announce(&lane).await, lane.braked(LATER).await);
    assert!(states(&lane).await.announced);
    assert_eq!(announce(&lane).await, None, "another node has announced it");
    assert!(!lane.begins(LATER, &["44"], 1).await);
    assert_eq!(announce(&lane).await, None, "it is still the same brake");
    let entries = audit::list(&mut lane.store.db.read().await.unwrap(), None, 10).await.unwrap();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((entries[0].actor.as_str(), entries[0].action.as_str()), ("trunkline", "BrakeClient"));
    assert_eq!(entries[0].target, format!("clients/{}", lane.store.client));
    assert!(entries[0].after.as_deref().is_some_and(|after| after.contains(r#""new_destinations":["44"]"#)));
}

async fn calls_are_held_only_while_the_client_is_braked(store: Store) {
    let mut lane = Lane::new(store, 7).await;
    let hold = |claim: &Claim| {
        let destinations = vec!["353".to_owned()];
        Hold { call: claim.call, at: LATER, until: Millis(LATER.0 + DAY), destinations }
    };
    let holds: Vec<Hold> = lane.left[4..6].iter().map(hold).collect();
    let group = Group { holds, ..Group::default() };
    assert!(lane.begins(NOW, &["49"], 1).await);
    lane.commit(&group).await;
    assert_eq!(lane.held().await, 0, "a client that is not braked has no held calls");
    lane.brake().await;
    lane.commit(&group).await;
    assert_eq!((lane.held().await, due(&lane.store, lane.queue).await.len()), (2, 2));
    assert_eq!(lane.braked(LATER).await.unwrap().destinations, ["353", "44"], "it shows what is held");
    let (server, clients) = (SERVER, &[lane.store.client]);
    assert!(brakes::any_held(&mut lane.store.db.read().await.unwrap(), server, clients).await.unwrap());
    lane.release(LATER).await;
    lane.commit(&group).await;
    let mut tx = lane.store.tx().await;
    assert_eq!(brakes::resume(&mut tx, server, &[lane.store.client + 1], NOW).await.unwrap(), 0);
    assert_eq!(brakes::resume(&mut tx, server, clients, NOW).await.unwrap(), 2);
    tx.commit().await.unwrap();
    lane.commit(&group).await;
    assert_eq!((lane.held().await, due(&lane.store, lane.queue).await.len()), (0, 4), "a late hold has no effect");
    assert!(!brakes::any_held(&mut lane.store.db.read().await.unwrap(), server, clients).await.unwrap());
}

async fn a_withdrawn_claim_does_not_count(store: Store) {
    let mut lane = Lane::new(store, 4).await;
    assert!(lane.begins(NOW, &["49"], 1).await);
    let claim = lane.next(LATER, &["44"], 1);
    assert_eq!(lane.commit(&Group { claims: vec![claim.clone()], ..Group::default() }).await.len(), 1);
    lane.commit(&Group { withdrawn: vec![withdrawal(claim)], ..Group::default() }).await;
    assert!(lane.begins(LATER, &["44"], 1).await);
    assert!(!lane.begins(LATER, &["44"], 1).await);
}

async fn lanes_that_claim_at_once_begin_no_more_than_the_limit_together(store: Store) {
    let mut first = Lane::new(store, 1).await;
    assert!(first.begins(NOW, &["49"], 12).await);
    let store = &first.store;
    let mut lanes = Vec::new();
    for index in 2..6 {
        let server = format!("server{index}");
        let mut tx = store.tx().await;
        servers::insert(&mut tx, &servers::Server { code: server.clone(), ..super::store::server() }).await.unwrap();
        let ttl = std::time::Duration::from_secs(15);
        let epoch = leases::acquire(&mut tx, &server, "a", ttl, NOW).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let mut batch = store.batch(index, None, 10);
        batch.calls.iter_mut().for_each(|call| call.server_code.clone_from(&server));
        store.insert_batch(&batch).await;
        let mut conn = store.db.read().await.unwrap();
        let mut claims = Vec::new();
        for call in &batch.calls {
            let call = calls::get(&mut conn, None, call.id).await.unwrap().unwrap();
            claims.push(to(claim(&call), LATER, &["44"], 12));
        }
        lanes.push((LaneRef { server, epoch }, claims));
    }
    let commits = lanes.iter().map(|(lane, claims)| async move {
        let mut granted = 0;
        for (number, pair) in (1..).zip(claims.chunks(2)) {
            let group = Group { claims: pair.to_vec(), ..Group::default() };
            granted += commit(&store.db, lane, number, &group).await.unwrap().len();
        }
        granted
    });
    let granted: usize = futures_util::future::join_all(commits).await.into_iter().sum();
    assert_eq!(granted, 12);
    assert_eq!(first.braked(LATER).await.unwrap().calls, 12);
}

async fn a_client_without_a_limit_is_never_braked_and_learns_nevertheless(store: Store) {
    let mut lane = Lane::new(store, 6).await;
    assert!(lane.begins(NOW, &[], 0).await, "the first attempt, to an extension");
    for _ in 0..3 {
        assert!(lane.begins(LATER, &["44"], 0).await);
    }
    let next_day = Millis(LATER.0 + DAY);
    assert!(lane.begins(next_day, &["44"], 1).await, "known since a day");
    assert_eq!(lane.braked(next_day).await, None);
}
