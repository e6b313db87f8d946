//! Tests what is stored for live calls besides their progress: end requests, reports of the dialplan, and late CDRs.

use std::sync::Arc;

use trunkline::domain::commit::{CallDetails, Claim, Group, What, Withdrawal};
use trunkline::domain::end_request::{Command, EndRequest};
use trunkline::domain::event_kind::EventKind;
use trunkline::domain::ids::CallId;
use trunkline::domain::note::Note;
use trunkline::domain::status::{CallStatus, Outcome, QueueStatus};
use trunkline::domain::time::Millis;
use trunkline::store::batches::BatchResult;
use trunkline::store::calls::Call;
use trunkline::store::commands::{self, Answer};
use trunkline::store::events::Filter;
use trunkline::store::journal::commit;
use trunkline::store::{calls, events, live_calls};

use super::conformance::{change, claim_all, due, ended, kinds, queue_of};
use super::engines::on_both_engines;
use super::store::{NOW, SERVER, Store, claim};

on_both_engines!(
    a_waiting_call_is_canceled_once_and_its_queue_completes,
    a_canceled_call_grants_no_claim,
    an_end_request_for_a_live_call_is_kept_for_its_lane_until_it_is_done,
    a_call_that_failed_meanwhile_is_canceled_instead_of_tried_again,
    an_end_request_that_does_not_fit_is_refused_with_the_calls_status,
    a_foreign_call_is_none,
    a_claim_and_a_cancel_of_one_moment_have_one_winner,
    notes_reach_calls_that_are_not_live_and_only_their_own_clients,
    a_call_takes_a_hundred_notes_an_attempt,
    a_late_record_corrects_what_is_billed_and_nothing_else,
    a_call_that_has_to_wait_is_due_later,
    a_snapshot_has_the_oldest_live_calls_and_the_number_of_all,
    an_event_says_what_its_call_dials_no_matter_what_stores_it,
);

async fn request_end(store: &Store, client: Option<i64>, call: CallId, request: EndRequest) -> Option<Answer> {
    let mut tx = store.tx().await;
    let answer = commands::request_end(&mut tx, client, call, request, NOW).await.unwrap();
    tx.commit().await.unwrap();
    answer.map(|(answer, _)| answer)
}

async fn call(store: &Store, id: CallId) -> Call {
    calls::get(&mut store.db.read().await.unwrap(), None, id).await.unwrap().unwrap()
}

async fn end_requests(store: &Store) -> Vec<Command> {
    commands::of_lane(&mut store.db.read().await.unwrap(), SERVER, 100).await.unwrap()
}

async fn notes_of(store: &Store, id: CallId) -> Vec<String> {
    let all = events::of_call(&mut store.db.read().await.unwrap(), None, id).await.unwrap();
    all.into_iter().filter(|event| event.kind == EventKind::Note as i16).filter_map(|event| event.detail).collect()
}

async fn a_waiting_call_is_canceled_once_and_its_queue_completes(store: Store) {
    let queue = store.queue(1, 2).await;
    let ids: Vec<CallId> = due(&store, queue).await.iter().map(|call| call.id.into()).collect();
    for id in &ids {
        assert_eq!(request_end(&store, Some(store.client), *id, EndRequest::Cancel).await, Some(Answer::Canceled));
    }
    assert_eq!(
        request_end(&store, Some(store.client), ids[0], EndRequest::Cancel).await,
        Some(Answer::AlreadyCanceled)
    );
    let queue = queue_of(&store, queue).await;
    assert_eq!((queue.queued, queue.canceled, queue.status), (0, 2, QueueStatus::Completed.code()));
    let first = call(&store, ids[0]).await;
    assert_eq!((first.outcome, first.ended_at), (Some(Outcome::Canceled.code()), Some(NOW.0)));
    let seen = kinds(&store).await;
    assert_eq!(seen.iter().filter(|kind| **kind == EventKind::Ended as i16).count(), 2);
    assert!(end_requests(&store).await.is_empty());
}

async fn a_canceled_call_grants_no_claim(store: Store) {
    let queue = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claims: Vec<_> = due(&store, queue).await.iter().map(claim).collect();
    let id = claims[0].call.id;
    request_end(&store, None, id, EndRequest::Cancel).await;
    assert!(commit(&store.db, &lane, 1, &Group { claims, ..Group::default() }).await.unwrap().is_empty());
    assert_eq!(call(&store, id).await.status, CallStatus::Canceled.code());
    assert_eq!(queue_of(&store, queue).await.dialing, 0);
}

