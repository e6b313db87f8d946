//! Tests how a changed retry rule affects calls that have ended or wait already, and the rules themselves.

use trunkline::domain::commit::Group;
use trunkline::domain::event_kind::EventKind;
use trunkline::domain::queue_rules::QueueRules;
use trunkline::domain::retry::{Failure, RetryRule, Tally};
use trunkline::domain::status::{CallStatus, Outcome, QueueStatus};
use trunkline::domain::time::Millis;
use trunkline::domain::window::{Window, Windows};
use trunkline::store::batches::BatchResult;
use trunkline::store::events;
use trunkline::store::journal::commit;
use trunkline::store::queues::QueueUpdate;
use trunkline::store::{call_lists, queue_rules, queues, retries};

use super::conformance::{claim_all, due, ended, kinds, queue_of, update};
use super::engines::on_both_engines;
use super::store::{NOW, Store};

on_both_engines!(
    every_failed_call_of_a_large_queue_is_tried_again_once,
    a_rule_that_is_changed_again_meanwhile_decides,
    a_failure_with_a_rule_of_its_own_comes_back_by_that_rule,
    an_items_own_rule_goes_before_the_queues,
    giving_up_leaves_calls_in_doubt_unknown,
    attempts_are_tallied_by_outcome,
    rules_are_read_as_they_were_set,
    rules_of_a_foreign_queue_are_none,
);

const RETRY: QueueUpdate = QueueUpdate { status: None, retry: Some(true), retry_count: Some(1), retry_gap: Some(0) };

/// Makes a queue whose calls have all ended with these outcomes and are not tried again.
async fn failed(store: &Store, calls: usize, outcome: Outcome) -> i64 {
    let id = store.queue(1, calls.min(1000)).await;
    for batch in 1..calls.div_ceil(1000) {
        let rest = (calls - batch * 1000).min(1000);
        store.insert(1 + i64::try_from(batch).unwrap(), Some(id), rest).await;
    }
    let lane = store.lane("a").await.unwrap();
    for number in 0..calls.div_ceil(1000) {
        let number = i64::try_from(number).unwrap() * 2 + 1;
        let claims = claim_all(store, &lane, number, id).await;
        let changes = claims.iter().map(|claim| ended(claim, CallStatus::Dialing, outcome, None)).collect();
        commit(&store.db, &lane, number + 1, &Group { changes, ..Group::default() }).await.unwrap();
    }
    id
}

