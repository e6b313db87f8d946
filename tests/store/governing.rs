//! Tests what administration relies on in the store, for both engines.

use std::collections::HashSet;

use trunkline::domain::ids::CallId;
use trunkline::domain::scope::Scope;
use trunkline::domain::status::{CallStatus, Outcome, ServerStatus};
use trunkline::domain::time::Millis;
use trunkline::store::batches::BatchResult;
use trunkline::store::clients::{Grant, NewClient};
use trunkline::store::do_not_call::{self, PLATFORM};
use trunkline::store::events::Filter;
use trunkline::store::servers::{Removal, Server};
use trunkline::store::settings::{self, KillSwitch, PlatformPolicy};
use trunkline::store::{calls, clients, events, keys, leases, live_calls, nodes, queues, servers};

use super::conformance::page;
use super::engines::on_both_engines;
use super::store::{NOW, SERVER, Store, new_call, server};

on_both_engines!(
    a_client_is_changed_and_a_grant_that_stays_keeps_its_limits,
    a_grant_is_set_again_and_taken_back_once,
    a_server_is_changed_only_where_it_is,
    a_server_in_use_is_not_removed,
    a_removed_server_leaves_its_name_and_can_be_added_again,
    a_node_is_heard_of_and_forgotten_after_a_day,
    a_drained_node_stays_so_when_it_joins_again,
    a_server_is_shown_as_draining_while_its_owner_is,
    a_lane_that_a_node_cannot_run_stays_free_and_says_why,
    a_setting_that_was_never_set_has_its_default,
    a_number_is_listed_once_for_a_client_or_for_all,
    a_call_that_is_stored_as_canceled_is_counted_and_has_an_event,
    what_waits_is_the_sum_over_a_clients_queues,
    a_transaction_that_is_rolled_back_leaves_nothing,
);

fn as_new(name: &str, servers: &[&str]) -> NewClient {
    let servers = servers.iter().map(|&code| code.to_owned()).collect();
    NewClient { name: name.into(), account_code: "a".into(), limits: "{}".into(), policy: "{}".into(), servers }
}

fn other_server() -> Server {
    Server { code: "server2".into(), ..server() }
}

async fn a_client_is_changed_and_a_grant_that_stays_keeps_its_limits(store: Store) {
    let mut tx = store.tx().await;
    servers::insert(&mut tx, &other_server()).await.unwrap();
    let limited = Grant {
        client_id: store.client,
        server_code: SERVER.into(),
        max_live_calls: Some(3),
        calls_per_second: Some(0.5),
        extensions: r#"["*98"]"#.into(),
    };
    clients::set_grant(&mut tx, &limited).await.unwrap();
    let later = Millis(NOW.0 + 1);
    let new = as_new("renamed", &[SERVER, "server2"]);
    assert!(clients::update(&mut tx, store.client, &new, true, later).await.unwrap());
    assert!(!clients::update(&mut tx, 4711, &as_new("nobody", &[]), true, later).await.unwrap());
    tx.commit().await.unwrap();
    let mut conn = store.db.read().await.unwrap();
    let client = clients::get(&mut conn, store.client).await.unwrap().unwrap();
    assert_eq!((client.name.as_str(), client.disabled, client.updated_at), ("renamed", true, later.0));
    let grants = clients::grants(&mut conn, store.client).await.unwrap();
    assert_eq!((&grants[0], grants[1].server_code.as_str()), (&limited, "server2"));
    drop(conn);
    let mut tx = store.tx().await;
    clients::update(&mut tx, store.client, &as_new("renamed", &[]), false, later).await.unwrap();
    assert!(clients::grants(&mut tx, store.client).await.unwrap().is_empty());
}