async fn an_end_request_for_a_live_call_is_kept_for_its_lane_until_it_is_done(store: Store) {
    let queue = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, queue).await;
    let id = claims[0].call.id;
    for _ in 0..2 {
        assert_eq!(request_end(&store, Some(store.client), id, EndRequest::Cancel).await, Some(Answer::HangingUp));
    }
    let kept = [Command { call: id, request: EndRequest::Cancel }];
    assert_eq!(end_requests(&store).await, kept, "a repeated end request was stored twice");
    let note = events::of_call(&mut store.db.read().await.unwrap(), None, id).await.unwrap().pop().unwrap();
    assert_eq!((note.kind, note.attempt), (EventKind::Note as i16, None), "there is no event to wake the lane");
    // A lane that settles a call which is still live is wrong, so that nothing changes.
    commit(&store.db, &lane, 2, &Group { settled: vec![id], ..Group::default() }).await.unwrap();
    assert_eq!(end_requests(&store).await, kept);
    let changes = vec![ended(&claims[0], CallStatus::Dialing, Outcome::Canceled, None)];
    commit(&store.db, &lane, 3, &Group { changes, settled: vec![id], ..Group::default() }).await.unwrap();
    assert!(end_requests(&store).await.is_empty());
    assert_eq!(call(&store, id).await.status, CallStatus::Canceled.code());
    assert_eq!(queue_of(&store, queue).await.canceled, 1);
}

async fn a_call_that_failed_meanwhile_is_canceled_instead_of_tried_again(store: Store) {
    let queue = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, queue).await;
    let id = claims[0].call.id;
    request_end(&store, None, id, EndRequest::HangUp).await;
    let changes = vec![ended(&claims[0], CallStatus::Dialing, Outcome::Busy, Some(NOW))];
    commit(&store.db, &lane, 2, &Group { changes, settled: vec![id], ..Group::default() }).await.unwrap();
    let queue = queue_of(&store, queue).await;
    assert_eq!((queue.retrying, queue.canceled, queue.status), (0, 1, QueueStatus::Completed.code()));
    assert!(end_requests(&store).await.is_empty());
}

async fn an_end_request_that_does_not_fit_is_refused_with_the_calls_status(store: Store) {
    let queue = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let id = CallId::from(due(&store, queue).await[0].id);
    assert_eq!(request_end(&store, None, id, EndRequest::HangUp).await, Some(Answer::Refused(CallStatus::Queued)));
    let claims = claim_all(&store, &lane, 1, queue).await;
    let answered = What::Moved { from: CallStatus::Dialing, to: CallStatus::Answered };
    let changes = vec![change(&claims[0], answered)];
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    assert_eq!(request_end(&store, None, id, EndRequest::Cancel).await, Some(Answer::Refused(CallStatus::Answered)));
    let changes = vec![ended(&claims[0], CallStatus::Answered, Outcome::Answered, None)];
    commit(&store.db, &lane, 3, &Group { changes, ..Group::default() }).await.unwrap();
    for wanted in [EndRequest::Cancel, EndRequest::HangUp] {
        assert_eq!(request_end(&store, None, id, wanted).await, Some(Answer::Refused(CallStatus::Completed)));
    }
    assert!(end_requests(&store).await.is_empty());
}

async fn a_foreign_call_is_none(store: Store) {
    let queue = store.queue(1, 1).await;
    let id = CallId::from(due(&store, queue).await[0].id);
    let other = store.another_client().await;
    assert_eq!(request_end(&store, Some(other), id, EndRequest::Cancel).await, None);
    assert_eq!(request_end(&store, None, CallId::new(), EndRequest::Cancel).await, None);
    assert_eq!(call(&store, id).await.status, CallStatus::Queued.code());
}

