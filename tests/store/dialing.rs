//! Tests the checks in the commit of a claim, and what lanes read about queues and clients.

use trunkline::domain::commit::{Checks, Claim, Deferral, Group, Refusal, What};
use trunkline::domain::destination::{self, Destination};
use trunkline::domain::status::{CallStatus, Outcome};
use trunkline::domain::time::{DAY, Millis};
use trunkline::domain::transitions::IllegalTransition;
use trunkline::store::StoreError;
use trunkline::store::calls::Call;
use trunkline::store::destinations;
use trunkline::store::journal::{LaneRef, commit};
use trunkline::store::lanes::{self, Place};
use trunkline::store::settings::{self, KillSwitch};
use trunkline::store::{calls, do_not_call, events, queues};

use super::conformance::change;
use super::engines::on_both_engines;
use super::store::{NOW, SERVER, Store, claim, withdrawal};

on_both_engines!(
    an_engaged_kill_switch_grants_no_claim,
    a_number_that_is_listed_grants_no_claim,
    a_number_is_called_only_so_often_a_day,
    calls_of_another_day_wait_and_are_released_when_the_limit_changes,
    a_forbidden_call_ends_with_an_event,
    calls_are_read_by_their_time_zone,
    reading_continues_where_the_last_read_ended,
    only_clients_that_were_granted_the_server_may_dial,
    a_move_that_no_rule_lists_is_refused_with_all_of_its_group,
);

async fn due(store: &Store, queue_id: i64, time_zone: &str, now: Millis) -> Vec<Call> {
    let place = Place { server: SERVER, queue_id, time_zone };
    lanes::due(&mut store.db.read().await.unwrap(), place, None, now, 1000).await.unwrap()
}

async fn reading_continues_where_the_last_read_ended(store: Store) {
    // All calls are of one batch and therefore due at the same time.
    let id = store.queue(1, 5).await;
    let all: Vec<_> = due(&store, id, "", NOW).await.iter().map(|call| call.id).collect();
    let place = Place { server: SERVER, queue_id: id, time_zone: "" };
    let (mut after, mut read) = (None, Vec::new());
    for rows in [2, 2, 1, 0] {
        let next = lanes::due(&mut store.db.read().await.unwrap(), place, after, NOW, 2).await.unwrap();
        assert_eq!(next.len(), rows);
        after = next.last().map(|call| (call.due_at, call.position)).or(after);
        read.extend(next.iter().map(|call| call.id));
    }
    assert_eq!(read, all);
}

async fn claims(store: &Store, queue: i64, checks: Checks) -> Vec<Claim> {
    due(store, queue, "", NOW).await.iter().map(|call| Claim { checks: checks.clone(), ..claim(call) }).collect()
}

async fn granted(store: &Store, lane: &LaneRef, number: i64, claims: &[Claim]) -> usize {
    let group = Group { claims: claims.to_vec(), ..Group::default() };
    commit(&store.db, lane, number, &group).await.unwrap().len()
}

