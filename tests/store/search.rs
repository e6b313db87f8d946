//! Tests the search for calls in all queues: each filter, the pages, and the terms that calls are found by.

use trunkline::domain::commit::{Group, What};
use trunkline::domain::labels::Labels;
use trunkline::domain::status::{CallStatus, Outcome, QueueKind};
use trunkline::domain::time::Millis;
use trunkline::store::batches::{BatchResult, NewBatch};
use trunkline::store::call_pages::{CallPage, page};
use trunkline::store::call_search::{CallSearch, Cursor, TimeRange};
use trunkline::store::call_terms;
use trunkline::store::calls::NewCall;
use trunkline::store::clients;
use trunkline::store::id_range::IdRange;
use trunkline::store::journal::commit;
use trunkline::store::new_queues::{self, NewQueue};
use trunkline::store::queues::{self, QueueFilter};
use trunkline::store::servers::{self, Server};
use uuid::Uuid;

use super::conformance::{change, course, due};
use super::engines::on_both_engines;
use super::store::{NOW, SERVER, Store, claim, new_call, server};

on_both_engines!(
    a_search_without_filters_pages_through_all_calls_newest_first,
    each_filter_finds_its_calls,
    calls_are_found_by_what_became_of_them,
    a_client_finds_only_its_own_calls,
    a_page_reads_a_bounded_number_of_calls,
    calls_inserted_between_two_pages_do_not_move_the_later_one,
    a_call_that_moves_to_another_server_is_found_there,
    queues_are_found_by_their_labels,
);

async fn find(store: &Store, search: &CallSearch, after: Option<Cursor>, limit: usize) -> CallPage {
    let mut conn = store.db.read().await.unwrap();
    page(&mut conn, search, after, limit).await.unwrap()
}

/// Returns the ids of all calls that a search finds, read in pages of `size`.
pub async fn all(store: &Store, search: &CallSearch, size: usize) -> Vec<Uuid> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = find(store, search, after, size).await;
        assert!(page.calls.len() <= size);
        found.extend(page.calls.iter().map(|call| call.id.0));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

/// Stores calls of a client in a new queue, and returns the queue and the ids, newest first.
async fn stored(store: &Store, batch_id: i64, client_id: i64, calls: Vec<NewCall>) -> (i64, Vec<Uuid>) {
    let ids = calls.iter().rev().map(|call| call.id.0).collect();
    let new = NewBatch { client_id, calls, ..store.batch(batch_id, None, 0) };
    let BatchResult::Stored { queue_id } = store.insert_batch(&new).await else { panic!("it is stored") };
    (queue_id, ids)
}

pub fn of(store: &Store) -> CallSearch {
    CallSearch { client_id: Some(store.client), ..CallSearch::default() }
}

async fn a_search_without_filters_pages_through_all_calls_newest_first(store: Store) {
    let (_, first) = stored(&store, 1, store.client, (0..5).map(|_| new_call()).collect()).await;
    let (_, second) = stored(&store, 2, store.client, (0..3).map(|_| new_call()).collect()).await;
    let expected = [second, first].concat();
    for search in [of(&store), CallSearch::default()] {
        for size in [1, 3, 8, 100] {
            assert_eq!(all(&store, &search, size).await, expected, "{search:?} in pages of {size}");
        }
        assert_eq!(find(&store, &search, None, 8).await.next, None, "the last full page says that it is the last");
    }
}

