//! Tests what the delivery of webhooks relies on in the store.

use std::time::Duration;

use trunkline::domain::time::Millis;
use trunkline::store::webhooks::{self, Delivery, NewWebhook, Webhook};

use super::store::{NOW, Store};

use super::engines::on_both_engines;

on_both_engines!(
    a_webhook_is_stored_listed_and_ended,
    one_node_at_a_time_has_a_webhook,
    a_late_owner_moves_no_cursor,
    a_node_takes_its_own_back_at_once,
    a_disabled_webhook_has_no_owner,
);

const TTL: Duration = Duration::from_secs(20);

fn new(client_id: i64) -> NewWebhook {
    let url = "https://crm.example/hook?team=ü".to_owned();
    NewWebhook { client_id, url, secret: vec![0, 255, 10], events: vec![5, 11], after: 42 }
}

async fn made(store: &Store, client_id: i64) -> Webhook {
    let mut tx = store.tx().await;
    let webhook = webhooks::insert(&mut tx, &new(client_id), NOW).await.unwrap();
    tx.commit().await.unwrap();
    webhook
}

async fn stored(store: &Store, id: i64) -> Option<Webhook> {
    webhooks::get(&mut store.db.read().await.unwrap(), id).await.unwrap()
}

async fn acquire(store: &Store, id: i64, node: &str, now: Millis) -> Option<Webhook> {
    let mut tx = store.tx().await;
    let taken = webhooks::acquire(&mut tx, id, node, TTL, now).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

async fn renew(store: &Store, held: &[(i64, i64)], now: Millis) -> Vec<i64> {
    let mut tx = store.tx().await;
    let lost = webhooks::renew(&mut tx, held, TTL, now).await.unwrap();
    tx.commit().await.unwrap();
    lost
}

async fn save(store: &Store, webhook: &Webhook, delivery: &Delivery) -> bool {
    let mut tx = store.tx().await;
    let saved = webhooks::save(&mut tx, webhook.id, webhook.lease_epoch, delivery).await.unwrap();
    tx.commit().await.unwrap();
    saved
}

async fn a_webhook_is_stored_listed_and_ended(store: Store) {
    let webhook = made(&store, store.client).await;
    let delivery = Delivery { delivered_seq: 42, ..Delivery::default() };
    assert_eq!((&webhook.delivery, webhook.lease_node.as_deref(), webhook.created_at), (&delivery, None, NOW.0));
    assert_eq!((webhook.url.as_str(), webhook.kinds().unwrap()), (new(0).url.as_str(), vec![5, 11]));
    let other = store.another_client().await;
    let of_other = made(&store, other).await;
    let mut conn = store.db.read().await.unwrap();
    assert_eq!(webhooks::list(&mut conn, Some(other)).await.unwrap(), std::slice::from_ref(&of_other));
    assert_eq!(webhooks::list(&mut conn, None).await.unwrap(), [webhook.clone(), of_other.clone()]);
    for deleted in [true, false] {
        let mut tx = store.tx().await;
        assert_eq!(webhooks::delete(&mut tx, webhook.id).await.unwrap(), deleted);
        tx.commit().await.unwrap();
    }
    assert_eq!(stored(&store, webhook.id).await, None);
    assert_eq!(webhooks::list(&mut conn, None).await.unwrap(), [of_other]);
}

async fn one_node_at_a_time_has_a_webhook(store: Store) {
    let id = made(&store, store.client).await.id;
    let first = acquire(&store, id, "one", NOW).await.unwrap();
    assert_eq!((first.lease_epoch, first.lease_node.as_deref()), (1, Some("one")));
    assert_eq!(acquire(&store, id, "two", NOW).await, None);
    // A renewed lease is kept for longer. Then it passes to another owner, and its first owner finds out.
    assert!(renew(&store, &[(id, 1)], NOW.plus(TTL / 2)).await.is_empty());
    assert_eq!(acquire(&store, id, "two", NOW.plus(TTL)).await, None);
    assert_eq!(acquire(&store, id, "two", NOW.plus(TTL * 2)).await.map(|taken| taken.lease_epoch), Some(2));
    assert_eq!(renew(&store, &[(id, 1), (id + 1, 1)], NOW.plus(TTL * 2)).await, [id, id + 1]);
    // A released lease is free at once.
    let mut tx = store.tx().await;
    webhooks::release(&mut tx, id, 1).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(acquire(&store, id, "one", NOW.plus(TTL * 2)).await, None, "a late owner released the lease");
    let mut tx = store.tx().await;
    webhooks::release(&mut tx, id, 2).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(acquire(&store, id, "one", NOW).await.map(|taken| taken.lease_epoch), Some(3));
}

async fn a_late_owner_moves_no_cursor(store: Store) {
    let id = made(&store, store.client).await.id;
    let late = acquire(&store, id, "one", NOW).await.unwrap();
    let owner = acquire(&store, id, "two", NOW.plus(TTL)).await.unwrap();
    let failed = Delivery {
        delivered_seq: 50,
        delivered_at: Some(NOW.0),
        failures: 3,
        next_try_at: NOW.0 + 1,
        last_error: Some("the receiver answered 500".into()),
        disabled: false,
        failing_seq: Some(51),
        failing_since: Some(NOW.0),
    };
    assert!(save(&store, &owner, &failed).await);
    assert!(!save(&store, &late, &Delivery { delivered_seq: 43, ..Delivery::default() }).await);
    assert_eq!(stored(&store, id).await.unwrap().delivery, failed);
    // A success resets the failures.
    let taken = Delivery { delivered_seq: 51, delivered_at: Some(NOW.0), ..Delivery::default() };
    assert!(save(&store, &owner, &taken).await);
    assert_eq!(stored(&store, id).await.unwrap().delivery, taken);
}

async fn a_node_takes_its_own_back_at_once(store: Store) {
    let id = made(&store, store.client).await.id;
    acquire(&store, id, "one", NOW).await.unwrap();
    let again = acquire(&store, id, "one", NOW).await.unwrap();
    assert_eq!(again.lease_epoch, 2);
}

async fn a_disabled_webhook_has_no_owner(store: Store) {
    let id = made(&store, store.client).await.id;
    let owner = acquire(&store, id, "one", NOW).await.unwrap();
    assert!(save(&store, &owner, &Delivery { disabled: true, ..owner.delivery.clone() }).await);
    assert_eq!(acquire(&store, id, "one", NOW.plus(TTL)).await, None);
}