async fn set(store: &Store, id: i64, rules: &QueueRules) {
    let mut tx = store.tx().await;
    let seen = queue_rules::set(&mut tx, store.client, id, rules, NOW).await.unwrap().unwrap();
    events::append(&mut tx, vec![seen]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn every_failed_call_of_a_large_queue_is_tried_again_once(store: Store) {
    let id = failed(&store, 2500, Outcome::Busy).await;
    assert_eq!(queue_of(&store, id).await.status, QueueStatus::Completed.code());
    let queue = update(&store, id, RETRY).await;
    assert_eq!((queue.failed, queue.retrying, queue.status), (0, 2500, QueueStatus::InProgress.code()));
    let seen = kinds(&store).await.iter().filter(|kind| **kind == EventKind::Retrying as i16).count();
    assert_eq!(seen, 2500);
    let all = events::after(&mut store.db.read().await.unwrap(), 0, 10_000).await.unwrap();
    let reopened: Vec<i16> =
        all.iter().filter_map(|event| Some(event.facts.as_ref()?.0.queue.as_deref()?.status)).collect();
    let (completed, in_progress) = (QueueStatus::Completed.code(), QueueStatus::InProgress.code());
    assert_eq!(reopened, [completed, in_progress], "an event says that the queue is dialed again");
    // The same change again finds nothing to do.
    assert_eq!(update(&store, id, RETRY).await.retrying, 2500);
    let queue = update(&store, id, QueueUpdate { retry: Some(false), ..QueueUpdate::default() }).await;
    assert_eq!((queue.failed, queue.retrying, queue.status), (2500, 0, QueueStatus::Completed.code()));
}

async fn a_rule_that_is_changed_again_meanwhile_decides(store: Store) {
    let id = failed(&store, 3, Outcome::Busy).await;
    let mut tx = store.tx().await;
    let earlier = queues::update(&mut tx, store.client, id, RETRY, NOW).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    update(&store, id, QueueUpdate { retry: Some(false), ..QueueUpdate::default() }).await;
    retries::apply(&store.db, &earlier, NOW, || 0.5).await.unwrap();
    assert_eq!(queue_of(&store, id).await.failed, 3);
}

async fn a_failure_with_a_rule_of_its_own_comes_back_by_that_rule(store: Store) {
    let id = failed(&store, 1, Outcome::Congestion).await;
    let rule =
        RetryRule { outcome: Failure::Congestion, max_retries: Some(3), delay: Some(100), backoff: 1.0, jitter: 0.5 };
    set(&store, id, &QueueRules { retry_rules: vec![rule], ..QueueRules::default() }).await;
    assert_eq!(queue_of(&store, id).await.failed, 1, "the rules alone moved a call that had ended");
    let mut tx = store.tx().await;
    let queue = queues::update(&mut tx, store.client, id, RETRY, NOW).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    retries::apply(&store.db, &queue, NOW, || 1.0).await.unwrap();
    let mut conn = store.db.read().await.unwrap();
    let (calls, _) = call_lists::page(&mut conn, &queue, Default::default(), 0, 1).await.unwrap();
    assert_eq!((calls[0].status, calls[0].due_at), (CallStatus::Retrying.code(), NOW.0 + 150_000));
}

async fn an_items_own_rule_goes_before_the_queues(store: Store) {
    let mut new = store.batch(1, None, 2);
    let none = RetryRule { outcome: Failure::Busy, max_retries: Some(0), delay: None, backoff: 1.0, jitter: 0.0 };
    new.calls[0].spec.retry_rules = vec![none];
    let BatchResult::Stored { queue_id: id } = store.insert_batch(&new).await else { panic!("stored") };
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, id).await;
    let changes = claims.iter().map(|claim| ended(claim, CallStatus::Dialing, Outcome::Busy, None)).collect();
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    update(&store, id, RETRY).await;
    let due: Vec<i64> = due(&store, id).await.iter().map(|call| call.position).collect();
    assert_eq!(due, [2]);
}

async fn giving_up_leaves_calls_in_doubt_unknown(store: Store) {
    let id = failed(&store, 2, Outcome::Unknown).await;
    assert_eq!(update(&store, id, RETRY).await.unknown, 2, "a call with an unknown outcome was tried again");
    set(&store, id, &QueueRules { at_least_once: true, ..QueueRules::default() }).await;
    let queue = update(&store, id, RETRY).await;
    assert_eq!((queue.unknown, queue.retrying), (0, 2));
    let queue = update(&store, id, QueueUpdate { retry: Some(false), ..QueueUpdate::default() }).await;
    assert_eq!((queue.unknown, queue.failed, queue.retrying), (2, 0, 0));
}

async fn attempts_are_tallied_by_outcome(store: Store) {
    let id = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let mut number = 0;
    for outcome in [Outcome::Busy, Outcome::NoAnswer, Outcome::Busy, Outcome::Unknown] {
        let claims = claim_all(&store, &lane, number + 1, id).await;
        let changes = vec![ended(&claims[0], CallStatus::Dialing, outcome, Some(Millis(NOW.0 - 1)))];
        commit(&store.db, &lane, number + 2, &Group { changes, ..Group::default() }).await.unwrap();
        number += 2;
    }
    let tally = Tally(due(&store, id).await[0].tally);
    let counts = [Outcome::Busy, Outcome::NoAnswer, Outcome::Failed, Outcome::Unknown].map(|outcome| tally.of(outcome));
    assert_eq!(counts, [2, 1, 0, 1]);
}

async fn rules_are_read_as_they_were_set(store: Store) {
    let id = store.queue(1, 1).await;
    let read = async || queue_rules::get(&mut store.db.read().await.unwrap(), store.client, id).await.unwrap().unwrap();
    assert_eq!(read().await, QueueRules::default());
    let window = Window { days: vec![1, 5], from: 540, to: 1440 };
    let rules = QueueRules {
        priority: 9,
        weight: 100,
        max_live_calls: Some(7),
        max_call_seconds: Some(60),
        calls_per_second: Some(0.5),
        retry_rules: vec![RetryRule {
            outcome: Failure::NoAnswer,
            max_retries: None,
            delay: Some(1),
            backoff: 1.5,
            jitter: 0.25,
        }],
        windows: Some(Windows { time_zone: Some("Europe/Berlin".into()), windows: vec![window] }),
        at_least_once: true,
    };
    set(&store, id, &rules).await;
    assert_eq!(read().await, rules);
    assert_eq!(queue_of(&store, id).await.retries().unwrap().rules, rules.retry_rules);
    let last = events::after(&mut store.db.read().await.unwrap(), 0, 100).await.unwrap().pop().unwrap();
    assert_eq!((last.kind, last.detail.as_deref()), (EventKind::QueueUpdated as i16, Some("rules")));
    // The rules are replaced as a whole, so that an absent one is removed.
    set(&store, id, &QueueRules::default()).await;
    assert_eq!(read().await, QueueRules::default());
}

async fn rules_of_a_foreign_queue_are_none(store: Store) {
    let id = store.queue(1, 1).await;
    let other = store.another_client().await;
    assert!(queue_rules::get(&mut store.db.read().await.unwrap(), other, id).await.unwrap().is_none());
    let mut tx = store.tx().await;
    let rules = QueueRules { weight: 7, ..QueueRules::default() };
    assert!(queue_rules::set(&mut tx, other, id, &rules, NOW).await.unwrap().is_none());
    tx.commit().await.unwrap();
    let own = queue_rules::get(&mut store.db.read().await.unwrap(), store.client, id).await.unwrap().unwrap();
    assert_eq!(own.weight, 1);
}
