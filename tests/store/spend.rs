//! Tests that what a client spends on a day is counted exactly, whichever lane spends it.

use std::collections::HashSet;

use trunkline::domain::commit::{Change, Checks, Claim, Group, What};
use trunkline::domain::destination::day;
use trunkline::domain::spend::{SpendLimits, Spent};
use trunkline::domain::status::{CallStatus, Outcome};
use trunkline::domain::time::Millis;
use trunkline::store::client_days;
use trunkline::store::journal::commit;

use super::conformance::due;
use super::engines::on_both_engines;
use super::store::{NOW, Store, claim, withdrawal};

on_both_engines!(
    legs_are_counted_until_the_limit_is_reached_and_given_back_when_withdrawn,
    lanes_that_claim_at_once_never_exceed_the_limit_together,
    minutes_are_those_of_ended_calls_and_of_live_ones_so_far,
    the_counts_of_past_days_are_forgotten,
);

fn limited(claim: Claim, legs: i32, calls: Option<i32>, minutes: Option<i32>) -> Claim {
    let checks = Checks { legs, spend: Some(SpendLimits { calls, minutes }), ..claim.checks };
    Claim { checks, ..claim }
}

async fn spent(store: &Store, now: Millis) -> Spent {
    let mut conn = store.db.read().await.unwrap();
    let spent = client_days::spent(&mut conn, &[store.client], day(now).0, now).await.unwrap();
    spent.get(&store.client).copied().unwrap_or_default()
}

async fn legs_are_counted_until_the_limit_is_reached_and_given_back_when_withdrawn(store: Store) {
    let id = store.queue(1, 6).await;
    let lane = store.lane("a").await.unwrap();
    let claims: Vec<Claim> = due(&store, id).await.iter().map(|call| limited(claim(call), 2, Some(5), None)).collect();
    let group = Group { claims: claims[..2].to_vec(), ..Group::default() };
    assert_eq!(commit(&store.db, &lane, 1, &group).await.unwrap().len(), 2);
    assert_eq!(commit(&store.db, &lane, 1, &group).await.unwrap().len(), 2, "a group that is committed again");
    assert_eq!(spent(&store, NOW).await, Spent { calls: 4, seconds: 0 });
    let group = Group { claims: claims[2..5].to_vec(), ..Group::default() };
    let granted = commit(&store.db, &lane, 2, &group).await.unwrap();
    assert_eq!(granted, HashSet::from([claims[2].call.id]), "the last call may exceed the limit by its own legs");
    assert_eq!(spent(&store, NOW).await.calls, 6);
    let withdrawn = claims[..3].iter().cloned().map(withdrawal).collect();
    commit(&store.db, &lane, 3, &Group { withdrawn, ..Group::default() }).await.unwrap();
    assert_eq!(spent(&store, NOW).await.calls, 0);
    let tomorrow = Millis(NOW.0 + 86_400_000);
    let group = Group { claims: vec![claims[5].clone()], ..Group::default() };
    assert_eq!(commit(&store.db, &lane, 4, &group).await.unwrap().len(), 1);
    assert_eq!(spent(&store, tomorrow).await, Spent::default(), "another day begins at 0");
}

