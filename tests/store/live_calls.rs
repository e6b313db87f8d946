//! What reaches the book of live calls besides their own progress: clients' wishes, reports of the dialplan, late records.

use trunkline::domain::ids::CallId;
use trunkline::domain::status::{CallStatus, Outcome, QueueStatus};
use trunkline::domain::time::Millis;
use trunkline::domain::wish::Wish;
use trunkline::store::calls::Call;
use trunkline::store::commands::{self, Answer, Command};
use trunkline::store::events::{EventKind, Filter};
use trunkline::store::journal::{Group, What, Withdrawal, commit};
use trunkline::store::notes::Note;
use trunkline::store::{calls, events};

use super::book::{Book, NOW, SERVER, claim};
use super::conformance::{change, claim_all, due, ended, kinds, queue_of};
use super::engines::on_both_engines;

on_both_engines!(
    a_waiting_call_is_canceled_once_and_its_queue_completes,
    a_canceled_call_grants_no_claim,
    a_wish_about_a_live_call_is_kept_for_its_lane_until_it_is_done,
    a_call_that_failed_meanwhile_is_canceled_instead_of_tried_again,
    a_wish_that_does_not_fit_is_refused_with_where_the_call_stands,
    a_foreign_call_is_none,
    a_claim_and_a_cancel_of_one_moment_have_one_winner,
    notes_reach_calls_that_are_not_live_and_only_their_own_clients,
    a_call_takes_a_hundred_notes_an_attempt,
    a_late_record_corrects_what_is_billed_and_nothing_else,
    a_call_that_has_to_wait_is_due_later,
);

async fn wish(book: &Book, client: Option<i64>, call: CallId, wish: Wish) -> Option<Answer> {
    let mut tx = book.tx().await;
    let answer = commands::wish(&mut tx, client, call, wish, NOW).await.unwrap();
    tx.commit().await.unwrap();
    answer.map(|(answer, _)| answer)
}

async fn call(book: &Book, id: CallId) -> Call {
    calls::get(&mut book.db.read().await.unwrap(), None, id).await.unwrap().unwrap()
}

async fn wishes(book: &Book) -> Vec<Command> {
    commands::of_lane(&mut book.db.read().await.unwrap(), SERVER, 100).await.unwrap()
}

async fn notes_of(book: &Book, id: CallId) -> Vec<String> {
    let all = events::of_call(&mut book.db.read().await.unwrap(), None, id).await.unwrap();
    all.into_iter().filter(|event| event.kind == EventKind::Note as i16).filter_map(|event| event.detail).collect()
}

async fn a_waiting_call_is_canceled_once_and_its_queue_completes(book: Book) {
    let queue = book.queue(1, 2).await;
    let ids: Vec<CallId> = due(&book, queue).await.iter().map(|call| call.id.into()).collect();
    for id in &ids {
        assert_eq!(wish(&book, Some(book.client), *id, Wish::Cancel).await, Some(Answer::Canceled));
    }
    assert_eq!(wish(&book, Some(book.client), ids[0], Wish::Cancel).await, Some(Answer::AlreadyCanceled));
    let queue = queue_of(&book, queue).await;
    assert_eq!((queue.queued, queue.canceled, queue.status), (0, 2, QueueStatus::Completed.code()));
    let first = call(&book, ids[0]).await;
    assert_eq!((first.outcome, first.ended_at), (Some(Outcome::Canceled.code()), Some(NOW.0)));
    let told = kinds(&book).await;
    assert_eq!(told.iter().filter(|kind| **kind == EventKind::Ended as i16).count(), 2);
    assert!(wishes(&book).await.is_empty());
}

async fn a_canceled_call_grants_no_claim(book: Book) {
    let queue = book.queue(1, 1).await;
    let lane = book.lane("a").await.unwrap();
    let claims: Vec<_> = due(&book, queue).await.iter().map(claim).collect();
    let id = claims[0].call.id;
    wish(&book, None, id, Wish::Cancel).await;
    assert!(commit(&book.db, &lane, 1, &Group { claims, ..Group::default() }).await.unwrap().is_empty());
    assert_eq!(call(&book, id).await.status, CallStatus::Canceled.code());
    assert_eq!(queue_of(&book, queue).await.dialing, 0);
}

