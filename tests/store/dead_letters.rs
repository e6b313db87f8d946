//! Tests that an event becomes a dead letter once, in the commit that moves the cursor past it.

use std::time::Duration;

use trunkline::domain::time::Millis;
use trunkline::store::dead_letters::{self, DeadLetter, KEPT};
use trunkline::store::webhooks::{self, Delivery, NewWebhook, Webhook};

use super::store::{NOW, Store};

use super::engines::on_both_engines;

on_both_engines!(
    a_late_owner_buries_nothing,
    letters_are_replayed_removed_or_kept,
    the_newest_letters_are_kept,
    letters_end_with_their_webhook,
    a_rotation_keeps_the_secret_before_until_it_expires,
);

const TTL: Duration = Duration::from_secs(15);

async fn made(store: &Store, secret: &[u8]) -> Webhook {
    let mut tx = store.tx().await;
    let url = "https://crm.example/hook".to_owned();
    let new = NewWebhook { client_id: store.client, url, secret: secret.to_vec(), events: Vec::new(), after: 0 };
    let id = webhooks::insert(&mut tx, &new, NOW).await.unwrap().id;
    let webhook = webhooks::acquire(&mut tx, id, "one", TTL, NOW).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    webhook
}

fn letter(webhook_id: i64, seq: i64) -> DeadLetter {
    let last_error = "the receiver answered 500".to_owned();
    DeadLetter { webhook_id, seq, first_failed_at: NOW.0, died_at: NOW.0 + 1, last_error, replaying: false }
}

async fn bury(store: &Store, webhook: &Webhook, seq: i64) -> bool {
    let mut tx = store.tx().await;
    let after = Delivery { delivered_seq: seq, ..Delivery::default() };
    let buried = dead_letters::bury(&mut tx, webhook.lease_epoch, &letter(webhook.id, seq), &after).await.unwrap();
    tx.commit().await.unwrap();
    buried
}

async fn listed(store: &Store, id: i64) -> Vec<DeadLetter> {
    let (letters, count) = dead_letters::list(&mut store.db.read().await.unwrap(), id, 0, 10_000).await.unwrap();
    assert_eq!(letters.len() as i64, count);
    letters
}

async fn cursor(store: &Store, id: i64) -> i64 {
    let found = webhooks::get(&mut store.db.read().await.unwrap(), id).await.unwrap();
    found.unwrap().delivery.delivered_seq
}

async fn a_late_owner_buries_nothing(store: Store) {
    let late = made(&store, b"a").await;
    let mut tx = store.tx().await;
    let owner = webhooks::acquire(&mut tx, late.id, "two", TTL, NOW.plus(TTL)).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert!(!bury(&store, &late, 7).await);
    assert_eq!((listed(&store, late.id).await, cursor(&store, late.id).await), (Vec::new(), 0));
    assert!(bury(&store, &owner, 7).await);
    assert_eq!((listed(&store, late.id).await, cursor(&store, late.id).await), (vec![letter(late.id, 7)], 7));
    // Without its commit, neither the letter nor the cursor is stored.
    let mut tx = store.tx().await;
    let after = Delivery { delivered_seq: 8, ..Delivery::default() };
    assert!(dead_letters::bury(&mut tx, owner.lease_epoch, &letter(owner.id, 8), &after).await.unwrap());
    drop(tx);
    assert_eq!((listed(&store, owner.id).await.len(), cursor(&store, owner.id).await), (1, 7));
}