async fn a_grant_is_set_again_and_taken_back_once(store: Store) {
    let mut tx = store.tx().await;
    let mut grant = Grant {
        client_id: store.client,
        server_code: SERVER.into(),
        max_live_calls: Some(1),
        calls_per_second: None,
        extensions: "[]".into(),
    };
    clients::set_grant(&mut tx, &grant).await.unwrap();
    grant.max_live_calls = None;
    grant.extensions = r#"["*98","_*9XX"]"#.into();
    grant.calls_per_second = Some(2.5);
    clients::set_grant(&mut tx, &grant).await.unwrap();
    assert_eq!(clients::grants(&mut tx, store.client).await.unwrap(), [grant]);
    assert!(clients::revoke_grant(&mut tx, store.client, SERVER).await.unwrap());
    assert!(!clients::revoke_grant(&mut tx, store.client, SERVER).await.unwrap());
}

async fn a_server_is_changed_only_where_it_is(store: Store) {
    let mut tx = store.tx().await;
    let trunks = r#"[{"trunk":"t","max_channels":2}]"#.to_owned();
    let numbering = r#"{"country_code":"49","dial_format":"e164"}"#.to_owned();
    let changed = Server { max_channels: 77, trunks, numbering, created_at: 1, updated_at: NOW.0 + 5, ..server() };
    assert!(servers::update(&mut tx, &changed).await.unwrap());
    assert!(!servers::update(&mut tx, &other_server()).await.unwrap());
    let stored = servers::get(&mut tx, SERVER).await.unwrap().unwrap();
    assert_eq!(stored, Server { created_at: NOW.0, ..changed });
    assert_eq!(stored.trunks().unwrap()[0].max_channels, Some(2));
    assert_eq!(stored.numbering().unwrap().country_code.as_deref(), Some("49"));
    assert!(servers::insert(&mut tx, &server()).await.unwrap_err().is_duplicate());
}

async fn a_server_in_use_is_not_removed(store: Store) {
    store.queue(1, 2).await;
    let mut tx = store.tx().await;
    let removal = servers::remove(&mut tx, SERVER, NOW).await.unwrap();
    assert_eq!(removal, Removal::InUse { waiting: 2, live: 0 });
    tx.rollback().await.unwrap();
    assert!(servers::get(&mut store.db.read().await.unwrap(), SERVER).await.unwrap().is_some());
}

async fn a_removed_server_leaves_its_name_and_can_be_added_again(store: Store) {
    let mut new = store.batch(1, None, 1);
    new.calls[0].status = CallStatus::Canceled;
    let BatchResult::Stored { queue_id } = store.insert_batch(&new).await else { panic!("stored") };
    store.lane("a").await.unwrap();
    let mut tx = store.tx().await;
    assert_eq!(servers::remove(&mut tx, SERVER, NOW).await.unwrap(), Removal::Done);
    tx.commit().await.unwrap();
    let mut tx = store.tx().await;
    assert_eq!(servers::remove(&mut tx, SERVER, NOW).await.unwrap(), Removal::NoSuchServer);
    tx.rollback().await.unwrap();
    let mut conn = store.db.read().await.unwrap();
    assert!(servers::list(&mut conn).await.unwrap().is_empty());
    assert!(servers::states(&mut conn, None).await.unwrap().is_empty());
    assert!(clients::granted_servers(&mut conn, store.client).await.unwrap().is_empty());
    let past = page(&store, queue_id, 0, 1).await.remove(0);
    assert_eq!(past.server_code, SERVER);
    drop(conn);
    let anew = Server { username: "anew".into(), created_at: NOW.0 + 9, ..server() };
    let mut tx = store.tx().await;
    servers::insert(&mut tx, &anew).await.unwrap();
    tx.commit().await.unwrap();
    let state = servers::states(&mut store.db.read().await.unwrap(), Some(SERVER)).await.unwrap().remove(0);
    assert_eq!((state.server, state.lease.is_none()), (anew, true));
}