async fn lanes_that_claim_at_once_never_exceed_the_limit_together(store: Store) {
    use trunkline::store::{leases, servers};
    let mut tx = store.tx().await;
    for index in 2..6 {
        let server = servers::Server { code: format!("server{index}"), ..super::store::server() };
        servers::insert(&mut tx, &server).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut lanes = Vec::new();
    for index in 2..6 {
        let mut batch = store.batch(index, None, 10);
        for call in &mut batch.calls {
            call.server_code = format!("server{index}");
        }
        store.insert_batch(&batch).await;
        let mut tx = store.tx().await;
        let server = format!("server{index}");
        let epoch =
            leases::acquire(&mut tx, &server, "a", std::time::Duration::from_secs(15), Millis::now()).await.unwrap();
        tx.commit().await.unwrap();
        let lane = trunkline::store::journal::LaneRef { server, epoch: epoch.unwrap() };
        let mut conn = store.db.read().await.unwrap();
        let ids: Vec<_> = batch.calls.iter().map(|call| call.id).collect();
        let mut claims = Vec::new();
        for id in ids {
            let call = trunkline::store::calls::get(&mut conn, None, id).await.unwrap().unwrap();
            claims.push(limited(claim(&call), 1, Some(12), None));
        }
        lanes.push((lane, claims));
    }
    let commits = lanes.iter().map(|(lane, claims)| {
        let db = &store.db;
        async move {
            let mut granted = 0;
            for (number, claim) in (1..).zip(claims) {
                let group = Group { claims: vec![claim.clone()], ..Group::default() };
                granted += commit(db, lane, number, &group).await.unwrap().len();
            }
            granted
        }
    });
    let granted: usize = futures_util::future::join_all(commits).await.into_iter().sum();
    assert_eq!((granted, spent(&store, NOW).await.calls), (12, 12));
}

async fn minutes_are_those_of_ended_calls_and_of_live_ones_so_far(store: Store) {
    let id = store.queue(1, 4).await;
    let lane = store.lane("a").await.unwrap();
    let claims: Vec<Claim> = due(&store, id).await.iter().map(claim).collect();
    let group = Group { claims: claims[..2].to_vec(), ..Group::default() };
    commit(&store.db, &lane, 1, &group).await.unwrap();
    let change = |claim: &Claim, at: Millis, what| {
        let Claim { call, attempt, number, .. } = *claim;
        Change { call, attempt, number, at, what }
    };
    // The store compares live calls with the present time.
    let now = Millis::now();
    let answered = Millis(now.0 - 90_000);
    let to_answered = || What::Moved { from: CallStatus::Dialing, to: CallStatus::Answered };
    let changes = claims[..2].iter().map(|claim| change(claim, answered, to_answered())).collect();
    commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap();
    assert_eq!(spent(&store, now).await.seconds, 180);
    let minutes = |index: usize, minutes| {
        let claim = limited(Claim { at: now, ..claims[index].clone() }, 1, None, Some(minutes));
        Group { claims: vec![claim], ..Group::default() }
    };
    assert!(commit(&store.db, &lane, 3, &minutes(2, 3)).await.unwrap().is_empty(), "three minutes are used");
    let outcome = Outcome::Answered;
    let ended = What::Ended {
        from: CallStatus::Answered,
        outcome,
        cause: None,
        billable_seconds: Some(60),
        next_try: None,
        began: NOW,
        details: None,
    };
    let changes = vec![change(&claims[0], now, ended)];
    commit(&store.db, &lane, 4, &Group { changes, ..Group::default() }).await.unwrap();
    assert_eq!(spent(&store, now).await.seconds, 150, "60 s of the ended call, and 90 s of the live one");
    let changes = vec![change(&claims[0], now, What::Billed { seconds: 50, more: -10 })];
    commit(&store.db, &lane, 5, &Group { changes, ..Group::default() }).await.unwrap();
    assert_eq!(spent(&store, now).await.seconds, 140);
    assert_eq!(commit(&store.db, &lane, 6, &minutes(2, 3)).await.unwrap().len(), 1);
    assert!(commit(&store.db, &lane, 7, &minutes(3, 2)).await.unwrap().is_empty());
}

async fn the_counts_of_past_days_are_forgotten(store: Store) {
    let id = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let claims = due(&store, id).await.iter().map(|call| limited(claim(call), 1, Some(5), None)).collect();
    commit(&store.db, &lane, 1, &Group { claims, ..Group::default() }).await.unwrap();
    let mut tx = store.tx().await;
    assert_eq!(client_days::forget(&mut tx, day(NOW).0).await.unwrap(), 0);
    assert_eq!(client_days::forget(&mut tx, day(NOW).0 + 1).await.unwrap(), 2, "the count and the row of the lock");
    tx.commit().await.unwrap();
}