async fn each_filter_finds_its_calls(store: Store) {
    let mut calls: Vec<NewCall> = (0..6).map(|_| new_call()).collect();
    for call in &mut calls {
        (call.contact_number, call.project) = (None, None);
    }
    calls[0].contact_number = Some(493_023_125_018);
    calls[1].contact_number = Some(3_023_125_018);
    calls[2].project = Some("spring".into());
    calls[2].spec.labels = [("team".to_owned(), "a:b".to_owned()), ("tier".to_owned(), String::new())].into();
    calls[3].project = Some("spring".into());
    calls[3].action_id = Some("order-7".into());
    calls[4].spec.channel_id = Some("channel-1".into());
    calls[4].spec.channel = "PJSIP/1@carrier2".into();
    let (queue, mut ids) = stored(&store, 1, store.client, calls).await;
    ids.reverse();
    let (other_queue, _) = stored(&store, 2, store.client, vec![new_call()]).await;
    let every = of(&store);
    let project = CallSearch { project: Some("spring".into()), ..of(&store) };
    let label = |key: &str, value: &str| Some((key.to_owned(), value.to_owned()));
    let exactly = |id: Uuid| Some(IdRange { first: id, last: id });
    let text = |text: &str| Some(text.to_owned());
    for (search, expected) in [
        (CallSearch { contact_numbers: Some(vec![493_023_125_018]), ..every.clone() }, vec![0]),
        (CallSearch { contact_numbers: Some(vec![493_023_125_018, 3_023_125_018]), ..every.clone() }, vec![1, 0]),
        (CallSearch { contact_numbers: Some(vec![]), ..every.clone() }, vec![]),
        (project.clone(), vec![3, 2]),
        (CallSearch { action_id: text("order-7"), ..project.clone() }, vec![3]),
        (CallSearch { action_id: text("order-7"), project: text("autumn"), ..every.clone() }, vec![]),
        (CallSearch { label: label("team", "a:b"), ..every.clone() }, vec![2]),
        (CallSearch { label: label("tier", ""), ..every.clone() }, vec![2]),
        (CallSearch { label: label("team", "a"), ..every.clone() }, vec![]),
        (CallSearch { channel_id: text("channel-1"), ..every.clone() }, vec![4]),
        (CallSearch { channel_id: text("channel-1-r2"), ..every.clone() }, vec![]),
        (CallSearch { trunk: text("carrier2"), ..every.clone() }, vec![4]),
        (CallSearch { server_code: text(SERVER), queue_id: Some(queue), ..every.clone() }, vec![5, 4, 3, 2, 1, 0]),
        (CallSearch { server_code: text("other"), ..every.clone() }, vec![]),
        (CallSearch { queue_id: Some(queue), project: text("spring"), ..every.clone() }, vec![3, 2]),
        (CallSearch { queue_id: Some(other_queue), project: text("spring"), ..every.clone() }, vec![]),
        (CallSearch { ids: exactly(ids[5]), ..every.clone() }, vec![5]),
        (CallSearch { ids: exactly(ids[5]), project: text("spring"), ..every.clone() }, vec![]),
        (CallSearch { created: TimeRange { from: None, to: Some(NOW) }, ..project.clone() }, vec![]),
        (CallSearch { created: TimeRange { from: Some(Millis(NOW.0 + 1)), to: None }, ..project.clone() }, vec![]),
    ] {
        let expected: Vec<Uuid> = expected.into_iter().map(|index: usize| ids[index]).collect();
        for size in [1, 100] {
            assert_eq!(all(&store, &search, size).await, expected, "{search:?} in pages of {size}");
            let everywhere = CallSearch { client_id: None, ..search.clone() };
            assert_eq!(all(&store, &everywhere, size).await, expected, "{everywhere:?} in pages of {size}");
        }
    }
}

