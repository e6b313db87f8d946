//! Tests the keys of clients and of administrators in both engines.

use trunkline::domain::scope::Scope;
use trunkline::domain::time::Millis;
use trunkline::store::admin_keys::{self, AdminKey};
use trunkline::store::keys::{self, Key};

use super::engines::on_both_engines;
use super::store::{NOW, Store};

on_both_engines!(
    keys_are_found_and_revoked_once,
    keys_of_administrators_are_found_by_id_and_revoked_once,
    a_name_is_given_to_one_admin_key_for_ever,
    the_use_of_a_key_is_noted_unless_a_later_one_is,
);

fn key(id: &str, client_id: i64) -> Key {
    Key {
        id: id.to_owned(),
        client_id,
        secret_sha256: vec![7; 32],
        created_at: NOW.0,
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
        scope: Scope::Read.code(),
        networks: r#"["192.0.2.0/24"]"#.to_owned(),
    }
}

fn admin_key(id: &str, name: &str) -> AdminKey {
    AdminKey {
        id: id.to_owned(),
        name: name.to_owned(),
        secret_sha256: vec![9; 32],
        networks: "[]".to_owned(),
        created_at: NOW.0,
        expires_at: Some(NOW.0 + 1),
        revoked_at: None,
        last_used_at: None,
    }
}

async fn keys_are_found_and_revoked_once(store: Store) {
    let mut tx = store.tx().await;
    for id in ["key1", "key2"] {
        keys::insert(&mut tx, &key(id, store.client)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let found = keys::find(&mut store.db.read().await.unwrap(), "key1").await.unwrap();
    let (found, holder) = found.expect("the key was stored");
    assert_eq!((found.scope, found.networks.as_str()), (Scope::Read.code(), r#"["192.0.2.0/24"]"#));
    assert!(!holder.disabled);
    let ids = ["key2", "nosuch", "key1"].map(str::to_owned);
    let mut several = keys::find_all(&mut store.db.read().await.unwrap(), &ids).await.unwrap();
    several.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    assert_eq!(several.iter().map(|(key, _)| key.id.as_str()).collect::<Vec<_>>(), ["key1", "key2"]);
    let mut tx = store.tx().await;
    assert!(keys::revoke(&mut tx, store.client + 1, "key1", NOW).await.unwrap().is_none());
    keys::revoke(&mut tx, store.client, "key1", NOW).await.unwrap();
    let again = keys::revoke(&mut tx, store.client, "key1", Millis(NOW.0 + 1)).await.unwrap();
    assert_eq!(again.and_then(|key| key.revoked_at), Some(NOW.0));
}

async fn keys_of_administrators_are_found_by_id_and_revoked_once(store: Store) {
    let mut tx = store.tx().await;
    for (id, name) in [("b", "bob"), ("a", "alice")] {
        admin_keys::insert(&mut tx, &admin_key(id, name)).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut conn = store.db.read().await.unwrap();
    let found = admin_keys::find_all(&mut conn, &["a".to_owned(), "c".to_owned()]).await.unwrap();
    assert_eq!(
        found.iter().map(|key| (key.name.as_str(), key.expires_at)).collect::<Vec<_>>(),
        [("alice", Some(NOW.0 + 1))]
    );
    let listed = admin_keys::list(&mut conn).await.unwrap();
    assert_eq!(listed.iter().map(|key| key.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let mut tx = store.tx().await;
    assert!(admin_keys::revoke(&mut tx, "c", NOW).await.unwrap().is_none());
    admin_keys::revoke(&mut tx, "a", NOW).await.unwrap();
    let again = admin_keys::revoke(&mut tx, "a", Millis(NOW.0 + 1)).await.unwrap();
    assert_eq!(again.and_then(|key| key.revoked_at), Some(NOW.0), "the time of the first revocation is kept");
}

async fn a_name_is_given_to_one_admin_key_for_ever(store: Store) {
    let mut tx = store.tx().await;
    admin_keys::insert(&mut tx, &admin_key("a", "alice")).await.unwrap();
    admin_keys::revoke(&mut tx, "a", NOW).await.unwrap();
    assert!(admin_keys::has_name(&mut tx, "alice").await.unwrap());
    assert!(!admin_keys::has_name(&mut tx, "bob").await.unwrap());
    let refused = admin_keys::insert(&mut tx, &admin_key("b", "alice")).await.unwrap_err();
    assert!(refused.is_duplicate(), "{refused}");
}

async fn the_use_of_a_key_is_noted_unless_a_later_one_is(store: Store) {
    let mut tx = store.tx().await;
    keys::insert(&mut tx, &key("key1", store.client)).await.unwrap();
    admin_keys::insert(&mut tx, &admin_key("a", "alice")).await.unwrap();
    for (now, since, noted) in [(100, 40, 100), (130, 70, 100), (161, 101, 161)] {
        keys::touch(&mut tx, "key1", Millis(now), Millis(since)).await.unwrap();
        admin_keys::touch(&mut tx, "a", Millis(now), Millis(since)).await.unwrap();
        let (client, _) = keys::find(&mut tx, "key1").await.unwrap().unwrap();
        let admin = admin_keys::find_all(&mut tx, &["a".to_owned()]).await.unwrap().remove(0);
        assert_eq!((client.last_used_at, admin.last_used_at), (Some(noted), Some(noted)), "used at {now}");
    }
}