async fn a_claim_and_a_cancel_of_one_moment_have_one_winner(store: Store) {
    let queue = store.queue(1, 40).await;
    let lane = store.lane("a").await.unwrap();
    let claims: Vec<_> = due(&store, queue).await.iter().map(claim).collect();
    let claiming = async {
        let mut granted = 0;
        for (claim, number) in claims.iter().zip(1..) {
            let group = Group { claims: vec![claim.clone()], ..Group::default() };
            granted += commit(&store.db, &lane, number, &group).await.unwrap().len();
        }
        granted
    };
    let canceling = async {
        let mut canceled = 0;
        for claim in &claims {
            let answer = request_end(&store, Some(store.client), claim.call.id, EndRequest::Cancel).await;
            canceled += usize::from(answer == Some(Answer::Canceled));
        }
        canceled
    };
    let (granted, canceled) = tokio::join!(claiming, canceling);
    assert_eq!(granted + canceled, 40);
    let queue = queue_of(&store, queue).await;
    assert_eq!((queue.dialing, queue.canceled, queue.queued), (granted as i64, canceled as i64, 0));
    assert_eq!(
        end_requests(&store).await.len(),
        granted,
        "the requests that lost to the claim were not left to the lane"
    );
}

async fn notes_reach_calls_that_are_not_live_and_only_their_own_clients(store: Store) {
    let queue = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let id = CallId::from(due(&store, queue).await[0].id);
    let note = |call, client_id, text: &str| Note { call, client_id, at: NOW, text: text.into() };
    let notes = vec![
        note(id, None, "from a channel of no call"),
        note(id, Some(store.client), "from its client's channel"),
        note(id, Some(store.client + 1), "from another client's channel"),
        note(CallId::new(), None, "about no call"),
    ];
    commit(&store.db, &lane, 1, &Group { notes, ..Group::default() }).await.unwrap();
    assert_eq!(notes_of(&store, id).await, ["from a channel of no call", "from its client's channel"]);
    let all = events::after(&mut store.db.read().await.unwrap(), 0, 100).await.unwrap();
    let mine = Filter { client_id: Some(store.client), ..Filter::default() };
    assert!(all.iter().all(|event| mine.wants(event)));
}

async fn a_call_takes_a_hundred_notes_an_attempt(store: Store) {
    let queue = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let id = CallId::from(due(&store, queue).await[0].id);
    for number in 1..=3 {
        let notes = vec![Note { call: id, client_id: None, at: NOW, text: "again".into() }; 60];
        commit(&store.db, &lane, number, &Group { notes, ..Group::default() }).await.unwrap();
    }
    assert_eq!(notes_of(&store, id).await.len(), 100);
}

async fn a_late_record_corrects_what_is_billed_and_nothing_else(store: Store) {
    let queue = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, queue).await;
    let answered = What::Moved { from: CallStatus::Dialing, to: CallStatus::Answered };
    let end = ended(&claims[0], CallStatus::Answered, Outcome::Answered, None);
    let changes = vec![change(&claims[0], answered), end];
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    let (before, seen) = (call(&store, claims[0].call.id).await, kinds(&store).await.len());
    let changes = vec![change(&claims[0], What::Billed { seconds: 8, more: 1 })];
    commit(&store.db, &lane, 3, &Group { changes, ..Group::default() }).await.unwrap();
    let after = call(&store, claims[0].call.id).await;
    assert_eq!((before.billable_seconds, after.billable_seconds), (Some(7), Some(8)));
    let kept = |call: &Call| (call.status, call.outcome, call.ended_at, call.hangup_cause, call.answered_at);
    assert_eq!(kept(&after), kept(&before));
    assert_eq!((kinds(&store).await.len(), queue_of(&store, queue).await.completed), (seen, 1));
}

async fn a_call_that_has_to_wait_is_due_later(store: Store) {
    let queue = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claim_all(&store, &lane, 1, queue).await;
    let later = Millis(NOW.0 + 5_000);
    let withdrawn = vec![Withdrawal { claim: claims[0].clone(), why: "it waits", due: Some(later) }];
    commit(&store.db, &lane, 2, &Group { withdrawn, ..Group::default() }).await.unwrap();
    assert!(due(&store, queue).await.is_empty());
    let waiting = call(&store, claims[0].call.id).await;
    assert_eq!((waiting.status, waiting.attempts, waiting.due_at), (CallStatus::Queued.code(), 0, later.0));
    assert_eq!(notes_of(&store, claims[0].call.id).await, ["it waits"]);
    assert_eq!(queue_of(&store, queue).await.queued, 1);
}

