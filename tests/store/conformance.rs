//! Tests what the rest of Trunkline relies on in the store, for both engines.

use std::collections::HashSet;
use std::time::Duration;

use trunkline::domain::commit::{Change, Claim, Expiry, Group, What};
use trunkline::domain::event_kind::EventKind;
use trunkline::domain::status::{CallStatus, Outcome, QueueStatus};
use trunkline::domain::time::Millis;
use trunkline::store::batches::{BatchResult, NewQuickCall, QuickResult, insert_quick};
use trunkline::store::call_lists::CallFilter;
use trunkline::store::events::Filter;
use trunkline::store::journal::{LaneRef, commit};
use trunkline::store::lanes::Place;
use trunkline::store::new_queues::{self, NewQueue};
use trunkline::store::queues::{QueueFilter, QueueUpdate};
use trunkline::store::streams::{self, StreamResult};
use trunkline::store::{StoreError, call_lists, calls, events, lanes, leases, queues, retries, servers};

use super::engines::on_both_engines;
use super::store::{NOW, SERVER, Store, claim, new_call, withdrawal};

on_both_engines!(
    a_batch_is_stored_whole_and_counted,
    the_same_batch_is_a_replay_and_another_content_is_not,
    two_identical_batches_at_once_are_stored_once,
    a_transaction_that_is_dropped_leaves_nothing,
    a_foreign_queue_is_none,
    a_quick_calls_own_queue_takes_no_batch_and_no_stream,
    what_a_client_completed_takes_no_more_calls,
    a_queue_completes_by_itself_and_reopens,
    a_claim_is_granted_once_and_only_as_read,
    a_paused_queue_grants_no_claim,
    a_whole_life_moves_counters_and_tells_each_step,
    a_group_that_is_committed_twice_counts_once,
    a_late_owner_changes_nothing,
    a_withdrawn_claim_leaves_no_attempt,
    a_deadline_expires_calls_and_tells_it,
    a_retry_rule_revives_what_failed_and_gives_up_what_waits,
    events_are_numbered_in_the_order_in_which_they_become_visible,
    a_quick_call_is_replayed_by_its_key,
    servers_show_their_lane,
);

pub async fn queue_of(store: &Store, id: i64) -> queues::Queue {
    queues::get(&mut store.db.read().await.unwrap(), store.client, id).await.unwrap().unwrap()
}

pub async fn due(store: &Store, queue: i64) -> Vec<calls::Call> {
    let place = Place { server: SERVER, queue_id: queue, time_zone: "" };
    lanes::due(&mut store.db.read().await.unwrap(), place, None, NOW, 1000).await.unwrap()
}

pub async fn claim_all(store: &Store, lane: &LaneRef, number: i64, queue: i64) -> Vec<Claim> {
    let claims: Vec<Claim> = due(store, queue).await.iter().map(claim).collect();
    let group = Group { claims: claims.clone(), ..Group::default() };
    assert_eq!(commit(&store.db, lane, number, &group).await.unwrap().len(), claims.len());
    claims
}

pub fn change(claim: &Claim, what: What) -> Change {
    Change { call: claim.call, attempt: claim.attempt, number: claim.number, at: NOW, what }
}

pub fn ended(claim: &Claim, from: CallStatus, outcome: Outcome, next_try: Option<Millis>) -> Change {
    let billable_seconds = (outcome == Outcome::Answered).then_some(7);
    let (began, details) = (claim.at, claim.details.clone());
    change(claim, What::Ended { from, outcome, cause: Some(16), billable_seconds, next_try, began, details })
}

/// Makes the changes of a dialing call whose attempt ends with an outcome; an answered call is answered before it ends.
pub fn course(claim: &Claim, outcome: Outcome, next_try: Option<Millis>) -> Vec<Change> {
    let (dialing, answered) = (CallStatus::Dialing, CallStatus::Answered);
    if outcome != Outcome::Answered {
        return vec![ended(claim, dialing, outcome, next_try)];
    }
    vec![change(claim, What::Moved { from: dialing, to: answered }), ended(claim, answered, outcome, next_try)]
}

/// Selects a page of a queue's calls without a filter.
pub async fn page(store: &Store, id: i64, offset: i64, limit: i64) -> Vec<calls::Call> {
    let queue = queue_of(store, id).await;
    let mut conn = store.db.read().await.unwrap();
    call_lists::page(&mut conn, &queue, CallFilter::default(), offset, limit).await.unwrap().0
}