async fn a_node_is_heard_of_and_forgotten_after_a_day(store: Store) {
    let (mut tx, day) = (store.tx().await, 24 * 60 * 60 * 1000);
    nodes::join(&mut tx, "a", "1.0", NOW).await.unwrap();
    nodes::join(&mut tx, "b", "1.0", NOW).await.unwrap();
    assert!(nodes::beat(&mut tx, "a", Millis(NOW.0 + day)).await.unwrap());
    assert_eq!(nodes::list(&mut tx, NOW).await.unwrap().len(), 2, "the node was forgotten before a day was over");
    assert!(nodes::beat(&mut tx, "a", Millis(NOW.0 + day + 1)).await.unwrap());
    let known = nodes::list(&mut tx, NOW).await.unwrap();
    assert_eq!(
        known.iter().map(|(node, _)| (node.name.as_str(), node.seen_at)).collect::<Vec<_>>(),
        [("a", NOW.0 + day + 1)]
    );
    assert!(!nodes::beat(&mut tx, "b", NOW).await.unwrap(), "the forgotten node did not have to join again");
}

async fn a_drained_node_stays_so_when_it_joins_again(store: Store) {
    let mut tx = store.tx().await;
    nodes::join(&mut tx, "a", "1.0", NOW).await.unwrap();
    assert!(nodes::set_draining(&mut tx, "a", true).await.unwrap());
    assert!(!nodes::set_draining(&mut tx, "nosuch", true).await.unwrap());
    nodes::join(&mut tx, "a", "1.1", Millis(NOW.0 + 1)).await.unwrap();
    assert!(nodes::is_draining(&mut tx, "a").await.unwrap());
    assert!(!nodes::is_draining(&mut tx, "nosuch").await.unwrap());
    let (node, _) = nodes::list(&mut tx, NOW).await.unwrap().remove(0);
    assert_eq!((node.version.as_str(), node.started_at), ("1.1", NOW.0 + 1));
}

async fn a_server_is_shown_as_draining_while_its_owner_is(store: Store) {
    let lane = store.lane("a").await.unwrap();
    let mut tx = store.tx().await;
    nodes::join(&mut tx, "a", "1.0", NOW).await.unwrap();
    nodes::join(&mut tx, "b", "1.0", NOW).await.unwrap();
    assert_eq!(nodes::list(&mut tx, NOW).await.unwrap()[0].1, [SERVER]);
    assert!(!servers::states(&mut tx, None).await.unwrap()[0].draining);
    nodes::set_draining(&mut tx, "a", true).await.unwrap();
    assert!(servers::states(&mut tx, None).await.unwrap()[0].draining);
    leases::release(&mut tx, SERVER, lane.epoch).await.unwrap();
    assert!(nodes::list(&mut tx, NOW).await.unwrap()[0].1.is_empty());
    tx.commit().await.unwrap();
    store.lane("b").await.unwrap();
    assert!(!servers::states(&mut store.db.read().await.unwrap(), None).await.unwrap()[0].draining);
}

