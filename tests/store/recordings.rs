//! Tests that every call has a file of its own for its recording.

use std::collections::HashSet;

use trunkline::domain::ids::CallId;
use trunkline::domain::originate::Recording;
use trunkline::domain::status::CallStatus;
use trunkline::store::batches::{BatchResult, NewBatch};
use trunkline::store::calls::{self, NewCall};
use trunkline::store::recording_files::{self, Wanted};

use super::engines::on_both_engines;
use super::store::{SERVER, Store, new_call};

on_both_engines!(
    the_second_call_of_a_path_records_to_a_file_of_its_own,
    calls_of_one_batch_and_other_spellings_of_a_path_are_kept_apart,
    a_file_that_is_named_after_another_call_is_that_calls,
    two_transactions_never_have_one_file,
    a_call_that_another_program_stored_gets_another_path,
);

fn recorded(path: &str) -> NewCall {
    let mut call = new_call();
    call.spec.recording = Some(Recording { path: path.into(), options: Some("b".into()), command: None });
    call
}

async fn insert(store: &Store, batch_id: i64, calls: Vec<NewCall>) {
    let batch = NewBatch { calls, ..store.batch(batch_id, None, 0) };
    assert!(matches!(store.insert_batch(&batch).await, BatchResult::Stored { .. }));
}

/// Returns the path that a stored call records to.
async fn path(store: &Store, call: CallId) -> String {
    let mut conn = store.db.read().await.unwrap();
    let call = calls::get(&mut conn, None, call).await.unwrap().unwrap();
    let recording = call.originate_spec().unwrap().recording.unwrap();
    assert_eq!(recording.options.as_deref(), Some("b"), "only the path changes");
    recording.path
}

async fn the_second_call_of_a_path_records_to_a_file_of_its_own(store: Store) {
    let (first, second) = (recorded("/recordings/a.wav"), recorded("/recordings/a.wav"));
    let (one, other) = (first.id, second.id);
    insert(&store, 1, vec![first]).await;
    insert(&store, 2, vec![second]).await;
    assert_eq!(path(&store, one).await, "/recordings/a.wav");
    assert_eq!(path(&store, other).await, format!("/recordings/a-{other}.wav"));
    // A call that is never dialed takes no path away from others.
    let (canceled, third) = (recorded("/recordings/b.wav"), recorded("/recordings/b.wav"));
    let third_id = third.id;
    insert(&store, 3, vec![NewCall { status: CallStatus::Canceled, ..canceled }, third]).await;
    assert_eq!(path(&store, third_id).await, "/recordings/b.wav");
}

async fn calls_of_one_batch_and_other_spellings_of_a_path_are_kept_apart(store: Store) {
    let paths =
        ["/recordings/a.raw", "/recordings/a", "/recordings//a.raw", "/recordings/b.WAV", "/recordings/b.wav49"];
    let calls: Vec<NewCall> = paths.iter().map(|path| recorded(path)).collect();
    let ids: Vec<CallId> = calls.iter().map(|call| call.id).collect();
    insert(&store, 1, calls).await;
    let mut stored = Vec::new();
    for id in &ids {
        stored.push(path(&store, *id).await);
    }
    let expected = [
        "/recordings/a.raw".to_owned(),
        format!("/recordings/a-{}", ids[1]),
        format!("/recordings//a-{}.raw", ids[2]),
        "/recordings/b.WAV".to_owned(),
        format!("/recordings/b-{}.wav49", ids[4]),
    ];
    assert_eq!(stored, expected);
}

async fn a_file_that_is_named_after_another_call_is_that_calls(store: Store) {
    let mut first = recorded("");
    let own = format!("/recordings/{}.wav", first.id);
    first.spec.recording.as_mut().unwrap().path.clone_from(&own);
    let one = first.id;
    insert(&store, 1, vec![first]).await;
    let (thief, stranger) = (recorded(&own), recorded(&format!("/recordings/{}.wav", CallId::new())));
    let (thief_id, stranger_id) = (thief.id, stranger.id);
    let unknown = stranger.spec.recording.as_ref().unwrap().path.clone();
    insert(&store, 2, vec![thief, stranger]).await;
    assert_eq!(path(&store, one).await, own);
    assert_eq!(path(&store, thief_id).await, format!("/recordings/{one}-{thief_id}.wav"));
    assert_eq!(path(&store, stranger_id).await, unknown, "an id that is no call's is a name like any other");
}

async fn two_transactions_never_have_one_file(store: Store) {
    let inserts = (1..=8).map(|batch| {
        let calls: Vec<NewCall> = (0..5).map(|index| recorded(&format!("/recordings/{index}.wav"))).collect();
        let ids: Vec<CallId> = calls.iter().map(|call| call.id).collect();
        let store = &store;
        async move {
            insert(store, batch, calls).await;
            ids
        }
    });
    let ids = futures_util::future::join_all(inserts).await.concat();
    let mut paths = HashSet::new();
    for id in ids {
        assert!(paths.insert(path(&store, id).await), "two calls have one file");
    }
    assert_eq!((0..5).filter(|index| paths.contains(&format!("/recordings/{index}.wav"))).count(), 5);
}

async fn a_call_that_another_program_stored_gets_another_path(store: Store) {
    let (first, second) = (recorded("/recordings/a.wav"), recorded("/recordings/x.wav"));
    let (one, other, spec) = (first.id, second.id, first.spec.clone());
    insert(&store, 1, vec![first, second]).await;
    let mut tx = store.tx().await;
    recording_files::set_specs(&mut tx, &[(other, spec)]).await.unwrap();
    tx.commit().await.unwrap();
    let wanted = |call| Wanted { call, server: SERVER, path: "/recordings/a.wav" };
    let mut conn = store.db.read().await.unwrap();
    let unclaimed = recording_files::unclaimed(&mut conn, &[wanted(one), wanted(other)]).await.unwrap();
    assert_eq!(unclaimed.iter().map(|wanted| wanted.call).collect::<Vec<_>>(), [other]);
    drop(conn);
    let mut tx = store.tx().await;
    let paths = recording_files::claim(&mut tx, &unclaimed).await.unwrap();
    assert_eq!(paths[&other], format!("/recordings/a-{other}.wav"));
    tx.commit().await.unwrap();
}