pub async fn kinds(store: &Store) -> Vec<i16> {
    let all = events::after(&mut store.db.read().await.unwrap(), 0, 10_000).await.unwrap();
    all.iter().map(|event| event.kind).collect()
}

async fn a_batch_is_stored_whole_and_counted(store: Store) {
    let id = store.queue(1, 1000).await;
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.total_calls, queue.queued, queue.status), (1000, 1000, QueueStatus::InProgress.code()));
    let mut conn = store.db.read().await.unwrap();
    let page = page(&store, id, 0, 1).await.remove(0);
    assert_eq!(page.contact_number, Some(9_007_199_254_740_993));
    assert_eq!(page.originate_spec().unwrap(), new_call().spec);
    let (listed, count) = queues::list(&mut conn, store.client, QueueFilter::default(), 0, 10).await.unwrap();
    assert_eq!((listed.len(), count), (1, 1));
    assert_eq!(queues::batches_of(&mut conn, &[id], 10).await.unwrap(), [(id, vec![1])]);
    assert_eq!(kinds(&store).await, [EventKind::BatchInserted as i16]);
}

async fn the_same_batch_is_a_replay_and_another_content_is_not(store: Store) {
    let id = store.queue(7, 2).await;
    let again = store.insert(7, None, 2).await;
    assert!(matches!(&again, BatchResult::Replayed { queue_id, inserted_count: 2, warnings } if *queue_id == id
        && warnings == &["w"]));
    assert!(matches!(store.insert(7, None, 3).await, BatchResult::OtherContent { queue_id } if queue_id == id));
    assert_eq!(queue_of(&store, id).await.total_calls, 2);
}

async fn two_identical_batches_at_once_are_stored_once(store: Store) {
    let new = store.batch(1, None, 50);
    let (one, other) = tokio::join!(store.insert_batch(&new), store.insert_batch(&new));
    let stored = [&one, &other].iter().filter(|result| matches!(result, BatchResult::Stored { .. })).count();
    assert_eq!(stored, 1, "{one:?} {other:?}");
    let mut conn = store.db.read().await.unwrap();
    let (_, count) = queues::list(&mut conn, store.client, QueueFilter::default(), 0, 10).await.unwrap();
    assert_eq!(count, 1);
}

async fn a_transaction_that_is_dropped_leaves_nothing(store: Store) {
    let mut tx = store.tx().await;
    new_queues::create(&mut tx, store.client, trunkline::domain::status::QueueKind::Bulk, NOW).await.unwrap();
    drop(tx);
    let mut conn = store.db.read().await.unwrap();
    let (listed, count) = queues::list(&mut conn, store.client, QueueFilter::default(), 0, 10).await.unwrap();
    assert_eq!((listed.len(), count), (0, 0));
    drop(conn);
    // The connection that was closed blocks no other.
    store.queue(1, 1).await;
}

async fn a_foreign_queue_is_none(store: Store) {
    let id = store.queue(1, 1).await;
    let other = store.another_client().await;
    let mut conn = store.db.read().await.unwrap();
    assert!(queues::get(&mut conn, other, id).await.unwrap().is_none());
    let call = page(&store, id, 0, 1).await.remove(0);
    assert!(calls::get(&mut conn, Some(other), call.id.into()).await.unwrap().is_none());
    drop(conn);
    let mut foreign = store.batch(9, Some(id), 1);
    foreign.client_id = other;
    assert!(matches!(store.insert_batch(&foreign).await, BatchResult::NoSuchQueue));
    assert!(matches!(store.insert(9, Some(12_345), 1).await, BatchResult::NoSuchQueue));
}

async fn a_quick_calls_own_queue_takes_no_batch_and_no_stream(store: Store) {
    let new = NewQuickCall { client_id: store.client, call: new_call(), idempotency: None };
    let mut tx = store.tx().await;
    let quick = insert_quick(&mut tx, &new, NOW).await.unwrap();
    tx.commit().await.unwrap();
    let Some(QuickResult::Stored { queue_id }) = quick else { panic!("{quick:?}") };
    assert!(matches!(store.insert(1, Some(queue_id), 2).await, BatchResult::QuickQueue));
    let mut tx = store.tx().await;
    let begun = streams::begin(&mut tx, store.client, "s", Some(queue_id), &NewQueue::default(), NOW).await.unwrap();
    assert_eq!(begun, Some(StreamResult::QuickQueue));
    drop(tx);
    let queue = queue_of(&store, queue_id).await;
    assert_eq!((queue.total_calls, queue.queued), (1, 1));
}