async fn calls_are_found_by_what_became_of_them(store: Store) {
    let (queue, _) = stored(&store, 1, store.client, (0..6).map(|_| new_call()).collect()).await;
    let lane = store.lane("a").await.unwrap();
    let due = due(&store, queue).await;
    let ids: Vec<Uuid> = due.iter().map(|call| call.id.0).collect();
    let claims: Vec<_> = due.iter().take(5).map(claim).collect();
    commit(&store.db, &lane, 1, &Group { claims: claims.clone(), ..Group::default() }).await.unwrap();
    let retry = Some(Millis(NOW.0 + 1));
    let ends = [(Outcome::Busy, None), (Outcome::Busy, retry), (Outcome::Answered, None), (Outcome::Congestion, None)];
    let mut changes: Vec<_> =
        claims.iter().zip(ends).flat_map(|(claim, (outcome, next))| course(claim, outcome, next)).collect();
    changes.push(change(&claims[4], What::Moved { from: CallStatus::Dialing, to: CallStatus::Ringing }));
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();

    let status = |status| CallSearch { status: Some(status), ..of(&store) };
    let outcome = |outcome| CallSearch { outcome: Some(outcome), ..of(&store) };
    let both = CallSearch { outcome: Some(Outcome::Busy), ..status(CallStatus::Failed) };
    let made_here = CallSearch { channel_id: Some(claims[3].channel_id.clone()), ..of(&store) };
    let from_now = TimeRange { from: Some(NOW), to: None };
    let until_now = TimeRange { from: None, to: Some(NOW) };
    for (search, expected) in [
        (status(CallStatus::Failed), vec![3, 0]),
        (status(CallStatus::Retrying), vec![1]),
        (status(CallStatus::Completed), vec![2]),
        (status(CallStatus::Queued), vec![5]),
        (status(CallStatus::Ringing), vec![4]),
        (status(CallStatus::Dialing), vec![]),
        (status(CallStatus::Expired), vec![]),
        (outcome(Outcome::Busy), vec![1, 0]),
        (outcome(Outcome::Unknown), vec![]),
        (both.clone(), vec![0]),
        (CallSearch { queue_id: Some(queue), ..both }, vec![0]),
        (CallSearch { queue_id: Some(queue), ..status(CallStatus::Failed) }, vec![3, 0]),
        (CallSearch { outcome: Some(Outcome::Answered), ..status(CallStatus::Failed) }, vec![]),
        (CallSearch { project: Some("campaign_2024".into()), ..status(CallStatus::Ringing) }, vec![4]),
        (made_here.clone(), vec![3]),
        (CallSearch { channel_id: Some(format!("tl-{}", Uuid::now_v7())), ..of(&store) }, vec![]),
        (CallSearch { status: Some(CallStatus::Completed), ..made_here }, vec![]),
        (CallSearch { ended: from_now, ..of(&store) }, vec![3, 2, 0]),
        (CallSearch { ended: until_now, ..of(&store) }, vec![]),
        (CallSearch { started: from_now, ..of(&store) }, vec![4, 3, 2, 1, 0]),
        (CallSearch { started: until_now, ..of(&store) }, vec![]),
    ] {
        let expected: Vec<Uuid> = expected.into_iter().map(|index: usize| ids[index]).collect();
        for size in [1, 100] {
            assert_eq!(all(&store, &search, size).await, expected, "{search:?} in pages of {size}");
            let everywhere = CallSearch { client_id: None, ..search.clone() };
            assert_eq!(all(&store, &everywhere, size).await, expected, "{everywhere:?} in pages of {size}");
        }
    }
}

async fn a_client_finds_only_its_own_calls(store: Store) {
    let other = store.another_client().await;
    let labelled = || {
        let mut call = new_call();
        call.action_id = Some("a".into());
        call.spec.labels = [("k".to_owned(), "v".to_owned())].into();
        call
    };
    let (_, own) = stored(&store, 1, store.client, vec![labelled(), labelled()]).await;
    let (queue, others) = stored(&store, 2, other, vec![labelled()]).await;
    for search in [
        CallSearch::default(),
        CallSearch { action_id: Some("a".into()), ..CallSearch::default() },
        CallSearch { label: Some(("k".into(), "v".into())), ..CallSearch::default() },
        CallSearch { project: Some("campaign_2024".into()), ..CallSearch::default() },
        CallSearch { status: Some(CallStatus::Queued), ..CallSearch::default() },
        CallSearch { server_code: Some(SERVER.into()), ..CallSearch::default() },
        CallSearch { contact_numbers: new_call().contact_number.map(|number| vec![number]), ..CallSearch::default() },
    ] {
        let of = |client_id| CallSearch { client_id, ..search.clone() };
        assert_eq!(all(&store, &of(Some(store.client)), 1).await, own, "{search:?}");
        assert_eq!(all(&store, &of(Some(other)), 1).await, others, "{search:?}");
        assert_eq!(all(&store, &of(None), 1).await, [others.clone(), own.clone()].concat(), "{search:?}");
    }
    let foreign = CallSearch { queue_id: Some(queue), ..of(&store) };
    assert_eq!(all(&store, &foreign, 1).await, Vec::<Uuid>::new());
    let by_id = CallSearch { ids: Some(IdRange { first: others[0], last: others[0] }), ..of(&store) };
    assert_eq!(all(&store, &by_id, 1).await, Vec::<Uuid>::new());
}

async fn a_page_reads_a_bounded_number_of_calls(store: Store) {
    let mut oldest = new_call();
    oldest.spec.channel = "PJSIP/1@carrier2".into();
    let (_, rare) = stored(&store, 1, store.client, vec![oldest]).await;
    for batch in 0..12 {
        stored(&store, 100 + batch, store.client, (0..1000).map(|_| new_call()).collect()).await;
    }
    let search = CallSearch { trunk: Some("carrier2".into()), ..of(&store) };
    let first = find(&store, &search, None, 10).await;
    assert!(first.calls.is_empty() && first.next.is_some(), "the first page ends before the only call: {first:?}");
    assert_eq!(all(&store, &search, 10).await, rare);
    let everywhere = CallSearch { client_id: None, ..search };
    assert_eq!(all(&store, &everywhere, 10).await, rare);
    // There are too many calls with these terms among those of all clients to put them in order.
    for common in [
        CallSearch { project: Some("campaign_2024".into()), ..everywhere.clone() },
        CallSearch { status: Some(CallStatus::Queued), ..everywhere },
    ] {
        assert_eq!(all(&store, &common, 10).await, rare, "{common:?}");
    }
}

