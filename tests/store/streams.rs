//! Tests streams of items: each item is stored once, whatever fails in between.

use trunkline::domain::event_kind::EventKind;
use trunkline::domain::status::QueueStatus;
use trunkline::store::calls::NewCall;
use trunkline::store::events;
use trunkline::store::new_queues::NewQueue;
use trunkline::store::queues::QueueUpdate;
use trunkline::store::streams::{self, ItemStream, StreamResult};

use super::conformance::{queue_of, update};
use super::engines::on_both_engines;
use super::store::{NOW, Store, new_call};

on_both_engines!(
    a_stream_is_stored_with_its_items,
    a_stream_goes_on_where_its_last_commit_left_it,
    the_last_connection_takes_the_stream_over,
    a_stream_stays_in_its_queue,
    a_stream_into_what_a_client_completed_is_refused,
    two_streams_that_begin_at_once_are_one,
);

async fn begin(store: &Store, queue_id: Option<i64>) -> StreamResult {
    loop {
        let mut tx = store.tx().await;
        if let Some(begun) =
            streams::begin(&mut tx, store.client, "s", queue_id, &NewQueue::default(), NOW).await.unwrap()
        {
            tx.commit().await.unwrap();
            return begun;
        }
    }
}

async fn opened(store: &Store, queue_id: Option<i64>) -> ItemStream {
    match begin(store, queue_id).await {
        StreamResult::Open(stream) => stream,
        other => panic!("{other:?}"),
    }
}

fn items(count: usize) -> Vec<NewCall> {
    (0..count).map(|_| new_call()).collect()
}

async fn append(store: &Store, stream: &ItemStream, count: usize) -> StreamResult {
    let mut tx = store.tx().await;
    let result = streams::append(&mut tx, stream, &items(count), NOW).await.unwrap();
    if matches!(result, StreamResult::Open(_)) {
        tx.commit().await.unwrap();
    }
    result
}

async fn a_stream_is_stored_with_its_items(store: Store) {
    let stream = opened(&store, None).await;
    let StreamResult::Open(stream) = append(&store, &stream, 1000).await else { panic!("open") };
    let StreamResult::Open(stream) = append(&store, &stream, 500).await else { panic!("open") };
    assert_eq!(stream.stored, 1500);
    let queue = queue_of(&store, stream.queue_id).await;
    assert_eq!((queue.total_calls, queue.queued), (1500, 1500));
    let seen = events::after(&mut store.db.read().await.unwrap(), 0, 10).await.unwrap();
    let seen: Vec<_> = seen.iter().map(|event| (event.kind, event.count, event.batch_id)).collect();
    let inserted = EventKind::BatchInserted as i16;
    assert_eq!(seen, [(inserted, Some(1000), None), (inserted, Some(500), None)]);
}

async fn a_stream_goes_on_where_its_last_commit_left_it(store: Store) {
    let stream = opened(&store, None).await;
    let StreamResult::Open(stream) = append(&store, &stream, 10).await else { panic!("open") };
    // A group that is not committed leaves nothing, as if it had not been sent.
    let mut tx = store.tx().await;
    streams::append(&mut tx, &stream, &items(10), NOW).await.unwrap();
    drop(tx);
    let resumed = opened(&store, None).await;
    assert_eq!((resumed.stored, resumed.queue_id), (10, stream.queue_id));
    append(&store, &resumed, 10).await;
    assert_eq!(queue_of(&store, stream.queue_id).await.total_calls, 20);
}

async fn the_last_connection_takes_the_stream_over(store: Store) {
    let first = opened(&store, None).await;
    let second = opened(&store, None).await;
    assert_eq!(append(&store, &first, 5).await, StreamResult::TakenOver);
    assert!(matches!(append(&store, &second, 5).await, StreamResult::Open(_)));
    assert_eq!(append(&store, &second, 5).await, StreamResult::TakenOver, "items were added at an earlier position");
    assert_eq!(queue_of(&store, first.queue_id).await.total_calls, 5);
}

async fn a_stream_stays_in_its_queue(store: Store) {
    let id = store.queue(1, 1).await;
    let stream = opened(&store, Some(id)).await;
    assert_eq!(stream.queue_id, id);
    let other = store.queue(2, 1).await;
    assert_eq!(begin(&store, Some(other)).await, StreamResult::OtherQueue { queue_id: id });
    assert_eq!(opened(&store, None).await.queue_id, id);
}

async fn a_stream_into_what_a_client_completed_is_refused(store: Store) {
    let id = store.queue(1, 1).await;
    let stream = opened(&store, Some(id)).await;
    let completed = QueueUpdate { status: Some(QueueStatus::Completed), ..QueueUpdate::default() };
    update(&store, id, completed).await;
    assert_eq!(append(&store, &stream, 1).await, StreamResult::QueueCompleted);
    let mut tx = store.tx().await;
    let other = streams::begin(&mut tx, store.client, "t", Some(id), &NewQueue::default(), NOW).await.unwrap();
    assert_eq!(other, Some(StreamResult::QueueCompleted));
    let foreign = streams::begin(&mut tx, store.client, "u", Some(12_345), &NewQueue::default(), NOW).await.unwrap();
    assert_eq!(foreign, Some(StreamResult::NoSuchQueue));
}

async fn two_streams_that_begin_at_once_are_one(store: Store) {
    let (one, other) = tokio::join!(opened(&store, None), opened(&store, None));
    assert_eq!(one.queue_id, other.queue_id);
    assert_ne!(one.connection, other.connection);
}
