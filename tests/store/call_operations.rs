//! Tests what is done to the calls that a search finds, and changes of single calls that wait.

use trunkline::domain::commit::Group;
use trunkline::domain::event_kind::EventKind;
use trunkline::domain::status::{CallStatus, Outcome, QueueStatus};
use trunkline::domain::time::Millis;
use trunkline::store::call_edits::{self, CallEdit, Due};
use trunkline::store::call_pages::{count, page};
use trunkline::store::call_search::CallSearch;
use trunkline::store::calls::Call;
use trunkline::store::journal::commit;
use trunkline::store::queues::QueueUpdate;
use trunkline::store::servers::{self, Server};
use trunkline::store::{calls, clients, commands, events, queues, retry_calls, waiting};

use super::conformance::{claim_all, course, due, queue_of, update};
use super::engines::on_both_engines;
use super::search::of;
use super::store::{NOW, Store, claim, server};

on_both_engines!(
    found_calls_are_canceled_unless_they_have_changed,
    live_calls_are_asked_to_hang_up_once,
    failed_calls_wait_again_and_their_queue_runs_on,
    calls_that_nothing_may_dial_are_not_retried,
    calls_move_only_for_clients_with_a_grant,
    a_search_counts_what_it_finds,
    a_changed_call_is_claimed_only_as_it_is_now,
);

/// Finds up to 1000 calls of a queue with this status.
async fn found(store: &Store, queue_id: i64, status: CallStatus) -> Vec<Call> {
    let search = CallSearch { queue_id: Some(queue_id), status: Some(status), ..of(store) };
    page(&mut store.db.read().await.unwrap(), &search, None, 1000).await.unwrap().calls
}

async fn found_calls_are_canceled_unless_they_have_changed(store: Store) {
    let id = store.queue(1, 5).await;
    let lane = store.lane("a").await.unwrap();
    let found = found(&store, id, CallStatus::Queued).await;
    let claims = due(&store, id).await[..2].iter().map(claim).collect();
    assert_eq!(commit(&store.db, &lane, 1, &Group { claims, ..Group::default() }).await.unwrap().len(), 2);
    assert_eq!(waiting::cancel_calls(&store.db, &found, NOW).await.unwrap(), 3, "two were claimed since");
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.queued, queue.dialing, queue.canceled), (0, 2, 3));
    assert_eq!(waiting::cancel_calls(&store.db, &found, NOW).await.unwrap(), 0, "they are canceled once");
    let last = events::after(&mut store.db.read().await.unwrap(), 0, 100).await.unwrap();
    assert_eq!(last.iter().filter(|event| event.kind == EventKind::Ended as i16).count(), 3);
}

async fn live_calls_are_asked_to_hang_up_once(store: Store) {
    let id = store.queue(1, 3).await;
    let lane = store.lane("a").await.unwrap();
    claim_all(&store, &lane, 1, id).await;
    let live = found(&store, id, CallStatus::Dialing).await;
    assert_eq!(commands::hang_up(&store.db, &live, NOW).await.unwrap(), 3);
    assert_eq!(commands::hang_up(&store.db, &live, NOW).await.unwrap(), 3);
    let asked = commands::of_lane(&mut store.db.read().await.unwrap(), &lane.server, 10).await.unwrap();
    assert_eq!(asked.len(), 3);
}

/// Makes a queue whose calls have all failed, and with it has completed.
async fn failed(store: &Store, number: i64, calls: usize, deadline: Option<Millis>) -> i64 {
    let mut batch = store.batch(number, None, calls);
    for call in &mut batch.calls {
        (call.deadline, call.max_retries) = (deadline, 0);
    }
    store.insert_batch(&batch).await;
    let all = queues::list(&mut store.db.read().await.unwrap(), store.client, Default::default(), 0, 1).await.unwrap();
    let id = all.0[0].id;
    let lane = store.lane("a").await.unwrap();
    let live = claim_all(store, &lane, number * 10, id).await;
    let changes = live.iter().flat_map(|claim| course(claim, Outcome::Busy, None)).collect();
    commit(&store.db, &lane, number * 10 + 1, &Group { changes, ..Group::default() }).await.unwrap();
    assert_eq!(queue_of(store, id).await.failed, i64::try_from(calls).unwrap());
    id
}

async fn failed_calls_wait_again_and_their_queue_runs_on(store: Store) {
    let id = failed(&store, 1, 4, None).await;
    assert_eq!(queue_of(&store, id).await.status, QueueStatus::Completed.code());
    let calls = found(&store, id, CallStatus::Failed).await;
    let later = Millis(NOW.0 + 60_000);
    assert_eq!(retry_calls::retry(&store.db, &calls, Some(later), NOW).await.unwrap(), 4);
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.failed, queue.retrying, queue.status), (0, 4, QueueStatus::InProgress.code()));
    assert_eq!(retry_calls::retry(&store.db, &calls, None, NOW).await.unwrap(), 0, "they wait already");

    let again = due(&store, id).await;
    assert!(again.iter().all(|call| call.deadline == Some(later.0) && call.ended_at.is_none() && call.attempts == 1));
    let lane = store.lane("a").await.unwrap();
    let live = claim_all(&store, &lane, 20, id).await;
    let changes = live.iter().flat_map(|claim| course(claim, Outcome::Answered, None)).collect();
    commit(&store.db, &lane, 21, &Group { changes, ..Group::default() }).await.unwrap();
    let queue = queue_of(&store, id).await;
    assert_eq!((queue.completed, queue.status), (4, QueueStatus::Completed.code()));
}