async fn a_lane_that_a_node_cannot_run_stays_free_and_says_why(store: Store) {
    let pass_over = async |why: &str| {
        let mut tx = store.tx().await;
        leases::pass_over(&mut tx, SERVER, "a", why, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let state = servers::states(&mut store.db.read().await.unwrap(), Some(SERVER)).await.unwrap().remove(0);
        let lease = state.lease.unwrap();
        (lease.node, ServerStatus::try_from(lease.status).unwrap(), lease.last_error)
    };
    for why in ["wrong key", "wrong key still"] {
        assert_eq!(pass_over(why).await, ("a".to_owned(), ServerStatus::Offline, Some(why.to_owned())));
    }
    assert_eq!(store.lane("b").await.unwrap().epoch, 1);
    let owned = ("b".to_owned(), ServerStatus::Connecting);
    let (node, status, _) = pass_over("wrong key").await;
    assert_eq!((node, status), owned, "the status of another node's lane was changed");
}

async fn a_setting_that_was_never_set_has_its_default(store: Store) {
    let mut tx = store.tx().await;
    assert_eq!(settings::get::<KillSwitch>(&mut tx).await.unwrap(), (KillSwitch::default(), None));
    let engaged = KillSwitch { engaged: true, reason: Some("a fault".into()) };
    settings::set(&mut tx, &engaged, NOW).await.unwrap();
    settings::set(&mut tx, &engaged, Millis(NOW.0 + 1)).await.unwrap();
    assert_eq!(settings::get::<KillSwitch>(&mut tx).await.unwrap(), (engaged, Some(Millis(NOW.0 + 1))));
    assert_eq!(
        settings::get::<PlatformPolicy>(&mut tx).await.unwrap().1,
        None,
        "the settings do not have separate rows"
    );
}

async fn a_number_is_listed_once_for_a_client_or_for_all(store: Store) {
    let other = store.another_client().await;
    let mut tx = store.tx().await;
    let numbers = |list: &[&str]| list.iter().map(|&number| (number.to_owned(), None)).collect::<Vec<_>>();
    assert_eq!(do_not_call::add(&mut tx, PLATFORM, &numbers(&["111"]), NOW).await.unwrap(), 1);
    assert_eq!(do_not_call::add(&mut tx, store.client, &numbers(&["333", "222", "333"]), NOW).await.unwrap(), 2);
    let (page, count) = do_not_call::list(&mut tx, store.client, 0, 1).await.unwrap();
    assert_eq!((page[0].number.as_str(), page.len(), count), ("222", 1, 2));
    let asked: Vec<String> = ["111", "222", "444"].map(str::to_owned).to_vec();
    let found = do_not_call::listed(&mut tx, store.client, &asked).await.unwrap();
    assert_eq!(found, HashSet::from(["111".to_owned(), "222".to_owned()]));
    let found = do_not_call::listed(&mut tx, other, &asked).await.unwrap();
    assert_eq!(found, HashSet::from(["111".to_owned()]), "another client's list was used");
    assert!(do_not_call::remove(&mut tx, store.client, "222").await.unwrap());
    assert!(
        !do_not_call::remove(&mut tx, store.client, "111").await.unwrap(),
        "a client removed a number from the platform's list"
    );
}

async fn a_call_that_is_stored_as_canceled_is_counted_and_has_an_event(store: Store) {
    let mut new = store.batch(1, None, 1);
    let id = CallId::new();
    new.calls.push(trunkline::store::calls::NewCall { id, status: CallStatus::Canceled, ..new_call() });
    let BatchResult::Stored { queue_id } = store.insert_batch(&new).await else { panic!("stored") };
    let mut conn = store.db.read().await.unwrap();
    let queue = queues::get(&mut conn, store.client, queue_id).await.unwrap().unwrap();
    assert_eq!((queue.queued, queue.canceled), (1, 1));
    let call = calls::get(&mut conn, Some(store.client), id).await.unwrap().unwrap();
    assert_eq!((call.outcome, call.ended_at), (Some(Outcome::Canceled.code()), Some(NOW.0)));
    let seen = events::of_call(&mut conn, Some(store.client), id).await.unwrap();
    assert_eq!(seen[0].detail.as_deref(), Some(do_not_call::DETAIL));
    let (live, count) = live_calls::live(&mut conn, &Filter::default(), 10).await.unwrap();
    assert!(live.is_empty() && count == 0);
}

async fn what_waits_is_the_sum_over_a_clients_queues(store: Store) {
    assert_eq!(queues::waiting(&mut store.db.read().await.unwrap(), store.client).await.unwrap(), 0);
    store.queue(1, 2).await;
    store.queue(2, 3).await;
    let other = store.another_client().await;
    let mut tx = store.tx().await;
    assert_eq!(queues::waiting_exactly(&mut tx, store.client).await.unwrap(), 5);
    assert_eq!(queues::waiting_exactly(&mut tx, other).await.unwrap(), 0);
}

async fn a_transaction_that_is_rolled_back_leaves_nothing(store: Store) {
    let mut tx = store.tx().await;
    let key = keys::Key {
        id: "k".into(),
        client_id: store.client,
        secret_sha256: vec![0; 32],
        created_at: NOW.0,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        scope: Scope::Write.code(),
        networks: "[]".into(),
    };
    keys::insert(&mut tx, &key).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(keys::find(&mut store.db.read().await.unwrap(), "k").await.unwrap().is_none());
    // The connection can still be used.
    store.queue(1, 1).await;
}
