//! Tests that a number on a do-not-call list is found however it and the call were written.

use diesel::{Connection, SqliteConnection};
use diesel_async::RunQueryDsl;
use trunkline::domain::commit::{Checks, Claim, Group};
use trunkline::domain::number::{Numbering, read};
use trunkline::store::journal::commit;
use trunkline::store::lanes::{self, Place};
use trunkline::store::{Conn, do_not_call};

use super::engines::on_both_engines;
use super::store::{NOW, SERVER, Store, claim};

on_both_engines!(
    a_listed_number_grants_no_claim_in_any_spelling,
    a_number_that_an_earlier_version_listed_is_found_and_removed_with_its_prefix,
);

/// The migration, whose statements about the list are the same for both engines.
const MIGRATION: &str = include_str!("../../migrations/postgres/2026-11-27-083500_store_what_numbers_mean/up.sql");

async fn a_listed_number_grants_no_claim_in_any_spelling(store: Store) {
    let german =
        Numbering { country_code: Some("49".into()), national_prefix: Some("0".into()), ..Numbering::default() };
    let spellings = [
        "+49 (0)30 23125-018",
        "0049 30 23125018",
        "01149 30 23125018",
        "030 23125018",
        "+49 030 23125018",
        "493023125018",
    ];
    let id = store.queue(1, 1).await;
    let lane = store.lane("a").await.unwrap();
    let mut group = 0;
    for listed in spellings {
        let entry = Numbering::listed(&read(listed).unwrap());
        let mut tx = store.tx().await;
        do_not_call::add(&mut tx, do_not_call::PLATFORM, &[(entry.clone(), None)], NOW).await.unwrap();
        tx.commit().await.unwrap();
        for dialed in spellings {
            let checks = Checks { numbers: german.compared(&read(dialed).unwrap()), ..Checks::default() };
            let place = Place { server: SERVER, queue_id: id, time_zone: "" };
            let due = lanes::due(&mut store.db.read().await.unwrap(), place, None, NOW, 1).await.unwrap();
            let claims = vec![Claim { checks: checks.clone(), ..claim(&due[0]) }];
            group += 1;
            let granted = commit(&store.db, &lane, group, &Group { claims, ..Group::default() }).await.unwrap();
            assert!(granted.is_empty(), "{dialed} is dialed, {listed} is listed");
            let found = do_not_call::listed(&mut store.db.read().await.unwrap(), store.client, &checks.numbers).await;
            assert!(found.unwrap().contains(&entry), "{dialed} is inserted, {listed} is listed");
        }
        let mut tx = store.tx().await;
        assert!(do_not_call::remove(&mut tx, do_not_call::PLATFORM, &entry).await.unwrap());
        tx.commit().await.unwrap();
    }
}

async fn a_number_that_an_earlier_version_listed_is_found_and_removed_with_its_prefix(store: Store) {
    let mut tx = store.tx().await;
    let stored = ["00493023125018", "011493023125018", "011442079460000", "000", "12025550143"];
    let stored = stored.map(|number| (number.to_owned(), Some("asked".to_owned())));
    do_not_call::add(&mut tx, store.client, &stored, NOW).await.unwrap();
    tx.commit().await.unwrap();
    for statement in MIGRATION.split(';').filter(|statement| statement.contains("INSERT INTO do_not_call")) {
        match store.db.read().await.unwrap() {
            Conn::Postgres(mut conn) => diesel::sql_query(statement).execute(&mut conn).await.unwrap(),
            Conn::Sqlite(_) => {
                let mut file = SqliteConnection::establish(store.db.file().unwrap().to_str().unwrap()).unwrap();
                diesel::RunQueryDsl::execute(diesel::sql_query(statement), &mut file).unwrap()
            }
        };
    }
    let mut tx = store.tx().await;
    let (entries, _) = do_not_call::list(&mut tx, store.client, 0, 10).await.unwrap();
    let numbers: Vec<&str> = entries.iter().map(|entry| entry.number.as_str()).collect();
    let all =
        ["000", "00493023125018", "011442079460000", "011493023125018", "12025550143", "442079460000", "493023125018"];
    assert_eq!(numbers, all);
    assert!(entries.iter().all(|entry| entry.reason.as_deref() == Some("asked")));
    assert!(do_not_call::remove(&mut tx, store.client, "493023125018").await.unwrap());
    let (entries, _) = do_not_call::list(&mut tx, store.client, 0, 10).await.unwrap();
    let numbers: Vec<&str> = entries.iter().map(|entry| entry.number.as_str()).collect();
    assert_eq!(numbers, ["000", "011442079460000", "12025550143", "442079460000"]);
}