pub async fn update(store: &Store, id: i64, update: QueueUpdate) -> queues::Queue {
    let mut tx = store.tx().await;
    let queue = queues::update(&mut tx, store.client, id, update, NOW).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    retries::apply(&store.db, &queue, NOW, || 0.5).await.unwrap();
    queue_of(store, id).await
}

async fn what_a_client_completed_takes_no_more_calls(store: Store) {
    let id = store.queue(1, 1).await;
    let completed = QueueUpdate { status: Some(QueueStatus::Completed), ..QueueUpdate::default() };
    assert!(update(&store, id, completed).await.completed_by_client);
    assert!(matches!(store.insert(2, Some(id), 1).await, BatchResult::QueueCompleted));
    assert_eq!(queue_of(&store, id).await.total_calls, 1);
    update(&store, id, QueueUpdate { status: Some(QueueStatus::InProgress), ..QueueUpdate::default() }).await;
    assert!(matches!(store.insert(2, Some(id), 1).await, BatchResult::Stored { .. }));
}

async fn a_queue_completes_by_itself_and_reopens(store: Store) {
    let id = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, id).await;
    let changes = vec![ended(&claims[0], CallStatus::Dialing, Outcome::Busy, None)];
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.status, queue.completed_by_client), (QueueStatus::Completed.code(), false));
    assert!(matches!(store.insert(2, Some(id), 1).await, BatchResult::Stored { .. }));
    assert_eq!(queue_of(&store, id).await.status, QueueStatus::InProgress.code());
}

async fn a_claim_is_granted_once_and_only_as_read(store: Store) {
    let id = store.queue(1, 2).await;
    let lane = store.lane("a").await.unwrap();
    let read = due(&store, id).await;
    let claims: Vec<Claim> = read.iter().map(claim).collect();
    let group = Group { claims: claims.clone(), ..Group::default() };
    assert_eq!(commit(&store.db, &lane, 1, &group).await.unwrap().len(), 2);
    // Both fail at once and wait for another try, so that a claim by the earlier state is out of date.
    let changes = claims.iter().map(|claim| ended(claim, CallStatus::Dialing, Outcome::Busy, Some(NOW))).collect();
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    let stale = Group { claims: read.iter().map(claim).collect(), ..Group::default() };
    assert!(commit(&store.db, &lane, 3, &stale).await.unwrap().is_empty());
    assert_eq!(claim_all(&store, &lane, 4, id).await[0].number, 2);
}

async fn a_paused_queue_grants_no_claim(store: Store) {
    let id = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claims: Vec<Claim> = due(&store, id).await.iter().map(claim).collect();
    update(&store, id, QueueUpdate { status: Some(QueueStatus::Paused), ..QueueUpdate::default() }).await;
    let group = Group { claims, ..Group::default() };
    assert!(commit(&store.db, &lane, 1, &group).await.unwrap().is_empty());
    assert!(lanes::runnable(&mut store.db.read().await.unwrap(), SERVER, NOW).await.unwrap().is_empty());
    assert_eq!(queue_of(&store, id).await.queued, 1);
}

