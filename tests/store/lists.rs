//! Tests lists of queues and calls: every page by every filter, its order, and the count.

use trunkline::domain::commit::{Change, Group, What};
use trunkline::domain::status::{CallStatus, Outcome, QueueKind, QueueStatus};
use trunkline::domain::time::Millis;
use trunkline::store::batches::{BatchResult, NewQuickCall, insert_quick};
use trunkline::store::call_lists::{self, CallFilter};
use trunkline::store::journal::commit;
use trunkline::store::new_queues;
use trunkline::store::page_start::PageStart::{self, After};
use trunkline::store::queues::{self, QueueFilter, QueueUpdate};

use super::conformance::{course, due, queue_of, update};
use super::engines::on_both_engines;
use super::store::{NOW, Store, claim, new_call};

on_both_engines!(
    pages_follow_the_order_of_insertion,
    the_calls_of_a_batch_stand_side_by_side,
    calls_are_found_by_status_outcome_and_number,
    live_calls_are_found_through_their_attempts,
    queues_are_paged_by_their_numbers_newest_first,
    queues_are_found_by_kind_and_status,
);

/// Returns the positions on a page and the count.
async fn page(
    store: &Store,
    id: i64,
    filter: CallFilter<'_>,
    start: impl Into<PageStart>,
    limit: i64,
) -> (Vec<i64>, i64) {
    let queue = queue_of(store, id).await;
    let mut conn = store.db.read().await.unwrap();
    let (calls, count) = call_lists::page(&mut conn, &queue, filter, start, limit).await.unwrap();
    (calls.iter().map(|call| call.position).collect(), count)
}

async fn pages_follow_the_order_of_insertion(store: Store) {
    let id = store.queue(1, 30).await;
    assert!(matches!(store.insert(2, Some(id), 20).await, BatchResult::Stored { .. }));
    let mut positions = Vec::new();
    for number in 0..4 {
        let (page, count) = page(&store, id, CallFilter::default(), number * 15, 15).await;
        assert_eq!(count, 50);
        positions.extend(page);
    }
    assert_eq!(positions, (1..=50).collect::<Vec<i64>>());
    let queued = CallFilter { status: Some(CallStatus::Queued), ..CallFilter::default() };
    assert_eq!(page(&store, id, queued, 45, 10).await, (vec![46, 47, 48, 49, 50], 50));
    assert_eq!(page(&store, id, CallFilter::default(), i64::MAX - 5, 1000).await, (vec![], 50));
}

async fn the_calls_of_a_batch_stand_side_by_side(store: Store) {
    let id = store.queue(1, 3).await;
    store.insert(2, Some(id), 4).await;
    store.insert(3, None, 2).await;
    let of = |batch_id| CallFilter { batch_id: Some(batch_id), ..CallFilter::default() };
    assert_eq!(page(&store, id, of(2), 0, 10).await, (vec![4, 5, 6, 7], 4));
    assert_eq!(page(&store, id, of(2), 3, 2).await, (vec![7], 4));
    assert_eq!(page(&store, id, of(2), 4, 2).await, (vec![], 4));
    assert_eq!(page(&store, id, of(3), 0, 10).await, (vec![], 0), "the batch is in another queue");
    assert_eq!(page(&store, id, of(9), 0, 10).await, (vec![], 0));
    let both = CallFilter { status: Some(CallStatus::Queued), ..of(2) };
    assert_eq!(page(&store, id, both, 1, 2).await, (vec![5, 6], 4));
    assert_eq!(page(&store, id, both, After(5), 10).await, (vec![6, 7], 4));
    assert_eq!(page(&store, id, of(2), After(1), 2).await, (vec![4, 5], 4), "a batch begins where it begins");
    assert_eq!(page(&store, id, of(2), After(6), 2).await, (vec![7], 4));
    let all = CallFilter::default();
    assert_eq!(page(&store, id, all, After(2), 2).await, (vec![3, 4], 7));
    assert_eq!(page(&store, id, all, After(i64::MAX), 2).await, (vec![], 7));
}

async fn calls_are_found_by_status_outcome_and_number(store: Store) {
    let mut new = store.batch(1, None, 4);
    for (call, number) in new.calls.iter_mut().zip([Some(7), Some(8), None, Some(7)]) {
        call.contact_number = number;
    }
    let BatchResult::Stored { queue_id: id } = store.insert_batch(&new).await else { panic!("stored") };
    let lane = store.lane("a").await.unwrap();
    let claims: Vec<_> = due(&store, id).await.iter().take(3).map(claim).collect();
    commit(&store.db, &lane, 1, &Group { claims: claims.clone(), ..Group::default() }).await.unwrap();
    let ends = [(Outcome::Busy, None), (Outcome::Busy, Some(Millis(NOW.0 + 1))), (Outcome::Answered, None)];
    let changes = claims.iter().zip(ends).flat_map(|(claim, (outcome, next))| course(claim, outcome, next));
    commit(&store.db, &lane, 2, &Group { changes: changes.collect(), ..Group::default() }).await.unwrap();

    let status = |status| CallFilter { status: Some(status), ..CallFilter::default() };
    for (at, positions) in [
        (CallStatus::Failed, vec![1]),
        (CallStatus::Retrying, vec![2]),
        (CallStatus::Completed, vec![3]),
        (CallStatus::Queued, vec![4]),
        (CallStatus::Expired, vec![]),
    ] {
        let count = i64::try_from(positions.len()).unwrap();
        assert_eq!(page(&store, id, status(at), 0, 10).await, (positions, count), "{at:?}");
    }
    let busy = CallFilter { outcome: Some(Outcome::Busy), ..CallFilter::default() };
    assert_eq!(page(&store, id, busy, 0, 1).await, (vec![1], 2));
    assert_eq!(page(&store, id, busy, 1, 1).await, (vec![2], 2));
    let seven = CallFilter { contact_numbers: &[7], ..CallFilter::default() };
    assert_eq!(page(&store, id, seven, 0, 10).await, (vec![1, 4], 2));
    let either = CallFilter { contact_numbers: &[7, 8], ..CallFilter::default() };
    assert_eq!(page(&store, id, either, 0, 10).await, (vec![1, 2, 4], 3));
    let all_at_once = CallFilter { status: Some(CallStatus::Failed), batch_id: Some(1), ..seven };
    let all_at_once = CallFilter { outcome: Some(Outcome::Busy), ..all_at_once };
    assert_eq!(page(&store, id, all_at_once, 0, 10).await, (vec![1], 1));
}

