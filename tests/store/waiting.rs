//! Tests what is done to many waiting calls at a time, and queues with a start, an end, or none any more.

use trunkline::domain::commit::{Expiry, Group};
use trunkline::domain::event_kind::EventKind;
use trunkline::domain::labels::Labels;
use trunkline::domain::status::{CallStatus, Outcome, QueueKind, QueueStatus};
use trunkline::domain::time::Millis;
use trunkline::store::call_search::CallSearch;
use trunkline::store::journal::commit;
use trunkline::store::new_queues::{self, NewQueue};
use trunkline::store::queues::{QueueFilter, QueueUpdate};
use trunkline::store::servers::{self, Removal, Server};
use trunkline::store::{events, lanes, queues, wait_reasons, waiting};

use super::conformance::{claim_all, course, due, page, queue_of};
use super::engines::on_both_engines;
use super::search::{all, of};
use super::store::{NOW, SERVER, Store, claim, server, withdrawal};

on_both_engines!(
    a_canceled_queue_has_no_waiting_calls_and_none_comes_back,
    a_queue_that_is_resumed_while_it_is_canceled_keeps_the_rest,
    moved_calls_belong_to_the_other_server_alone,
    a_server_is_removed_after_its_calls_were_canceled,
    no_call_begins_before_its_queue_starts_or_after_it_ends,
    a_deleted_queue_is_in_no_list_and_keeps_its_calls,
    scheduled_calls_are_counted_apart,
);

async fn cancel(store: &Store, id: i64) -> i64 {
    let mut tx = store.tx().await;
    queues::cancel(&mut tx, store.client, id, NOW).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    waiting::cancel_queue(&store.db, id, NOW).await.unwrap()
}

async fn lanes_of(store: &Store, queue: i64) -> Vec<(String, i64, i64)> {
    let rows = wait_reasons::on_servers(&mut store.db.read().await.unwrap(), store.client, queue).await.unwrap();
    rows.into_iter().map(|row| (row.server_code, row.waiting, row.live)).collect()
}

async fn a_canceled_queue_has_no_waiting_calls_and_none_comes_back(store: Store) {
    let id = store.queue(1, 3).await;
    let lane = store.lane("a").await.unwrap();
    let live = claim_all(&store, &lane, 1, id).await;
    store.insert(2, Some(id), 2500).await;
    assert_eq!(cancel(&store, id).await, 2500);
    let queue = queue_of(&store, id).await;
    assert_eq!(
        (queue.status, queue.queued, queue.dialing, queue.canceled),
        (QueueStatus::Completed.code(), 0, 3, 2500)
    );
    assert_eq!(lanes_of(&store, id).await, [(SERVER.to_owned(), 0, 3)]);
    assert_eq!(waiting::hang_up_queue(&store.db, id, NOW).await.unwrap(), 3);

    // One attempt fails and would be tried again, one was not sent, and one is answered.
    let mut changes = course(&live[0], Outcome::Busy, Some(NOW));
    changes.extend(course(&live[2], Outcome::Answered, None));
    let group = Group { changes, withdrawn: vec![withdrawal(live[1].clone())], ..Group::default() };
    commit(&store.db, &lane, 2, &group).await.unwrap();
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.queued, queue.retrying, queue.dialing, queue.canceled, queue.completed), (0, 0, 0, 2502, 1));
    assert_eq!(lanes_of(&store, id).await, []);
    assert_eq!(cancel(&store, id).await, 0);
}

async fn a_queue_that_is_resumed_while_it_is_canceled_keeps_the_rest(store: Store) {
    let id = store.queue(1, 5).await;
    let mut tx = store.tx().await;
    queues::cancel(&mut tx, store.client, id, NOW).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.tx().await;
    let resumed = QueueUpdate { status: Some(QueueStatus::InProgress), ..QueueUpdate::default() };
    queues::update(&mut tx, store.client, id, resumed, NOW).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(waiting::cancel_queue(&store.db, id, NOW).await.unwrap(), 0);
    assert_eq!(queue_of(&store, id).await.queued, 5);
}

async fn second_server(store: &Store) {
    let mut tx = store.tx().await;
    servers::insert(&mut tx, &Server { code: "server2".into(), ..server() }).await.unwrap();
    tx.commit().await.unwrap();
}

async fn moved_calls_belong_to_the_other_server_alone(store: Store) {
    second_server(&store).await;
    let id = store.queue(1, 1200).await;
    let lane = store.lane("a").await.unwrap();
    let read: Vec<_> = due(&store, id).await;
    assert_eq!(waiting::without_grant(&mut store.db.read().await.unwrap(), SERVER, "server2").await.unwrap(), ["acme"]);
    assert_eq!(waiting::move_to_server(&store.db, SERVER, "server2", NOW).await.unwrap(), 1200);
    assert_eq!(lanes_of(&store, id).await, [("server2".to_owned(), 1200, 0)]);
    // The first server's lane still has the calls in its buffer.
    let stale = claim(&read[0]);
    let expiry = Expiry { call: claim(&read[1]).call, from: CallStatus::Queued, at: NOW };
    let group = Group { claims: vec![stale], expiries: vec![expiry], ..Group::default() };
    assert!(commit(&store.db, &lane, 1, &group).await.unwrap().is_empty());
    assert_eq!(queue_of(&store, id).await.queued, 1200);
    assert_eq!(lanes_of(&store, id).await, [("server2".to_owned(), 1200, 0)]);
    assert!(page(&store, id, 0, 1200).await.iter().all(|call| call.server_code == "server2"));
    for (code, found) in [(SERVER, 0), ("server2", 1200)] {
        let search = CallSearch { server_code: Some(code.to_owned()), ..of(&store) };
        assert_eq!(
            all(&store, &search, 1000).await.len(),
            found,
            "a search finds calls by the server that they moved to"
        );
    }
    let mut conn = store.db.read().await.unwrap();
    let of_calls: Vec<_> = events::after(&mut conn, 0, 5000).await.unwrap();
    let moves: Vec<_> = of_calls.iter().filter(|event| event.kind == EventKind::Note as i16).collect();
    assert_eq!(moves.len(), 1200);
    assert!(
        moves.iter().all(|event| event.server_code.as_deref() == Some("server2")),
        "a watcher of it sees them arrive"
    );
}

