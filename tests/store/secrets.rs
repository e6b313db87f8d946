//! Tests the rotation of the secret key, over all secrets in the store.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretString};
use trunkline::domain::time::Millis;
use trunkline::store::sealed::{self, Count};
use trunkline::store::secrets::{Keyring, Place, Sealer, SecretError};
use trunkline::store::servers::{self, Server};
use trunkline::store::webhooks::{self, NewWebhook};
use trunkline::store::{Db, audit};

use super::engines::on_both_engines;
use super::store::{NOW, SERVER, Store, server};

on_both_engines!(
    a_rotation_that_was_interrupted_is_continued,
    a_secret_whose_key_is_missing_stays_as_it_is,
    a_secret_that_was_moved_to_another_row_does_not_open,
);

/// `dialer-secret`, as an earlier version sealed it with a key of 32 bytes of 7.
const UNMARKED: &str = "AAECAwQFBgcICQoLfOiIHHh79DoS0Zf5ll+8DXkOguM0eM9SPQ72R0Y=";

fn sealer(current: &SecretString, previous: &[SecretString]) -> Sealer {
    Sealer::new(Keyring::from_base64(current, previous).unwrap())
}

fn old_key() -> SecretString {
    BASE64_STANDARD.encode([7; 32]).into()
}

/// Stores 130 servers and 3 webhooks with secrets under the old key. Half of the servers have no key id, and the secret of
/// one webhook was rotated a moment ago.
async fn fill(store: &Store) {
    let sealer = sealer(&old_key(), &[]);
    let mut tx = store.tx().await;
    for number in 0..130 {
        let code = format!("s{number:03}");
        let secret = if number % 2 == 0 {
            BASE64_STANDARD.decode(UNMARKED).unwrap()
        } else {
            sealer.seal(&"dialer-secret".into(), &Place::Server(code.clone())).unwrap()
        };
        servers::insert(&mut tx, &Server { code, secret, ..server() }).await.unwrap();
    }
    sealed::replace(&mut tx, &Place::Server(SERVER.into()), &BASE64_STANDARD.decode(UNMARKED).unwrap()).await.unwrap();
    for _ in 0..3 {
        let url = "https://crm.example/".to_owned();
        let new = NewWebhook { client_id: store.client, url, secret: Vec::new(), events: Vec::new(), after: 0 };
        let place = Place::Webhook(webhooks::insert(&mut tx, &new, NOW).await.unwrap().id);
        let secret = sealer.seal(&"dialer-secret".into(), &place).unwrap();
        sealed::replace(&mut tx, &place, &secret).await.unwrap();
        if place == Place::Webhook(1) {
            let until = Millis::now().plus(Duration::from_hours(1));
            webhooks::rotate(&mut tx, 1, &secret, until).await.unwrap().unwrap();
        }
    }
    tx.commit().await.unwrap();
}

async fn all_open(db: &Db, sealer: &Sealer) {
    let mut conn = db.read().await.unwrap();
    let servers = servers::list(&mut conn).await.unwrap();
    let servers = servers.into_iter().map(|server| (Place::Server(server.code), server.secret));
    let webhooks = webhooks::list(&mut conn, None).await.unwrap();
    let earlier = webhooks.iter().filter_map(|it| Some((Place::EarlierWebhook(it.id), it.old_secret.clone()?)));
    let earlier: Vec<_> = earlier.collect();
    let webhooks = webhooks.into_iter().map(|webhook| (Place::Webhook(webhook.id), webhook.secret));
    let mut opened = 0;
    for (place, sealed) in servers.chain(webhooks).chain(earlier) {
        let secret = sealer.open(&sealed, &place).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(secret.expose_secret(), "dialer-secret");
        opened += 1;
    }
    assert_eq!(opened, 135);
}

async fn rotate(db: &Db, sealer: &Sealer) -> (u64, u64) {
    let (mut last, mut counts) = (None, (0, 0));
    loop {
        let done = sealed::reseal_page(db, sealer, last.as_ref(), "test").await.unwrap();
        assert_eq!(done.failed, []);
        counts = (counts.0 + done.changed, counts.1 + done.unchanged);
        if done.last.is_none() {
            return counts;
        }
        last = done.last;
    }
}

async fn a_rotation_that_was_interrupted_is_continued(store: Store) {
    fill(&store).await;
    let counts = async || sealed::by_key(&mut store.db.read().await.unwrap()).await.unwrap();
    let (new, old) = (Sealer::new_key(), old_key());
    let sealer_of_both = sealer(&new, std::slice::from_ref(&old));
    let (new_id, old_id) = (sealer_of_both.keys().current(), sealer(&old, &[]).keys().current());
    let before = counts().await;
    assert_eq!(before[&None], Count { servers: 66, webhooks: 0 });
    assert_eq!(before[&old_id], Count { servers: 65, webhooks: 4 });
    let first = sealed::reseal_page(&store.db, &sealer_of_both, None, "test").await.unwrap();
    assert_eq!((first.changed, first.unchanged, first.failed), (100, 0, vec![]));
    all_open(&store.db, &sealer_of_both).await;
    assert_eq!(counts().await[&new_id], Count { servers: 100, webhooks: 0 });
    assert_eq!(rotate(&store.db, &sealer_of_both).await, (35, 100));
    assert_eq!(rotate(&store.db, &sealer_of_both).await, (0, 135), "a finished rotation changed something again");
    let after = counts().await;
    assert_eq!(after.into_iter().collect::<Vec<_>>(), [(new_id, Count { servers: 131, webhooks: 4 })]);
    all_open(&store.db, &sealer(&new, &[])).await;
    let noted = audit::list_after(&mut store.db.read().await.unwrap(), 0, None, 9).await.unwrap();
    let noted: Vec<_> = noted.iter().map(|entry| (entry.action.as_str(), entry.after.clone().unwrap())).collect();
    let key = new_id.unwrap();
    let entry = |secrets: u64| ("RotateSecrets", format!(r#"{{"key_id":"{key}","secrets":{secrets}}}"#));
    assert_eq!(noted, [entry(100), entry(31), entry(3), entry(1)]);
}

async fn a_secret_whose_key_is_missing_stays_as_it_is(store: Store) {
    let (lost, new) = (sealer(&Sealer::new_key(), &[]), sealer(&Sealer::new_key(), &[]));
    let place = Place::Server(SERVER.into());
    let sealed = lost.seal(&"dialer-secret".into(), &place).unwrap();
    let mut tx = store.tx().await;
    sealed::replace(&mut tx, &place, &sealed).await.unwrap();
    tx.commit().await.unwrap();
    let done = sealed::reseal_page(&store.db, &new, None, "test").await.unwrap();
    let id = lost.keys().current().unwrap();
    assert_eq!((done.changed, done.failed), (0, vec![(place, SecretError::MissingKey(id))]));
    let kept = servers::get(&mut store.db.read().await.unwrap(), SERVER).await.unwrap().unwrap();
    assert_eq!(kept.secret, sealed);
}

async fn a_secret_that_was_moved_to_another_row_does_not_open(store: Store) {
    fill(&store).await;
    let sealer = sealer(&old_key(), &[]);
    let mut conn = store.db.read().await.unwrap();
    let mut webhooks = webhooks::list(&mut conn, None).await.unwrap();
    let (one, other) = (webhooks.remove(0), webhooks.remove(0));
    let moved = sealer.open(&one.secret, &Place::Webhook(other.id));
    assert!(matches!(moved, Err(SecretError::Altered(_))), "{moved:?}");
    assert!(sealer.open(&one.secret, &Place::Webhook(one.id)).is_ok());
}