async fn a_snapshot_has_the_oldest_live_calls_and_the_number_of_all(store: Store) {
    let (first, second) = (store.queue(1, 3).await, store.queue(2, 1).await);
    let lane = store.lane("a").await.unwrap();
    claim_all(&store, &lane, 1, first).await;
    claim_all(&store, &lane, 2, second).await;
    let live = async |filter: Filter, limit| {
        let (live, count) = live_calls::live(&mut store.db.read().await.unwrap(), &filter, limit).await.unwrap();
        (live.len(), count)
    };
    let everything = Filter::default();
    assert_eq!(live(everything.clone(), 10).await, (4, 4));
    assert_eq!(live(everything.clone(), 4).await, (4, 4));
    assert_eq!(live(everything, 2).await, (2, 4), "the limit hides how many there are");
    assert_eq!(live(Filter { queues: vec![first, second], ..Filter::default() }, 1).await, (1, 4));
    assert_eq!(live(Filter { queues: vec![second], ..Filter::default() }, 10).await, (1, 1));
    assert_eq!(live(Filter { server: Some(SERVER.into()), ..Filter::default() }, 10).await, (4, 4));
    assert_eq!(live(Filter { server: Some("elsewhere".into()), ..Filter::default() }, 10).await, (0, 0));
    let mut labelled = store.batch(3, None, 2);
    labelled.calls[1].spec.labels.insert("team".into(), "a".into());
    let BatchResult::Stored { queue_id } = store.insert_batch(&labelled).await else { panic!("it is stored") };
    claim_all(&store, &lane, 3, queue_id).await;
    let team = |label: &str| Filter { label: Some(label.into()), ..Filter::default() };
    assert_eq!(live(team("team:a"), 10).await, (1, 1));
    assert_eq!(live(team("team:b"), 10).await, (0, 0));
}

async fn an_event_says_what_its_call_dials_no_matter_what_stores_it(store: Store) {
    let queue = store.queue(1, 2).await;
    let lane = store.lane("a").await.unwrap();
    let waiting = due(&store, queue).await;
    let (dialed, canceled) = (claim(&waiting[0]), CallId::from(waiting[1].id));
    // A lane has the details in memory. A test's claim has none, so that they are looked up like those of a cancel.
    let labels = [("team".to_owned(), "a".to_owned())].into();
    let details = CallDetails { contact_number: Some(4711), channel: "PJSIP/1@gw1".into(), labels };
    let claims = vec![Claim { details: Some(Arc::new(details)), ..dialed.clone() }];
    commit(&store.db, &lane, 1, &Group { claims, ..Group::default() }).await.unwrap();
    let end = ended(&dialed, CallStatus::Dialing, Outcome::Busy, None);
    commit(&store.db, &lane, 2, &Group { changes: vec![end], ..Group::default() }).await.unwrap();
    request_end(&store, None, canceled, EndRequest::Cancel).await;

    let all = events::after(&mut store.db.read().await.unwrap(), 0, 100).await.unwrap();
    let stored = waiting[0].originate_spec().unwrap().channel;
    let said: Vec<_> = all
        .iter()
        .filter(|event| event.call_id.is_some())
        .map(|event| {
            let facts = event.facts.as_ref().map(|facts| &facts.0);
            let channel = facts.and_then(|facts| facts.channel.clone());
            (event.kind, event.server_code.clone().unwrap(), channel, facts.and_then(|facts| facts.duration))
        })
        .collect();
    let server = || SERVER.to_owned();
    assert_eq!(
        said,
        [
            (EventKind::Dialing as i16, server(), Some("PJSIP/1@gw1".to_owned()), None),
            (EventKind::Ended as i16, server(), Some(stored.clone()), Some(0)),
            (EventKind::Ended as i16, server(), Some(stored), None),
        ]
    );
    let labelled = all.iter().filter(|event| event.facts.as_ref().is_some_and(|facts| !facts.0.labels.is_empty()));
    let labelled: Vec<_> = labelled.map(|event| (event.kind, event.attempt)).collect();
    assert_eq!(labelled, [(EventKind::Dialing as i16, Some(1))], "only the first event says the labels");
    let last = all.last().unwrap();
    let queue = last.facts.as_ref().and_then(|facts| facts.0.queue.as_deref()).unwrap();
    assert_eq!((last.kind, queue.status), (EventKind::QueueUpdated as i16, QueueStatus::Completed.code()));
    assert_eq!(queue.counts, [0, 0, 0, 0, 0, 0, 1, 0, 1, 0], "one has failed, and one is canceled");
}