async fn calls_inserted_between_two_pages_do_not_move_the_later_one(store: Store) {
    let (queue, ids) = stored(&store, 1, store.client, (0..4).map(|_| new_call()).collect()).await;
    for (batch, search) in [
        (10, of(&store)),
        (20, CallSearch { queue_id: Some(queue), ..of(&store) }),
        (30, CallSearch { status: Some(CallStatus::Queued), ..CallSearch::default() }),
        (40, CallSearch { project: Some("campaign_2024".into()), ..of(&store) }),
    ] {
        let before = all(&store, &search, 100).await;
        assert!(before.ends_with(&ids), "{search:?}");
        let first = find(&store, &search, None, before.len() - 2).await;
        let new = NewBatch { calls: vec![new_call(), new_call()], ..store.batch(batch, Some(queue), 0) };
        assert!(matches!(store.insert_batch(&new).await, BatchResult::Stored { .. }));
        let second = find(&store, &search, first.next, 100).await;
        let second: Vec<Uuid> = second.calls.iter().map(|call| call.id.0).collect();
        assert_eq!(second, ids[2..], "{search:?}");
        assert_eq!(all(&store, &search, 100).await.len(), before.len() + 2, "{search:?}");
    }
}

async fn a_call_that_moves_to_another_server_is_found_there(store: Store) {
    let mut tx = store.tx().await;
    servers::insert(&mut tx, &Server { code: "server2".into(), ..server() }).await.unwrap();
    clients::grant(&mut tx, store.client, "server2").await.unwrap();
    tx.commit().await.unwrap();
    let (_, ids) = stored(&store, 1, store.client, vec![new_call(), new_call()]).await;
    let mut tx = store.tx().await;
    call_terms::move_server(&mut tx, &ids[..1], SERVER, "server2").await.unwrap();
    // Moving it to where it is changes nothing.
    call_terms::move_server(&mut tx, &ids[1..], SERVER, SERVER).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(all(&store, &of(&store), 1).await, ids, "each call is found once");
    let on = |code: &str| CallSearch { server_code: Some(code.to_owned()), ..of(&store) };
    assert_eq!(all(&store, &on(SERVER), 1).await, ids[1..]);
}

async fn queues_are_found_by_their_labels(store: Store) {
    let other = store.another_client().await;
    let mut made = Vec::new();
    for (client, team) in [(store.client, "a"), (store.client, "b"), (other, "a")] {
        let mut tx = store.tx().await;
        let labels = Labels::from([("team".to_owned(), team.to_owned()), ("x".to_owned(), "1".to_owned())]);
        let new = NewQueue { labels: labels.clone(), ..NewQueue::default() };
        let id = new_queues::create_with(&mut tx, client, QueueKind::Bulk, &new, NOW).await.unwrap();
        tx.commit().await.unwrap();
        made.push(id);
        let queue = queues::get(&mut store.db.read().await.unwrap(), client, id).await.unwrap().unwrap();
        assert_eq!(queue.labels().unwrap(), labels);
    }
    let labelled = |label: &str| QueueFilter { label: Some(label.to_owned()), ..QueueFilter::default() };
    let mut conn = store.db.read().await.unwrap();
    for (label, of_client, of_all) in [
        ("team:a", vec![made[0]], vec![made[2], made[0]]),
        ("team:b", vec![made[1]], vec![made[1]]),
        ("x:1", vec![made[1], made[0]], vec![made[2], made[1], made[0]]),
        ("x:2", vec![], vec![]),
    ] {
        let (found, count) = queues::list(&mut conn, store.client, labelled(label), 0, 10).await.unwrap();
        assert_eq!(found.iter().map(|queue| queue.id).collect::<Vec<_>>(), of_client, "{label}");
        assert_eq!(count, found.len() as i64);
        let (found, count) = queues::list_all(&mut conn, labelled(label), 0, 10).await.unwrap();
        assert_eq!(found.iter().map(|queue| queue.id).collect::<Vec<_>>(), of_all, "{label}");
        assert_eq!(count, found.len() as i64);
    }
}