async fn calls_that_nothing_may_dial_are_not_retried(store: Store) {
    let expired = failed(&store, 1, 2, Some(Millis(NOW.0 + 1000))).await;
    let calls = found(&store, expired, CallStatus::Failed).await;
    let after = Millis(NOW.0 + 1000);
    assert_eq!(retry_calls::retry(&store.db, &calls, None, after).await.unwrap(), 0, "their deadline has passed");
    assert_eq!(retry_calls::retry(&store.db, &calls[..1], None, NOW).await.unwrap(), 1);

    let canceled = failed(&store, 2, 2, None).await;
    let calls = found(&store, canceled, CallStatus::Failed).await;
    let mut tx = store.tx().await;
    queues::cancel(&mut tx, store.client, canceled, NOW).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(retry_calls::retry(&store.db, &calls, None, NOW).await.unwrap(), 0, "their queue was canceled");
    update(&store, canceled, QueueUpdate { status: Some(QueueStatus::InProgress), ..QueueUpdate::default() }).await;
    assert_eq!(retry_calls::retry(&store.db, &calls, None, NOW).await.unwrap(), 2, "their queue was resumed");
}

async fn calls_move_only_for_clients_with_a_grant(store: Store) {
    let mut tx = store.tx().await;
    servers::insert(&mut tx, &Server { code: "server2".into(), ..server() }).await.unwrap();
    tx.commit().await.unwrap();
    let id = store.queue(1, 3).await;
    let calls = found(&store, id, CallStatus::Queued).await;
    assert_eq!(waiting::move_calls(&store.db, &calls, "server2", NOW).await.unwrap(), 0);
    let mut tx = store.tx().await;
    clients::grant(&mut tx, store.client, "server2").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(waiting::move_calls(&store.db, &calls, "server2", NOW).await.unwrap(), 3);
    assert!(due(&store, id).await.is_empty(), "none is left for the first server");
    assert!(found(&store, id, CallStatus::Queued).await.iter().all(|call| call.server_code == "server2"));
}

async fn a_search_counts_what_it_finds(store: Store) {
    let id = store.queue(1, 1200).await;
    store.queue(2, 7).await;
    let mut conn = store.db.read().await.unwrap();
    let queued = CallSearch { status: Some(CallStatus::Queued), ..of(&store) };
    assert_eq!(count(&mut conn, &queued).await.unwrap(), 1207);
    let of_queue = CallSearch { queue_id: Some(id), ..queued.clone() };
    assert_eq!(count(&mut conn, &of_queue).await.unwrap(), 1200, "as the queue counts them");
    let of_project = CallSearch { project: Some("campaign_2024".into()), ..of_queue.clone() };
    assert_eq!(count(&mut conn, &of_project).await.unwrap(), 1200, "as they are read");
    let elsewhere = CallSearch { other_server_than: Some(super::store::SERVER.into()), ..of_queue };
    assert_eq!(count(&mut conn, &elsewhere).await.unwrap(), 0);
}

async fn edit(store: &Store, call: &Call, edit: CallEdit) -> Option<Call> {
    let mut tx = store.tx().await;
    let edited = call_edits::edit(&mut tx, call, edit, NOW).await.unwrap();
    tx.commit().await.unwrap();
    edited
}

async fn a_changed_call_is_claimed_only_as_it_is_now(store: Store) {
    let id = store.queue(1, 4).await;
    let lane = store.lane("a").await.unwrap();
    let read = due(&store, id).await;
    let deadline = Some(Millis(NOW.0 + 5000));
    let changes = [
        CallEdit { deadline: Some(deadline), ..CallEdit::default() },
        CallEdit { max_retries: Some(9), ..CallEdit::default() },
        CallEdit { due: Some(Due::At(Millis(NOW.0 + 9000))), ..CallEdit::default() },
        CallEdit { due: Some(Due::Next), ..CallEdit::default() },
    ];
    for (call, change) in read.iter().zip(changes) {
        let edited = edit(&store, call, change).await.unwrap();
        assert_eq!(edited.deadline, change.deadline.flatten().map(|at| at.0));
        assert_eq!(edited.max_retries, change.max_retries.unwrap_or(call.max_retries));
    }
    let stale = Group { claims: read.iter().map(claim).collect(), ..Group::default() };
    assert!(commit(&store.db, &lane, 1, &stale).await.unwrap().is_empty(), "each call is another by now");
    let now = due(&store, id).await;
    let order: Vec<_> = now.iter().map(|call| call.id).collect();
    assert_eq!(order, [read[3].id, read[0].id, read[1].id], "one is dialed next, and one is not due");
    let fresh = Group { claims: now.iter().map(claim).collect(), ..Group::default() };
    assert_eq!(commit(&store.db, &lane, 2, &fresh).await.unwrap().len(), 3);
    assert!(edit(&store, &now[0], changes[1]).await.is_none(), "a live call is not changed");
    let timeline = events::of_call(&mut store.db.read().await.unwrap(), None, read[0].id.into()).await.unwrap();
    assert!(timeline.iter().any(|event| event.detail.as_deref() == Some("changed: deadline")));
    assert!(calls::get(&mut store.db.read().await.unwrap(), None, read[2].id.into()).await.unwrap().is_some());
}
