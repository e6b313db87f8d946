//! Tests the audit: its entries, its chain of hashes, and that the database refuses to change it.

use diesel::{Connection, RunQueryDsl, SqliteConnection};
use trunkline::domain::audit_chain::ANCHOR;
use trunkline::domain::audit_verifier::{Broken, Flaw, Summary, Verifier};
use trunkline::store::{self, Conn, Db, audit};

use super::engines::on_both_engines;
use super::store::{NOW, Store};

on_both_engines!(
    an_audit_entry_is_there_with_its_change_and_not_without,
    the_audit_is_paged_from_either_end,
    the_audit_is_a_chain_without_gaps,
    the_database_refuses_to_change_the_audit,
    what_was_changed_in_spite_of_the_triggers_is_found,
    a_removed_end_is_found_by_the_head,
    entries_of_an_earlier_version_are_covered_by_an_anchor,
    two_nodes_that_write_at_once_make_one_chain,
);

/// An entry as a version without a chain writes it.
const OLD_ENTRY: &str = "INSERT INTO audit (at, actor, action, target, request_id, detail) \
     VALUES (1, 'bootstrap', 'CreateServer', 'servers/old', 'r', '{}')";

fn entry(target: &str) -> audit::NewEntry {
    audit::NewEntry {
        at: NOW.0,
        actor: "bootstrap".into(),
        action: "UpdateServer".into(),
        target: target.into(),
        remote_address: Some("127.0.0.1".into()),
        request_id: "r".into(),
        detail: "{}".into(),
        before: Some(r#"{"port":1}"#.into()),
        after: Some(r#"{"port":2}"#.into()),
    }
}

async fn append(db: &Db, target: &str) {
    let mut tx = db.begin().await.unwrap();
    audit::append(&mut tx, &entry(target)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn targets(db: &Db) -> Vec<String> {
    let all = audit::list_after(&mut db.read().await.unwrap(), 0, None, 1000).await.unwrap();
    all.into_iter().map(|entry| entry.target).collect()
}

async fn verify(db: &Db) -> Result<Summary, Broken> {
    let mut conn = db.read().await.unwrap();
    let mut verifier = Verifier::of_all();
    verifier.want(audit::head(&mut conn).await.unwrap().hash.parse().unwrap());
    for entry in audit::list_after(&mut conn, 0, None, 1000).await.unwrap() {
        verifier.add(&entry.content(), entry.link())?;
    }
    verifier.finish()
}

async fn flaw(db: &Db) -> (i64, Flaw) {
    let broken = verify(db).await.unwrap_err();
    (broken.id, broken.flaw)
}

/// Sends a statement as someone with access to the database does.
async fn raw(db: &Db, statement: &str) -> Result<usize, String> {
    let sent = match db.read().await.unwrap() {
        Conn::Postgres(mut conn) => diesel_async::RunQueryDsl::execute(diesel::sql_query(statement), &mut conn).await,
        Conn::Sqlite(_) => {
            let mut file = SqliteConnection::establish(db.file().unwrap().to_str().unwrap()).unwrap();
            diesel::sql_query("PRAGMA busy_timeout = 5000").execute(&mut file).unwrap();
            diesel::sql_query(statement).execute(&mut file)
        }
    };
    sent.map_err(|error| error.to_string())
}

async fn drop_triggers(db: &Db) {
    let statements: &[&str] = if db.file().is_some() {
        &[
            "DROP TRIGGER audit_is_never_changed",
            "DROP TRIGGER audit_is_never_shortened",
            "DROP TRIGGER audit_head_never_goes_back",
        ]
    } else {
        &["ALTER TABLE audit DISABLE TRIGGER USER", "ALTER TABLE audit_head DISABLE TRIGGER USER"]
    };
    for statement in statements {
        raw(db, statement).await.unwrap();
    }
}

async fn an_audit_entry_is_there_with_its_change_and_not_without(store: Store) {
    let mut tx = store.tx().await;
    audit::append(&mut tx, &entry("servers/lost")).await.unwrap();
    tx.rollback().await.unwrap();
    append(&store.db, "servers/kept").await;
    assert_eq!(targets(&store.db).await, ["servers/kept"]);
    verify(&store.db).await.unwrap();
}

async fn the_audit_is_paged_from_either_end(store: Store) {
    let mut tx = store.tx().await;
    for target in ["1", "2", "3"] {
        audit::append(&mut tx, &entry(target)).await.unwrap();
    }
    let targets =
        |pages: [&[audit::Entry]; 2]| -> Vec<String> { pages.concat().into_iter().map(|entry| entry.target).collect() };
    let page = audit::list(&mut tx, None, 2).await.unwrap();
    let next = audit::list(&mut tx, Some(page[1].id), 2).await.unwrap();
    assert_eq!(targets([&page, &next]), ["3", "2", "1"]);
    let page = audit::list_after(&mut tx, 0, None, 2).await.unwrap();
    let next = audit::list_after(&mut tx, page[1].id, None, 2).await.unwrap();
    assert_eq!(targets([&page, &next]), ["1", "2", "3"]);
    assert_eq!((page[0].before.as_deref(), page[0].after.as_deref()), (Some(r#"{"port":1}"#), Some(r#"{"port":2}"#)));
}

async fn the_audit_is_a_chain_without_gaps(store: Store) {
    assert_eq!(verify(&store.db).await.unwrap().seqs, None, "an empty audit is not a valid chain");
    for target in ["1", "2"] {
        append(&store.db, target).await;
        // On PostgreSQL, this one takes an id that is then missing.
        let mut tx = store.tx().await;
        audit::append(&mut tx, &entry("lost")).await.unwrap();
        tx.rollback().await.unwrap();
    }
    append(&store.db, "3").await;
    let summary = verify(&store.db).await.unwrap();
    assert_eq!((summary.entries, summary.seqs, summary.missing), (3, Some((1, 3)), vec![]));
    let head = audit::head(&mut store.db.read().await.unwrap()).await.unwrap();
    assert_eq!((head.seq, head.hash), (3, summary.head.to_string()));
}

async fn the_database_refuses_to_change_the_audit(store: Store) {
    append(&store.db, "1").await;
    append(&store.db, "2").await;
    let mut statements = vec![
        "UPDATE audit SET actor = 'mallory'",
        "UPDATE audit SET hash = NULL",
        "DELETE FROM audit WHERE target = '2'",
        "UPDATE audit_head SET seq = seq - 1",
        "DELETE FROM audit_head",
    ];
    if store.db.file().is_some() {
        statements.push(
            "INSERT OR REPLACE INTO audit (id, at, actor, action, target, request_id, detail) \
             VALUES (1, 1, 'mallory', 'a', 't', 'r', '{}')",
        );
        statements.push(
            "INSERT OR REPLACE INTO audit (at, actor, action, target, request_id, detail, seq) \
             VALUES (1, 'mallory', 'a', 't', 'r', '{}', 2)",
        );
    } else {
        statements.extend(["TRUNCATE audit", "TRUNCATE audit_head"]);
    }
    for statement in statements {
        let refused = raw(&store.db, statement).await.expect_err(statement);
        assert!(refused.contains("never"), "{statement}: {refused}");
    }
    assert_eq!(targets(&store.db).await, ["1", "2"]);
    verify(&store.db).await.unwrap();
}

async fn what_was_changed_in_spite_of_the_triggers_is_found(store: Store) {
    for target in ["1", "2", "3"] {
        append(&store.db, target).await;
    }
    drop_triggers(&store.db).await;
    let ids: Vec<i64> = audit::list_after(&mut store.db.read().await.unwrap(), 0, None, 9)
        .await
        .unwrap()
        .iter()
        .map(|entry| entry.id)
        .collect();
    for column in ["actor", "action", "target", "request_id", "detail", "remote_address"] {
        raw(&store.db, &format!("UPDATE audit SET {column} = 'x' || {column} WHERE target LIKE '%2'")).await.unwrap();
        assert_eq!(flaw(&store.db).await, (ids[1], Flaw::Changed), "a changed {column} was not found");
        let back = format!("UPDATE audit SET {column} = substr({column}, 2) WHERE target LIKE '%2'");
        raw(&store.db, &back).await.unwrap();
        verify(&store.db).await.unwrap();
    }
    raw(&store.db, "UPDATE audit SET \"after\" = NULL WHERE target = '3'").await.unwrap();
    assert_eq!(flaw(&store.db).await, (ids[2], Flaw::Changed));
    raw(&store.db, "DELETE FROM audit WHERE target = '2'").await.unwrap();
    assert_eq!(flaw(&store.db).await, (ids[2], Flaw::Seq { expected: 2 }));
}

async fn a_removed_end_is_found_by_the_head(store: Store) {
    for target in ["1", "2"] {
        append(&store.db, target).await;
    }
    let kept = verify(&store.db).await.unwrap().head;
    drop_triggers(&store.db).await;
    raw(&store.db, "DELETE FROM audit WHERE target = '2'").await.unwrap();
    assert_eq!(verify(&store.db).await.unwrap().missing, [kept], "the end in the database did not show it");
}

async fn entries_of_an_earlier_version_are_covered_by_an_anchor(store: Store) {
    for _ in 0..2 {
        raw(&store.db, OLD_ENTRY).await.unwrap();
    }
    assert_eq!(flaw(&store.db).await.1, Flaw::Unchained);
    audit::cover_unchained(&store.db).await.unwrap();
    audit::cover_unchained(&store.db).await.unwrap();
    assert_eq!(verify(&store.db).await.unwrap().entries, 3, "the second time, there was something left to cover");
    // A node of the earlier version is still running.
    append(&store.db, "new").await;
    raw(&store.db, OLD_ENTRY).await.unwrap();
    append(&store.db, "newer").await;
    let all = targets(&store.db).await;
    assert_eq!(all, ["servers/old", "servers/old", "audit", "new", "servers/old", "audit", "newer"]);
    let entries = audit::list_after(&mut store.db.read().await.unwrap(), 0, None, 9).await.unwrap();
    assert_eq!((entries[2].action.as_str(), entries[2].actor.as_str()), (ANCHOR, "trunkline"));
    assert_eq!(verify(&store.db).await.unwrap().seqs, Some((1, 4)));
    drop_triggers(&store.db).await;
    raw(&store.db, &format!("UPDATE audit SET actor = 'mallory' WHERE id = {}", entries[4].id)).await.unwrap();
    assert_eq!(flaw(&store.db).await, (entries[5].id, Flaw::Uncovered));
}

async fn two_nodes_that_write_at_once_make_one_chain(store: Store) {
    let own_url = store.db.file().map(|file| format!("sqlite://{}", file.display()));
    let url = own_url.unwrap_or_else(|| store.db.shared_url().unwrap().to_owned());
    let nodes = [store::open(&url).unwrap(), store::open(&url).unwrap()];
    let write = |db: Db, node: usize| async move {
        for number in 0..20 {
            append(&db, &format!("{node}/{number}")).await;
        }
    };
    let tasks: Vec<_> = (0..4).map(|task| tokio::spawn(write(nodes[task % 2].clone(), task))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let summary = verify(&store.db).await.unwrap();
    assert_eq!((summary.entries, summary.seqs, summary.missing), (80, Some((1, 80)), vec![]));
}