async fn a_server_is_removed_after_its_calls_were_canceled(store: Store) {
    let id = store.queue(1, 1500).await;
    let mut tx = store.tx().await;
    let removal = servers::remove(&mut tx, SERVER, NOW).await.unwrap();
    assert_eq!(removal, Removal::InUse { waiting: 1500, live: 0 });
    tx.rollback().await.unwrap();
    assert_eq!(waiting::cancel_on_server(&store.db, SERVER, NOW).await.unwrap(), 1500);
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.canceled, queue.status, queue.completed_by_client), (1500, QueueStatus::Completed.code(), false));
    let mut tx = store.tx().await;
    assert_eq!(servers::remove(&mut tx, SERVER, NOW).await.unwrap(), Removal::Done);
}

async fn no_call_begins_before_its_queue_starts_or_after_it_ends(store: Store) {
    let lane = store.lane("a").await.unwrap();
    let (later, now) = (Millis(NOW.0 + 1), NOW);
    for (number, (start_at, end_at, begins)) in
        (1..).zip([(Some(later), None, false), (None, Some(now), false), (Some(now), Some(later), true)])
    {
        let mut batch = store.batch(number, None, 1);
        batch.queue = NewQueue { start_at, end_at, ..NewQueue::default() };
        store.insert_batch(&batch).await;
        let mut conn = store.db.read().await.unwrap();
        let runnable = lanes::runnable(&mut conn, SERVER, NOW).await.unwrap();
        let all = queues::list(&mut conn, store.client, QueueFilter::default(), 0, 1).await.unwrap();
        let id = all.0[0].id;
        assert_eq!(runnable.iter().any(|row| row.queue.id == id), begins);
        drop(conn);
        let claims = due(&store, id).await.iter().map(claim).collect();
        let group = Group { claims, ..Group::default() };
        let granted = commit(&store.db, &lane, number, &group).await.unwrap();
        assert_eq!(granted.len(), usize::from(begins));
    }
}

async fn a_deleted_queue_is_in_no_list_and_keeps_its_calls(store: Store) {
    let mut ids = Vec::new();
    for number in 1..=4 {
        let mut tx = store.tx().await;
        let name = Some(format!("queue {number}"));
        let labels = Labels::from([("team".to_owned(), "night".to_owned())]);
        let new = NewQueue { name, paused: true, labels, ..NewQueue::default() };
        ids.push(new_queues::create_with(&mut tx, store.client, QueueKind::Bulk, &new, NOW).await.unwrap());
        tx.commit().await.unwrap();
    }
    store.insert(1, Some(ids[3]), 1).await;
    for (id, is_deleted) in [(ids[1], true), (ids[3], false)] {
        let queue = queue_of(&store, id).await;
        assert_eq!((queue.status, queue.name.is_some()), (QueueStatus::Paused.code(), true));
        let mut tx = store.tx().await;
        let deleted = queues::delete(&mut tx, &queue, NOW).await.unwrap();
        assert_eq!(deleted.is_some(), is_deleted);
        let after = deleted.and_then(|event| event.facts.queue);
        assert!(
            after.is_none_or(|queue| queue.status == QueueStatus::Completed.code()),
            "the event says the new status"
        );
        tx.commit().await.unwrap();
    }
    let mut conn = store.db.read().await.unwrap();
    let bulk = QueueFilter { kind: Some(QueueKind::Bulk), ..QueueFilter::default() };
    let labelled = QueueFilter { label: Some("team:night".to_owned()), ..QueueFilter::default() };
    for filter in [QueueFilter::default(), bulk, labelled] {
        let (of_client, count) = queues::list(&mut conn, store.client, filter.clone(), 1, 2).await.unwrap();
        let found: Vec<i64> = of_client.iter().map(|queue| queue.id).collect();
        assert_eq!((found, count), (vec![ids[2], ids[0]], 3));
        let (all, count) = queues::list_all(&mut conn, filter, 0, 2).await.unwrap();
        let found: Vec<i64> = all.iter().map(|queue| queue.id).collect();
        assert_eq!((found, count), (vec![ids[3], ids[2]], 3));
    }
    assert_eq!(queue_of(&store, ids[1]).await.deleted_at, Some(NOW.0));
}

async fn scheduled_calls_are_counted_apart(store: Store) {
    let mut batch = store.batch(1, None, 4);
    batch.calls[0].not_before = Some(Millis(NOW.0 + 2000));
    batch.calls[2].not_before = Some(Millis(NOW.0 + 1000));
    batch.calls[3].not_before = Some(Millis(NOW.0 - 1000));
    store.insert_batch(&batch).await;
    let mut conn = store.db.read().await.unwrap();
    let (all, _) = queues::list(&mut conn, store.client, QueueFilter::default(), 0, 1).await.unwrap();
    let id = all[0].id;
    let scheduled = wait_reasons::scheduled(&mut conn, SERVER, id, NOW).await.unwrap();
    assert_eq!(scheduled, Some((2, Millis(NOW.0 + 1000))));
    assert_eq!(wait_reasons::scheduled(&mut conn, SERVER, id, Millis(NOW.0 + 2000)).await.unwrap(), None);
    assert_eq!(due(&store, id).await.len(), 2);
}