async fn letters_are_replayed_removed_or_kept(store: Store) {
    let (webhook, other) = (made(&store, b"a").await, made(&store, b"b").await);
    for seq in [3, 5, 9] {
        assert!(bury(&store, &webhook, seq).await && bury(&store, &other, seq).await);
    }
    let mut tx = store.tx().await;
    assert_eq!(dead_letters::replay(&mut tx, webhook.id, Some(5)).await.unwrap(), 1);
    assert_eq!(dead_letters::replay(&mut tx, webhook.id, Some(4)).await.unwrap(), 0);
    assert_eq!(dead_letters::to_replay(&mut tx, webhook.id, 10).await.unwrap()[0].seq, 5);
    assert_eq!(dead_letters::replay(&mut tx, webhook.id, None).await.unwrap(), 3);
    tx.commit().await.unwrap();
    let row = webhooks::get(&mut store.db.read().await.unwrap(), webhook.id).await.unwrap().unwrap();
    assert_eq!(row.replay_requests, 3, "the node that delivers is told");
    let mut tx = store.tx().await;
    let seqs = |letters: Vec<DeadLetter>| letters.iter().map(|letter| letter.seq).collect::<Vec<_>>();
    assert_eq!(seqs(dead_letters::to_replay(&mut tx, webhook.id, 2).await.unwrap()), [3, 5]);
    dead_letters::remove(&mut tx, webhook.id, 3).await.unwrap();
    dead_letters::refused_again(&mut tx, webhook.id, 5, "refused").await.unwrap();
    assert_eq!(seqs(dead_letters::to_replay(&mut tx, webhook.id, 10).await.unwrap()), [9]);
    dead_letters::end_replay(&mut tx, webhook.id, "no answer").await.unwrap();
    tx.commit().await.unwrap();
    let left = listed(&store, webhook.id).await;
    let left: Vec<_> = left.iter().map(|letter| (letter.seq, letter.last_error.as_str(), letter.replaying)).collect();
    assert_eq!(left, [(5, "refused", false), (9, "no answer", false)]);
    assert_eq!(listed(&store, other.id).await, [3, 5, 9].map(|seq| letter(other.id, seq)));
    let counts = dead_letters::counts(&mut store.db.read().await.unwrap()).await.unwrap();
    assert_eq!((counts[&webhook.id], counts[&other.id], counts.len()), (2, 3, 2));
}

async fn the_newest_letters_are_kept(store: Store) {
    let webhook = made(&store, b"a").await;
    let mut tx = store.tx().await;
    for seq in 1..=KEPT + 2 {
        let after = Delivery { delivered_seq: seq, ..Delivery::default() };
        assert!(dead_letters::bury(&mut tx, webhook.lease_epoch, &letter(webhook.id, seq), &after).await.unwrap());
    }
    tx.commit().await.unwrap();
    let kept = listed(&store, webhook.id).await;
    assert_eq!((kept.len() as i64, kept[0].seq, kept[kept.len() - 1].seq), (KEPT, 3, KEPT + 2));
}

async fn letters_end_with_their_webhook(store: Store) {
    let webhook = made(&store, b"a").await;
    assert!(bury(&store, &webhook, 7).await);
    let mut tx = store.tx().await;
    assert!(webhooks::delete(&mut tx, webhook.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(listed(&store, webhook.id).await, []);
    assert!(!bury(&store, &webhook, 8).await, "a deleted webhook has no owner");
}

async fn a_rotation_keeps_the_secret_before_until_it_expires(store: Store) {
    let id = made(&store, b"first").await.id;
    let mut tx = store.tx().await;
    let rotated = webhooks::rotate(&mut tx, id, b"second", NOW.plus(TTL)).await.unwrap().unwrap();
    assert_eq!((rotated.secret.as_slice(), rotated.old_secret.as_deref()), (&b"second"[..], Some(&b"first"[..])));
    assert_eq!(rotated.old_secret_until, NOW.plus(TTL).0);
    webhooks::forget_old_secret(&mut tx, id, Millis(NOW.plus(TTL).0 - 1)).await.unwrap();
    assert!(webhooks::get(&mut tx, id).await.unwrap().unwrap().old_secret.is_some());
    webhooks::forget_old_secret(&mut tx, id, NOW.plus(TTL)).await.unwrap();
    assert_eq!(webhooks::get(&mut tx, id).await.unwrap().unwrap().old_secret, None);
    let again = webhooks::rotate(&mut tx, id, b"third", NOW).await.unwrap().unwrap();
    assert_eq!((again.secret.as_slice(), again.old_secret.as_deref()), (&b"third"[..], Some(&b"second"[..])));
    assert_eq!(webhooks::rotate(&mut tx, id + 1, b"x", NOW).await.unwrap(), None);
    tx.commit().await.unwrap();
}