async fn a_wish_about_a_live_call_is_kept_for_its_lane_until_it_is_done(book: Book) {
    let queue = book.queue(1, 1).await;
    let lane = book.lane("a").await.unwrap();
    let claims = claim_all(&book, &lane, 1, queue).await;
    let id = claims[0].call.id;
    for _ in 0..2 {
        assert_eq!(wish(&book, Some(book.client), id, Wish::Cancel).await, Some(Answer::HangingUp));
    }
    let kept = [Command { call: id, wish: Wish::Cancel }];
    assert_eq!(wishes(&book).await, kept, "asked for twice, kept once");
    let note = events::of_call(&mut book.db.read().await.unwrap(), None, id).await.unwrap().pop().unwrap();
    assert_eq!((note.kind, note.attempt), (EventKind::Note as i16, None), "it wakes the lane");
    // A lane that settles what still lives is wrong, and changes nothing.
    commit(&book.db, &lane, 2, &Group { settled: vec![id], ..Group::default() }).await.unwrap();
    assert_eq!(wishes(&book).await, kept);
    let changes = vec![ended(&claims[0], CallStatus::Dialing, Outcome::Canceled, None)];
    commit(&book.db, &lane, 3, &Group { changes, settled: vec![id], ..Group::default() }).await.unwrap();
    assert!(wishes(&book).await.is_empty());
    assert_eq!(call(&book, id).await.status, CallStatus::Canceled.code());
    assert_eq!(queue_of(&book, queue).await.canceled, 1);
}

async fn a_call_that_failed_meanwhile_is_canceled_instead_of_tried_again(book: Book) {
    let queue = book.queue(1, 1).await;
    let lane = book.lane("a").await.unwrap();
    let claims = claim_all(&book, &lane, 1, queue).await;
    let id = claims[0].call.id;
    wish(&book, None, id, Wish::HangUp).await;
    let changes = vec![ended(&claims[0], CallStatus::Dialing, Outcome::Busy, Some(NOW))];
    commit(&book.db, &lane, 2, &Group { changes, settled: vec![id], ..Group::default() }).await.unwrap();
    let queue = queue_of(&book, queue).await;
    assert_eq!((queue.retrying, queue.canceled, queue.status), (0, 1, QueueStatus::Completed.code()));
    assert!(wishes(&book).await.is_empty());
}