async fn a_whole_life_moves_counters_and_tells_each_step(store: Store) {
    let id = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claimed = claim_all(&store, &lane, 1, id).await.remove(0);
    assert_eq!(queue_of(&store, id).await.dialing, 1);
    let live = lanes::live_attempts(&mut store.db.read().await.unwrap(), SERVER).await.unwrap();
    assert_eq!((live.len(), live[0].0.channel_id.clone()), (1, claimed.channel_id.clone()));
    let (ringing, answered) = (CallStatus::Ringing, CallStatus::Answered);
    let recording = What::Told { kind: EventKind::RecordingStarted, status: answered, detail: Some("/r/a.wav".into()) };
    let changes = vec![
        change(&claimed, What::Moved { from: CallStatus::Dialing, to: ringing }),
        change(&claimed, What::Moved { from: ringing, to: answered }),
        change(&claimed, recording),
        ended(&claimed, answered, Outcome::Answered, None),
    ];
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.dialing, queue.ringing, queue.answered, queue.completed), (0, 0, 0, 1));
    let mut conn = store.db.read().await.unwrap();
    let call = calls::get(&mut conn, Some(store.client), claimed.call.id).await.unwrap().unwrap();
    assert_eq!((call.status, call.outcome), (CallStatus::Completed.code(), Some(Outcome::Answered.code())));
    assert_eq!((call.attempts, call.billable_seconds, call.hangup_cause), (1, Some(7), Some(16)));
    assert!(call.answered_at.is_some() && call.ended_at.is_some());
    let attempts = calls::attempts_of(&mut conn, claimed.call.id).await.unwrap();
    assert!(attempts[0].ringing_at.is_some() && attempts[0].ended_at.is_some());
    let timeline = events::of_call(&mut conn, Some(store.client), claimed.call.id).await.unwrap();
    let seen: Vec<i16> = timeline.iter().map(|event| event.kind).collect();
    use EventKind::{Answered, Dialing, Ended, RecordingStarted, Ringing};
    assert_eq!(seen, [Dialing, Ringing, Answered, RecordingStarted, Ended].map(|kind| kind as i16));
    assert!(lanes::live_attempts(&mut conn, SERVER).await.unwrap().is_empty());
}

async fn a_group_that_is_committed_twice_counts_once(store: Store) {
    let id = store.queue(1, 3).await;
    let lane = store.lane("a").await.unwrap();
    let claims: Vec<Claim> = due(&store, id).await.iter().map(claim).collect();
    let group = Group { claims: claims.clone(), ..Group::default() };
    let first = commit(&store.db, &lane, 1, &group).await.unwrap();
    assert_eq!(commit(&store.db, &lane, 1, &group).await.unwrap(), first);
    let changes = vec![ended(&claims[0], CallStatus::Dialing, Outcome::Busy, None)];
    let group = Group { changes, ..Group::default() };
    for _ in 0..2 {
        commit(&store.db, &lane, 2, &group).await.unwrap();
    }
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.queued, queue.dialing, queue.failed), (0, 2, 1));
    assert_eq!(kinds(&store).await.len(), 5);
}

async fn a_late_owner_changes_nothing(store: Store) {
    let id = store.queue(1, 1).await;
    let late = store.lane("a").await.unwrap();
    assert!(store.lane("b").await.is_none(), "another node took the lane before its lease ended");
    let again = store.lane("a").await.unwrap();
    assert!(again.epoch > late.epoch);
    let claims = due(&store, id).await.iter().map(claim).collect();
    let refused = commit(&store.db, &late, 1, &Group { claims, ..Group::default() }).await;
    assert!(matches!(refused, Err(StoreError::Fenced { .. })), "{refused:?}");
    assert_eq!(queue_of(&store, id).await.queued, 1);
    let mut tx = store.tx().await;
    assert!(!leases::renew(&mut tx, SERVER, late.epoch, Duration::from_secs(15), NOW).await.unwrap());
    leases::release(&mut tx, SERVER, again.epoch).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.lane("b").await.is_some(), "a released lane is not free");
}

async fn a_withdrawn_claim_leaves_no_attempt(store: Store) {
    let id = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, id).await;
    let call = claims[0].call.id;
    commit(&store.db, &lane, 2, &Group { withdrawn: claims.into_iter().map(withdrawal).collect(), ..Group::default() })
        .await
        .unwrap();
    let mut conn = store.db.read().await.unwrap();
    assert!(calls::attempts_of(&mut conn, call).await.unwrap().is_empty());
    let call = calls::get(&mut conn, None, call).await.unwrap().unwrap();
    assert_eq!((call.status, call.attempts), (CallStatus::Queued.code(), 0));
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.queued, queue.dialing), (1, 0));
}

