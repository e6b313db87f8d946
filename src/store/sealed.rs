//! All sealed secrets in the store, whatever they belong to: which keys they are sealed with, and their replacement by the
//! same secrets under another key.

use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Db, Tx, with_conn};
use super::error::Result;
use super::schema::{servers, webhooks};
use super::secrets::{KeyId, Keyring, Place, Sealer, SecretError};
use super::{audit, secrets};
use crate::domain::time::Millis;

/// How many secrets are read, or sealed anew in one transaction, at a time.
const PAGE: i64 = 100;

/// Reads the sealed secrets after a row, those of servers first and those of webhooks before their last rotation last, and
/// returns at most `limit` of them.
async fn page(conn: &mut Conn, after: Option<&Place>, limit: i64) -> Result<Vec<(Place, Vec<u8>)>> {
    let code = match after {
        None => Some(""),
        Some(Place::Server(code)) => Some(code.as_str()),
        Some(Place::Webhook(_) | Place::EarlierWebhook(_)) => None,
    };
    if let Some(code) = code {
        let found = of_servers(conn, code, limit).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    let (webhook, earlier) = match after {
        None | Some(Place::Server(_)) => (Some(0), 0),
        Some(Place::Webhook(id)) => (Some(*id), 0),
        Some(Place::EarlierWebhook(id)) => (None, *id),
    };
    if let Some(id) = webhook {
        let found = of_webhooks(conn, id, limit).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    before_rotations(conn, earlier, limit).await
}

async fn of_servers(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<(Place, Vec<u8>)>> {
    let found: Vec<(String, Vec<u8>)> = with_conn!(conn, |c| {
        servers::table
            // A removed server has no secret.
            .filter(servers::removed_at.is_null().and(servers::code.gt(after)))
            .order(servers::code)
            .limit(limit)
            .select((servers::code, servers::secret))
            .load(c)
            .await
    })?;
    Ok(found.into_iter().map(|(code, sealed)| (Place::Server(code), sealed)).collect())
}

async fn of_webhooks(conn: &mut Conn, after: i64, limit: i64) -> Result<Vec<(Place, Vec<u8>)>> {
    let found: Vec<(i64, Vec<u8>)> = with_conn!(conn, |c| {
        webhooks::table
            .filter(webhooks::id.gt(after))
            .order(webhooks::id)
            .limit(limit)
            .select((webhooks::id, webhooks::secret))
            .load(c)
            .await
    })?;
    Ok(found.into_iter().map(|(id, sealed)| (Place::Webhook(id), sealed)).collect())
}

/// Reads the secrets that a rotation has replaced and that still sign.
async fn before_rotations(conn: &mut Conn, after: i64, limit: i64) -> Result<Vec<(Place, Vec<u8>)>> {
    let now = Millis::now().0;
    let found: Vec<(i64, Option<Vec<u8>>)> = with_conn!(conn, |c| {
        webhooks::table
            .filter(webhooks::id.gt(after).and(webhooks::old_secret.is_not_null()))
            .filter(webhooks::old_secret_until.gt(now))
            .order(webhooks::id)
            .limit(limit)
            .select((webhooks::id, webhooks::old_secret))
            .load(c)
            .await
    })?;
    Ok(found.into_iter().filter_map(|(id, sealed)| Some((Place::EarlierWebhook(id), sealed?))).collect())
}

/// Replaces the sealed secret of a row.
pub async fn replace(tx: &mut Tx, place: &Place, sealed: &[u8]) -> Result<()> {
    with_conn!(&mut **tx, |c| match place {
        Place::Server(code) => {
            diesel::update(servers::table.find(code)).set(servers::secret.eq(sealed)).execute(c).await
        }
        Place::Webhook(id) => {
            diesel::update(webhooks::table.find(id)).set(webhooks::secret.eq(sealed)).execute(c).await
        }
        Place::EarlierWebhook(id) => {
            diesel::update(webhooks::table.find(id)).set(webhooks::old_secret.eq(sealed)).execute(c).await
        }
    })?;
    Ok(())
}

/// How many secrets are sealed with one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// The secrets of servers.
    pub servers: u64,
    /// The secrets of webhooks.
    pub webhooks: u64,
}

/// What was done to the secrets of one page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// The last row of the page. None if there was none left.
    pub last: Option<Place>,
    /// How many secrets were sealed anew with the current key.
    pub changed: u64,
    /// How many secrets were sealed with the current key already.
    pub unchanged: u64,
    /// The secrets that could not be opened, and why. They stay as they are.
    pub failed: Vec<(Place, SecretError)>,
}

/// Counts all secrets by the key that they are sealed with. None stands for those without a key id, which an earlier
/// version sealed.
pub async fn by_key(conn: &mut Conn) -> Result<BTreeMap<Option<KeyId>, Count>> {
    let (mut counts, mut after) = (BTreeMap::new(), None);
    loop {
        let page = page(conn, after.as_ref(), PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(counts) };
        for (place, sealed) in &page {
            let count: &mut Count = counts.entry(secrets::key_of(sealed)).or_default();
            match place {
                Place::Server(_) => count.servers += 1,
                Place::Webhook(_) | Place::EarlierWebhook(_) => count.webhooks += 1,
            }
        }
        after = Some(last.clone());
    }
}

/// Seals the secrets of the next page anew with the current key, in one transaction with an entry in the audit.
///
/// Calling it again with the last row, until there is none, rotates all secrets. That can be interrupted at any time and
/// repeated. It takes the lock of the audit, so that a secret which is changed at the same moment is not overwritten.
pub async fn reseal_page(db: &Db, sealer: &Sealer, after: Option<&Place>, actor: &str) -> Result<Resealed> {
    let mut tx = db.begin().await?;
    audit::lock(&mut tx).await?;
    let current = sealer.keys().current();
    let page = page(&mut tx, after, PAGE).await?;
    let mut done = Resealed { last: page.last().map(|(place, _)| place.clone()), ..Resealed::default() };
    for (place, sealed) in page {
        if secrets::key_of(&sealed).is_some_and(|key| Some(key) == current) {
            done.unchanged += 1;
            continue;
        }
        match sealer.open(&sealed, &place).and_then(|secret| sealer.seal(&secret, &place)) {
            Ok(sealed) => {
                replace(&mut tx, &place, &sealed).await?;
                done.changed += 1;
            }
            Err(error) => done.failed.push((place, error)),
        }
    }
    if done.changed == 0 {
        tx.rollback().await?;
        return Ok(done);
    }
    let key = current.map(|key| key.to_string()).unwrap_or_default();
    let entry = audit::NewEntry {
        at: Millis::now().0,
        actor: actor.to_owned(),
        action: "RotateSecrets".to_owned(),
        target: "secrets".to_owned(),
        detail: "{}".to_owned(),
        after: Some(serde_json::json!({ "key_id": key, "secrets": done.changed }).to_string()),
        ..audit::NewEntry::default()
    };
    audit::append(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(done)
}

/// Returns the keys that secrets are sealed with and that are not among `keys`, with the number of these secrets.
pub fn missing<'c>(
    counts: &'c BTreeMap<Option<KeyId>, Count>,
    keys: &Keyring,
) -> impl Iterator<Item = (KeyId, Count)> + use<'c> {
    let known: Vec<KeyId> = keys.ids().collect();
    counts.iter().filter_map(|(key, count)| Some((*key.as_ref()?, *count))).filter(move |(key, _)| !known.contains(key))
}
