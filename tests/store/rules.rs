//! Tests that a rule which is set while a lane commits is in effect from its own commit on.

use std::collections::HashSet;

use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use tokio::task::JoinHandle;
use trunkline::domain::commit::{Checks, Claim, Group};
use trunkline::domain::event_kind::EventKind;
use trunkline::domain::ids::CallId;
use trunkline::domain::status::{CallStatus, Outcome, QueueStatus};
use trunkline::domain::time::Millis;
use trunkline::store::do_not_call::{self, PLATFORM};
use trunkline::store::events::{self, NewEvent};
use trunkline::store::journal::{LaneRef, commit};
use trunkline::store::queues::{self, QueueUpdate};
use trunkline::store::settings::{self, KillSwitch};
use trunkline::store::{Conn, Tx, retries};

use super::conformance::{claim_all, course, due, ended, kinds, queue_of};
use super::engines::on_both_engines;
use super::store::{NOW, Store, claim, withdrawal};
use crate::support::wait;

on_both_engines!(
    a_call_that_ends_after_retry_false_is_not_tried_again,
    a_withdrawn_further_try_of_a_queue_that_gave_up_ends,
);

const PAUSE: QueueUpdate =
    QueueUpdate { status: Some(QueueStatus::Paused), retry: None, retry_count: None, retry_gap: None };
const GIVE_UP: QueueUpdate = QueueUpdate { status: None, retry: Some(false), retry_count: None, retry_gap: None };

/// A rule that keeps calls from being claimed.
#[derive(Clone, Copy, Debug)]
enum Rule {
    KillSwitch,
    DoNotCall,
    Pause,
}

const RULES: [Rule; 3] = [Rule::KillSwitch, Rule::DoNotCall, Rule::Pause];

async fn set(rule: Rule, tx: &mut Tx, client: i64, queue: i64) {
    match rule {
        Rule::KillSwitch => {
            settings::set(tx, &KillSwitch { engaged: true, reason: None }, NOW).await.unwrap();
        }
        Rule::DoNotCall => {
            do_not_call::add(tx, PLATFORM, &[("491".into(), None)], NOW).await.unwrap();
        }
        Rule::Pause => {
            queues::update(tx, client, queue, PAUSE, NOW).await.unwrap().unwrap();
        }
    }
}

/// Starts a lane's commit that claims the queue's calls.
async fn claiming(store: &Store, lane: &LaneRef, queue: i64) -> JoinHandle<HashSet<CallId>> {
    let checks = Checks { numbers: vec!["491".into()], ..Checks::default() };
    let claims: Vec<Claim> =
        due(store, queue).await.iter().map(|call| Claim { checks: checks.clone(), ..claim(call) }).collect();
    assert!(!claims.is_empty());
    let (db, lane) = (store.db.clone(), lane.clone());
    let group = Group { claims, ..Group::default() };
    tokio::spawn(async move { commit(&db, &lane, 1, &group).await.unwrap() })
}

/// Waits until this many sessions wait for a lock, or until the task has ended without waiting.
async fn waiting_or_over<T>(store: &Store, sessions: i64, task: &JoinHandle<T>) {
    #[derive(diesel::QueryableByName)]
    struct Waiting {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let Conn::Postgres(mut conn) = store.db.read().await.unwrap() else { panic!("PostgreSQL") };
    let waiting = "SELECT COUNT(*) AS count FROM pg_stat_activity \
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait::until_async("a session waits for a lock", async || {
        let found: Waiting = diesel::sql_query(waiting).get_result(&mut conn).await.unwrap();
        (found.count >= sessions || task.is_finished()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_being_set_is_not_overlooked_by_a_claim() {
    for rule in RULES {
        let Some(store) = Store::postgres().await else { return };
        let id = store.queue(1, 2).await;
        let lane = store.lane("a").await.unwrap();
        let mut tx = store.tx().await;
        set(rule, &mut tx, store.client, id).await;
        let claiming = claiming(&store, &lane, id).await;
        waiting_or_over(&store, 1, &claiming).await;
        tx.commit().await.unwrap();
        assert!(claiming.await.unwrap().is_empty(), "{rule:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_not_set_before_the_claims_that_overlook_it_are_committed() {
    for rule in RULES {
        let Some(store) = Store::postgres().await else { return };
        let id = store.queue(1, 2).await;
        let lane = store.lane("a").await.unwrap();
        // The session that numbers events blocks all others, which stops a lane in the middle of its commit.
        let mut numbering = store.tx().await;
        let note = NewEvent::of_queue(EventKind::Note, store.client, id, NOW);
        events::append(&mut numbering, vec![note]).await.unwrap();
        let claiming = claiming(&store, &lane, id).await;
        waiting_or_over(&store, 1, &claiming).await;
        let (db, client) = (store.db.clone(), store.client);
        let setting = tokio::spawn(async move {
            let mut tx = db.begin().await.unwrap();
            set(rule, &mut tx, client, id).await;
            tx.commit().await.unwrap();
        });
        waiting_or_over(&store, 2, &setting).await;
        assert!(!setting.is_finished(), "{rule:?} was answered before the claims were committed");
        numbering.commit().await.unwrap();
        assert_eq!(claiming.await.unwrap().len(), 2, "{rule:?}");
        setting.await.unwrap();
    }
}

/// Sets `retry: false` as the API does.
async fn give_up(store: &Store, id: i64) {
    let mut tx = store.tx().await;
    let queue = queues::update(&mut tx, store.client, id, GIVE_UP, NOW).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    retries::apply(&store.db, &queue, NOW, || 0.5).await.unwrap();
}

async fn a_call_that_ends_after_retry_false_is_not_tried_again(store: Store) {
    let id = store.queue(1, 3).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, id).await;
    give_up(&store, id).await;
    // The lane still has the old rule.
    let again = Some(Millis(NOW.0 + 1000));
    let ends = [(Outcome::Busy, again), (Outcome::Unknown, again), (Outcome::Answered, None)];
    let changes = claims.iter().zip(ends).flat_map(|(claim, (outcome, next))| course(claim, outcome, next));
    commit(&store.db, &lane, 2, &Group { changes: changes.collect(), ..Group::default() }).await.unwrap();
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.retrying, queue.failed, queue.unknown, queue.completed), (0, 1, 1, 1));
    assert_eq!(queue.status, QueueStatus::Completed.code());
    assert!(due(&store, id).await.is_empty());
    let seen = kinds(&store).await;
    assert_eq!(seen.iter().filter(|kind| **kind == EventKind::Ended as i16).count(), 3);
    assert_eq!(seen.last(), Some(&(EventKind::QueueUpdated as i16)));
}

async fn a_withdrawn_further_try_of_a_queue_that_gave_up_ends(store: Store) {
    let id = store.queue(1, 2).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, id).await;
    let changes = vec![ended(&claims[0], CallStatus::Dialing, Outcome::NoAnswer, Some(Millis(NOW.0 - 1)))];
    let withdrawn = vec![withdrawal(claims[1].clone())];
    commit(&store.db, &lane, 2, &Group { changes, withdrawn, ..Group::default() }).await.unwrap();
    let claims = claim_all(&store, &lane, 3, id).await;
    assert_eq!(claims.len(), 2);
    give_up(&store, id).await;
    let withdrawn = claims.into_iter().map(withdrawal).collect();
    commit(&store.db, &lane, 4, &Group { withdrawn, ..Group::default() }).await.unwrap();
    let queue = queue_of(&store, id).await;
    assert_eq!(
        (queue.queued, queue.retrying, queue.failed),
        (1, 0, 1),
        "calls other than those before their first try still wait"
    );
}