async fn live_calls_are_found_through_their_attempts(store: Store) {
    let (id, other) = (store.queue(1, 4).await, store.queue(2, 1).await);
    let lane = store.lane("a").await.unwrap();
    let mut claims: Vec<_> = due(&store, id).await.iter().take(3).map(claim).collect();
    claims.push(claim(&due(&store, other).await[0]));
    commit(&store.db, &lane, 1, &Group { claims: claims.clone(), ..Group::default() }).await.unwrap();
    let rings = What::Moved { from: CallStatus::Dialing, to: CallStatus::Ringing };
    let changes = vec![Change { call: claims[1].call, attempt: claims[1].attempt, number: 1, at: NOW, what: rings }];
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    let at = |status| CallFilter { status: Some(status), ..CallFilter::default() };
    assert_eq!(page(&store, id, at(CallStatus::Dialing), 0, 10).await, (vec![1, 3], 2));
    assert_eq!(page(&store, id, at(CallStatus::Dialing), 1, 10).await, (vec![3], 2));
    assert_eq!(page(&store, id, at(CallStatus::Ringing), 0, 10).await, (vec![2], 1));
    assert_eq!(page(&store, id, at(CallStatus::Answered), 0, 10).await, (vec![], 0));
}

/// Returns the ids on a page and the count.
async fn listed(store: &Store, filter: QueueFilter, start: impl Into<PageStart>, limit: i64) -> (Vec<i64>, i64) {
    let mut conn = store.db.read().await.unwrap();
    let (queues, count) = queues::list(&mut conn, store.client, filter, start, limit).await.unwrap();
    (queues.iter().map(|queue| queue.id).collect(), count)
}

async fn queues_are_paged_by_their_numbers_newest_first(store: Store) {
    let other = store.another_client().await;
    let mut ids = Vec::new();
    for batch in 1..=5 {
        ids.push(store.queue(batch, 1).await);
        // Queues of other clients lie between them and leave no gap.
        let mut tx = store.tx().await;
        new_queues::create(&mut tx, other, QueueKind::Bulk, NOW).await.unwrap();
        tx.commit().await.unwrap();
    }
    ids.reverse();
    let all = QueueFilter::default();
    assert_eq!(listed(&store, all.clone(), 0, 2).await, (ids[..2].to_vec(), 5));
    assert_eq!(listed(&store, all.clone(), 2, 2).await, (ids[2..4].to_vec(), 5));
    assert_eq!(listed(&store, all.clone(), 4, 2).await, (ids[4..].to_vec(), 5));
    assert_eq!(listed(&store, all.clone(), 6, 2).await, (vec![], 5));
    for filter in [all, QueueFilter { kind: Some(QueueKind::Bulk), ..QueueFilter::default() }] {
        assert_eq!(listed(&store, filter.clone(), After(ids[1]), 2).await, (ids[2..4].to_vec(), 5));
        assert_eq!(listed(&store, filter.clone(), After(ids[4]), 2).await, (vec![], 5));
        assert_eq!(listed(&store, filter, After(ids[4] + 1), 2).await, (vec![], 5), "it is another client's");
    }
    let mut conn = store.db.read().await.unwrap();
    let (page, _) = queues::list_all(&mut conn, QueueFilter::default(), After(ids[0]), 2).await.unwrap();
    assert!(page.iter().all(|queue| queue.id < ids[0]) && page.len() == 2);
}

async fn queues_are_found_by_kind_and_status(store: Store) {
    let (first, second) = (store.queue(1, 1).await, store.queue(2, 1).await);
    let mut tx = store.tx().await;
    let quick = NewQuickCall { client_id: store.client, call: new_call(), idempotency: None };
    insert_quick(&mut tx, &quick, NOW).await.unwrap();
    tx.commit().await.unwrap();
    update(&store, first, QueueUpdate { status: Some(QueueStatus::Paused), ..QueueUpdate::default() }).await;
    let bulk = QueueFilter { kind: Some(QueueKind::Bulk), ..QueueFilter::default() };
    assert_eq!(listed(&store, bulk.clone(), 0, 10).await, (vec![second, first], 2));
    assert_eq!(listed(&store, bulk, 1, 10).await, (vec![first], 2));
    let paused = QueueFilter { status: Some(QueueStatus::Paused), ..QueueFilter::default() };
    assert_eq!(listed(&store, paused.clone(), 0, 10).await, (vec![first], 1));
    let both = QueueFilter { kind: Some(QueueKind::Quick), ..paused };
    assert_eq!(listed(&store, both, 0, 10).await, (vec![], 0));
    assert_eq!(
        listed(&store, QueueFilter { kind: Some(QueueKind::Quick), ..QueueFilter::default() }, 0, 10).await.1,
        1
    );
}