async fn an_engaged_kill_switch_grants_no_claim(store: Store) {
    let id = store.queue(1, 2).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claims(&store, id, Checks::default()).await;
    for (number, engaged, expected) in [(1, true, 0), (2, false, 2)] {
        let mut tx = store.tx().await;
        settings::set(&mut tx, &KillSwitch { engaged, reason: Some("drill".into()) }, NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(granted(&store, &lane, number, &claims).await, expected, "engaged: {engaged}");
    }
}

async fn a_number_that_is_listed_grants_no_claim(store: Store) {
    let id = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let dialed = Checks { numbers: vec!["491".into(), "492".into()], ..Checks::default() };
    let claims = claims(&store, id, dialed).await;
    let mut number = 0;
    let other = store.another_client().await;
    for (client, listed, expected) in
        [(do_not_call::PLATFORM, "491", 0), (store.client, "492", 0), (store.client, "493", 1)]
    {
        number += 1;
        let mut tx = store.tx().await;
        // Another client's list does not matter.
        do_not_call::add(&mut tx, other, &[("491".into(), None)], NOW).await.unwrap();
        do_not_call::add(&mut tx, client, &[(listed.into(), None)], NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert!(do_not_call::any(&mut store.db.read().await.unwrap()).await.unwrap());
        assert_eq!(granted(&store, &lane, number, &claims).await, expected, "{listed}");
        let mut tx = store.tx().await;
        do_not_call::remove(&mut tx, client, listed).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn a_number_is_called_only_so_often_a_day(store: Store) {
    let id = store.queue(1, 3).await;
    let lane = store.lane("a").await.unwrap();
    let (day, _) = destination::day(NOW);
    let destination = Destination { number: "491".into(), day, limit: 1 };
    // Every leg counts: the second number of each call is called as well.
    let other = Destination { number: "492".into(), ..destination.clone() };
    let checks = Checks { destinations: vec![destination.clone(), other.clone()], ..Checks::default() };
    let claims = claims(&store, id, checks).await;
    assert_eq!(granted(&store, &lane, 1, &claims[..1]).await, 1);
    assert_eq!(granted(&store, &lane, 2, &claims[1..2]).await, 0, "the number was already called today");
    let as_second = Checks {
        destinations: vec![Destination { number: "493".into(), ..destination.clone() }, other],
        ..Checks::default()
    };
    let as_second = Claim { checks: as_second, ..claims[1].clone() };
    assert_eq!(granted(&store, &lane, 3, &[as_second]).await, 0, "its second leg was already called today");
    let called = async || {
        let mut conn = store.db.read().await.unwrap();
        destinations::counts(&mut conn, store.client, &["491".to_owned()], day).await.unwrap()["491"]
    };
    assert_eq!(called().await, 1);
    let withdrawn = Group { withdrawn: vec![withdrawal(claims[0].clone())], ..Group::default() };
    commit(&store.db, &lane, 4, &withdrawn).await.unwrap();
    assert_eq!(called().await, 0, "a withdrawn claim was counted");
    assert_eq!(granted(&store, &lane, 5, &claims[1..2]).await, 1);
    let tomorrow = Destination { day: day + 1, ..destination };
    let checks = Checks { destinations: vec![tomorrow], ..Checks::default() };
    assert_eq!(granted(&store, &lane, 6, &[Claim { checks, ..claims[2].clone() }]).await, 1);
    let mut tx = store.tx().await;
    assert_eq!(destinations::forget(&mut tx, day + 1).await.unwrap(), 3);
}

async fn calls_of_another_day_wait_and_are_released_when_the_limit_changes(store: Store) {
    let id = store.queue(1, 3).await;
    let lane = store.lane("a").await.unwrap();
    let read = due(&store, id, "", NOW).await;
    let until = destination::day(NOW).1;
    assert!(until.0 % DAY == 0 && until > NOW);
    let deferrals = read[..2].iter().map(|call| Deferral { call: claim(call).call, until }).collect();
    commit(&store.db, &lane, 1, &Group { deferrals, ..Group::default() }).await.unwrap();
    assert_eq!(due(&store, id, "", NOW).await.len(), 1);
    assert_eq!(due(&store, id, "", until).await.len(), 3, "the calls are not due on the next day");
    let mut conn = store.db.read().await.unwrap();
    assert_eq!(destinations::waiting(&mut conn, SERVER, id, NOW).await.unwrap(), Some((2, until)));
    drop(conn);
    let mut tx = store.tx().await;
    assert_eq!(destinations::release(&mut tx, SERVER, &[store.client + 1], NOW).await.unwrap(), 0);
    assert_eq!(destinations::release(&mut tx, SERVER, &[store.client], NOW).await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(due(&store, id, "", NOW).await.len(), 3);
}

async fn a_forbidden_call_ends_with_an_event(store: Store) {
    let id = store.queue(1, 3).await;
    let lane = store.lane("a").await.unwrap();
    let read = due(&store, id, "", NOW).await;
    let refusal = |call: &Call, outcome, why: &str| Refusal {
        call: claim(call).call,
        from: CallStatus::Queued,
        at: NOW,
        outcome,
        why: why.into(),
    };
    let refusals = vec![refusal(&read[0], Outcome::Canceled, "listed"), refusal(&read[1], Outcome::Rejected, "denied")];
    // The call was read twice and is therefore refused twice; it has one event.
    for number in 1..=2 {
        let group = Group { refusals: refusals.clone(), ..Group::default() };
        commit(&store.db, &lane, number, &group).await.unwrap();
    }
    let mut conn = store.db.read().await.unwrap();
    let queue = queues::get(&mut conn, store.client, id).await.unwrap().unwrap();
    assert_eq!((queue.queued, queue.canceled, queue.failed), (1, 1, 1));
    for (call, status, why) in [(&read[0], CallStatus::Canceled, "listed"), (&read[1], CallStatus::Failed, "denied")] {
        let seen = events::of_call(&mut conn, Some(store.client), call.id.into()).await.unwrap();
        assert_eq!(seen.iter().map(|event| event.detail.as_deref()).collect::<Vec<_>>(), [Some(why)]);
        let call = calls::get(&mut conn, None, call.id.into()).await.unwrap().unwrap();
        assert_eq!((call.status, call.attempts), (status.code(), 0));
    }
}

async fn calls_are_read_by_their_time_zone(store: Store) {
    let mut batch = store.batch(1, None, 5);
    batch.calls[1].spec.time_zone = Some("Asia/Tokyo".into());
    batch.calls[3].spec.time_zone = Some("Asia/Tokyo".into());
    batch.calls[4].spec.time_zone = Some("Europe/Berlin".into());
    store.insert_batch(&batch).await;
    let mut conn = store.db.read().await.unwrap();
    let runnable = lanes::runnable(&mut conn, SERVER, NOW).await.unwrap();
    assert_eq!((runnable.len(), runnable[0].priority, runnable[0].weight), (1, 5, 1));
    let id = runnable[0].queue.id;
    assert_eq!(lanes::time_zones(&mut conn, SERVER, id).await.unwrap(), ["", "Asia/Tokyo", "Europe/Berlin"]);
    assert_eq!(lanes::time_zones(&mut conn, SERVER, id + 1).await.unwrap(), Vec::<String>::new());
    let positions = |calls: Vec<Call>| calls.iter().map(|call| call.position).collect::<Vec<_>>();
    assert_eq!(positions(due(&store, id, "", NOW).await), [1, 3]);
    assert_eq!(positions(due(&store, id, "Asia/Tokyo", NOW).await), [2, 4]);
    let before = Millis(NOW.0 - 1);
    let place = Place { server: SERVER, queue_id: id, time_zone: "Asia/Tokyo" };
    let next = lanes::next_due(&mut conn, place, before).await.unwrap();
    assert_eq!(next, None, "a call without an attempt is scheduled, and waits for no further one");
}

async fn only_clients_that_were_granted_the_server_may_dial(store: Store) {
    let mut conn = store.db.read().await.unwrap();
    let may: Vec<i64> = lanes::clients(&mut conn, SERVER).await.unwrap().iter().map(|client| client.id).collect();
    assert_eq!(may, [store.client]);
    assert!(lanes::clients(&mut conn, "server2").await.unwrap().is_empty());
    let limits = lanes::server_limits(&mut conn, SERVER).await.unwrap().unwrap();
    assert_eq!((limits.max_channels, limits.trunks.as_str()), (10, "[]"));
    assert!(lanes::server_limits(&mut conn, "server2").await.unwrap().is_none());
}

async fn a_move_that_no_rule_lists_is_refused_with_all_of_its_group(store: Store) {
    let id = store.queue(1, 2).await;
    let lane = store.lane("a").await.unwrap();
    let claims = claims(&store, id, Checks::default()).await;
    assert_eq!(granted(&store, &lane, 1, &claims).await, 2);
    let (legal, illegal) = ((CallStatus::Dialing, CallStatus::Ringing), (CallStatus::Answered, CallStatus::Ringing));
    let moves = [legal, illegal].into_iter().zip(&claims);
    let changes = moves.map(|((from, to), claim)| change(claim, What::Moved { from, to })).collect();
    let error = commit(&store.db, &lane, 2, &Group { changes, ..Group::default() }).await.unwrap_err();
    let expected = IllegalTransition::Move { from: illegal.0, to: illegal.1 };
    assert!(matches!(error, StoreError::IllegalTransition(why) if why == expected), "{error}");
    let queue = queues::get(&mut store.db.read().await.unwrap(), store.client, id).await.unwrap().unwrap();
    assert_eq!((queue.dialing, queue.ringing), (2, 0), "nothing of the group was kept");
}