async fn a_wish_that_does_not_fit_is_refused_with_where_the_call_stands(book: Book) {
    let queue = book.queue(1, 1).await;
    let lane = book.lane("a").await.unwrap();
    let id = CallId::from(due(&book, queue).await[0].id);
    assert_eq!(wish(&book, None, id, Wish::HangUp).await, Some(Answer::Refused(CallStatus::Queued)));
    let claims = claim_all(&book, &lane, 1, queue).await;
    let answered = What::Moved { from: CallStatus::Dialing, to: CallStatus::Answered };
    let changes = vec![change(&claims[0], answered)];
    commit(&book.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    assert_eq!(wish(&book, None, id, Wish::Cancel).await, Some(Answer::Refused(CallStatus::Answered)));
    let changes = vec![ended(&claims[0], CallStatus::Answered, Outcome::Answered, None)];
    commit(&book.db, &lane, 3, &Group { changes, ..Group::default() }).await.unwrap();
    for wanted in [Wish::Cancel, Wish::HangUp] {
        assert_eq!(wish(&book, None, id, wanted).await, Some(Answer::Refused(CallStatus::Completed)));
    }
    assert!(wishes(&book).await.is_empty());
}

async fn a_foreign_call_is_none(book: Book) {
    let queue = book.queue(1, 1).await;
    let id = CallId::from(due(&book, queue).await[0].id);
    let other = book.another_client().await;
    assert_eq!(wish(&book, Some(other), id, Wish::Cancel).await, None);
    assert_eq!(wish(&book, None, CallId::new(), Wish::Cancel).await, None);
    assert_eq!(call(&book, id).await.status, CallStatus::Queued.code());
}

async fn a_claim_and_a_cancel_of_one_moment_have_one_winner(book: Book) {
    let queue = book.queue(1, 40).await;
    let lane = book.lane("a").await.unwrap();
    let claims: Vec<_> = due(&book, queue).await.iter().map(claim).collect();
    let claiming = async {
        let mut granted = 0;
        for (claim, number) in claims.iter().zip(1..) {
            let group = Group { claims: vec![claim.clone()], ..Group::default() };
            granted += commit(&book.db, &lane, number, &group).await.unwrap().len();
        }
        granted
    };
    let canceling = async {
        let mut canceled = 0;
        for claim in &claims {
            let answer = wish(&book, Some(book.client), claim.call.id, Wish::Cancel).await;
            canceled += usize::from(answer == Some(Answer::Canceled));
        }
        canceled
    };
    let (granted, canceled) = tokio::join!(claiming, canceling);
    assert_eq!(granted + canceled, 40);
    let queue = queue_of(&book, queue).await;
    assert_eq!((queue.dialing, queue.canceled, queue.queued), (granted as i64, canceled as i64, 0));
    assert_eq!(wishes(&book).await.len(), granted, "those that lost to the claim are for the lane");
}

async fn notes_reach_calls_that_are_not_live_and_only_their_own_clients(book: Book) {
    let queue = book.queue(1, 1).await;
    let lane = book.lane("a").await.unwrap();
    let id = CallId::from(due(&book, queue).await[0].id);
    let note = |call, client_id, text: &str| Note { call, client_id, at: NOW, text: text.into() };
    let notes = vec![
        note(id, None, "from a channel of no call"),
        note(id, Some(book.client), "from its client's channel"),
        note(id, Some(book.client + 1), "from another client's channel"),
        note(CallId::new(), None, "about no call"),
    ];
    commit(&book.db, &lane, 1, &Group { notes, ..Group::default() }).await.unwrap();
    assert_eq!(notes_of(&book, id).await, ["from a channel of no call", "from its client's channel"]);
    let all = events::after(&mut book.db.read().await.unwrap(), 0, 100).await.unwrap();
    let mine = Filter { client_id: Some(book.client), ..Filter::default() };
    assert!(all.iter().all(|event| mine.wants(event)));
}

async fn a_call_takes_a_hundred_notes_an_attempt(book: Book) {
    let queue = book.queue(1, 1).await;
    let lane = book.lane("a").await.unwrap();
    let id = CallId::from(due(&book, queue).await[0].id);
    for number in 1..=3 {
        let notes = vec![Note { call: id, client_id: None, at: NOW, text: "again".into() }; 60];
        commit(&book.db, &lane, number, &Group { notes, ..Group::default() }).await.unwrap();
    }
    assert_eq!(notes_of(&book, id).await.len(), 100);
}

async fn a_late_record_corrects_what_is_billed_and_nothing_else(book: Book) {
    let queue = book.queue(1, 1).await;
    let lane = book.lane("a").await.unwrap();
    let claims = claim_all(&book, &lane, 1, queue).await;
    let answered = What::Moved { from: CallStatus::Dialing, to: CallStatus::Answered };
    let end = ended(&claims[0], CallStatus::Answered, Outcome::Answered, None);
    let changes = vec![change(&claims[0], answered), end];
    commit(&book.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    let (before, told) = (call(&book, claims[0].call.id).await, kinds(&book).await.len());
    let changes = vec![change(&claims[0], What::Billed { seconds: 8 })];
    commit(&book.db, &lane, 3, &Group { changes, ..Group::default() }).await.unwrap();
    let after = call(&book, claims[0].call.id).await;
    assert_eq!((before.billable_seconds, after.billable_seconds), (Some(7), Some(8)));
    let kept = |call: &Call| (call.status, call.outcome, call.ended_at, call.hangup_cause, call.answered_at);
    assert_eq!(kept(&after), kept(&before));
    assert_eq!((kinds(&book).await.len(), queue_of(&book, queue).await.completed), (told, 1));
}

async fn a_call_that_has_to_wait_is_due_later(book: Book) {
    let queue = book.queue(1, 1).await;
    let lane = book.lane("a").await.unwrap();
    let claims = claim_all(&book, &lane, 1, queue).await;
    let later = Millis(NOW.0 + 5_000);
    let withdrawn = vec![Withdrawal { claim: claims[0].clone(), why: "it waits", due: Some(later) }];
    commit(&book.db, &lane, 2, &Group { withdrawn, ..Group::default() }).await.unwrap();
    assert!(due(&book, queue).await.is_empty());
    let waiting = call(&book, claims[0].call.id).await;
    assert_eq!((waiting.status, waiting.attempts, waiting.due_at), (CallStatus::Queued.code(), 0, later.0));
    assert_eq!(notes_of(&book, claims[0].call.id).await, ["it waits"]);
    assert_eq!(queue_of(&book, queue).await.queued, 1);
}