async fn a_deadline_expires_calls_and_tells_it(store: Store) {
    let mut batch = store.batch(1, None, 3);
    batch.calls[1].deadline = Some(Millis(NOW.0 - 1));
    assert!(matches!(store.insert_batch(&batch).await, BatchResult::Stored { .. }));
    let lane = store.lane("a").await.unwrap();
    let overdue = lanes::overdue(&mut store.db.read().await.unwrap(), SERVER, NOW, 10).await.unwrap();
    assert_eq!(overdue.len(), 1);
    let expiry = Expiry { call: claim(&overdue[0]).call, from: CallStatus::Queued, at: NOW };
    commit(&store.db, &lane, 1, &Group { expiries: vec![expiry], ..Group::default() }).await.unwrap();
    let queue = queue_of(&store, expiry.call.queue_id).await;
    assert_eq!((queue.queued, queue.expired), (2, 1));
    assert_eq!(kinds(&store).await.last(), Some(&(EventKind::Ended as i16)));
}

async fn a_retry_rule_revives_what_failed_and_gives_up_what_waits(store: Store) {
    let id = store.queue(1, 3).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, id).await;
    let outcomes = [Outcome::Busy, Outcome::Answered, Outcome::Unallocated];
    let changes = claims.iter().zip(outcomes).flat_map(|(claim, end)| course(claim, end, None)).collect();
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    let rule = QueueUpdate { retry: Some(true), retry_count: Some(2), retry_gap: Some(0), ..QueueUpdate::default() };
    let queue = update(&store, id, rule).await;
    // Only a call with a retryable outcome is tried again, which keeps its queue in progress.
    assert_eq!((queue.failed, queue.retrying, queue.status), (1, 1, QueueStatus::InProgress.code()));
    assert_eq!(due(&store, id).await.len(), 1);
    let queue = update(&store, id, QueueUpdate { retry: Some(false), ..QueueUpdate::default() }).await;
    assert_eq!((queue.failed, queue.retrying), (2, 0));
    assert!(due(&store, id).await.is_empty());
}

async fn events_are_numbered_in_the_order_in_which_they_become_visible(store: Store) {
    const WRITERS: i64 = 8;
    let (db, mut seen) = (store.db.clone(), Vec::new());
    let store = std::sync::Arc::new(store);
    let writers: Vec<_> = (1..=WRITERS)
        .map(|batch| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move { store.queue(batch, 20).await })
        })
        .collect();
    // A reader that always continues after the last number misses none.
    while seen.len() < 8 {
        let after = seen.last().copied().unwrap_or(0);
        let new = events::after(&mut db.read().await.unwrap(), after, 100).await.unwrap();
        seen.extend(new.iter().map(|event| event.seq));
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let all = events::after(&mut db.read().await.unwrap(), 0, 100).await.unwrap();
    assert_eq!(seen, all.iter().map(|event| event.seq).collect::<Vec<_>>());
    let queues: HashSet<i64> = all.iter().map(|event| event.queue_id).collect();
    assert_eq!(queues.len(), 8);
    let wanted = Filter { queues: vec![all[0].queue_id], ..Filter::default() };
    assert_eq!(all.iter().filter(|event| wanted.wants(event)).count(), 1);
}

async fn a_quick_call_is_replayed_by_its_key(store: Store) {
    let new = |content: u8| NewQuickCall {
        client_id: store.client,
        call: new_call(),
        idempotency: Some(("key".into(), [content; 32])),
    };
    let first = new(1);
    let place = async |new: &NewQuickCall| {
        let mut tx = store.tx().await;
        let result = insert_quick(&mut tx, new, NOW).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        result
    };
    let QuickResult::Stored { queue_id } = place(&first).await else { panic!("not stored") };
    assert_eq!(place(&new(1)).await, QuickResult::Replayed { call: first.call.id, queue_id });
    assert_eq!(place(&new(2)).await, QuickResult::OtherContent);
    let quick = lanes::due_quick(&mut store.db.read().await.unwrap(), SERVER, NOW, 10).await.unwrap();
    assert_eq!(quick.len(), 1);
}

async fn servers_show_their_lane(store: Store) {
    let id = store.queue(1, 2).await;
    let lane = store.lane("a").await.unwrap();
    claim_all(&store, &lane, 1, id).await;
    let states = servers::states(&mut store.db.read().await.unwrap(), None).await.unwrap();
    assert_eq!((states.len(), states[0].live_calls), (1, 2));
    assert_eq!(states[0].lease.as_ref().map(|lease| lease.node.as_str()), Some("a"));
    assert_eq!(states[0].server.recording_dirs().unwrap(), ["/recordings"]);
}
