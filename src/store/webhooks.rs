//! Webhooks: where a client's events are posted to, how far that has come, and which node does it.
//!
//! One node at a time delivers a webhook, under a lease in its row and an epoch that only rises. What it writes about
//! the delivery counts only while the epoch is still its own, so that a late owner moves no cursor back.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::webhooks;
use crate::domain::time::Millis;

/// A webhook as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Webhook {
    /// The webhook's id, from 1.
    pub id: i64,
    /// The client whose events are posted.
    pub client_id: i64,
    /// The URL that they are posted to.
    pub url: String,
    /// The signing secret, sealed.
    pub secret: Vec<u8>,
    /// A JSON list of the codes of [`EventKind`](crate::domain::event_kind::EventKind); an empty list means all kinds.
    pub events: String,
    /// When the webhook was created, in milliseconds since 1970.
    pub created_at: i64,
    /// The state of the delivery.
    pub delivery: Delivery,
    /// The node that has the lease, or had it last.
    pub lease_node: Option<String>,
    /// The epoch, which rises with every owner.
    pub lease_epoch: i64,
    /// When another node may take the webhook, in milliseconds since 1970.
    pub lease_until: i64,
    /// The secret before the last rotation, sealed.
    pub old_secret: Option<Vec<u8>>,
    /// Until when the secret before the last rotation signs as well, in milliseconds since 1970.
    pub old_secret_until: i64,
    /// How often a replay of dead letters was requested.
    pub replay_requests: i64,
}

/// The state of a webhook's delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = webhooks, treat_none_as_null = true)]
pub struct Delivery {
    /// The cursor: the `seq` of the last event that was delivered or passed over.
    pub delivered_seq: i64,
    /// When the last delivery succeeded, in milliseconds since 1970.
    pub delivered_at: Option<i64>,
    /// How many deliveries have failed in a row since.
    pub failures: i32,
    /// When to try again, in milliseconds since 1970.
    pub next_try_at: i64,
    /// Why the last delivery failed.
    pub last_error: Option<String>,
    /// True if the receiver is gone for good, so that nothing more is posted.
    pub disabled: bool,
    /// The `seq` of the event that is being tried again.
    pub failing_seq: Option<i64>,
    /// When the first try of that event failed, in milliseconds since 1970.
    pub failing_since: Option<i64>,
}

/// A webhook that is about to be stored.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// The client whose events are posted.
    pub client_id: i64,
    /// The URL that they are posted to.
    pub url: String,
    /// The signing secret, sealed.
    pub secret: Vec<u8>,
    /// The codes of [`EventKind`](crate::domain::event_kind::EventKind) that are posted; an empty list means all kinds.
    pub events: Vec<i16>,
    /// The cursor: events after this one are posted.
    pub after: i64,
}

/// What a webhook is changed to.
#[derive(Clone, Debug)]
pub struct WebhookUpdate {
    /// The URL that events are posted to.
    pub url: String,
    /// The codes of [`EventKind`](crate::domain::event_kind::EventKind) that are posted; an empty list means all kinds.
    pub events: Vec<i16>,
    /// True if nothing more is posted.
    pub disabled: bool,
}

/// The columns of a [`Webhook`], in the order of its fields. This is not a `Selectable` with an embedded [`Delivery`],
/// because that takes the compiler a second more for each query.
macro_rules! columns {
    () => {
        (
            webhooks::id,
            webhooks::client_id,
            webhooks::url,
            webhooks::secret,
            webhooks::events,
            webhooks::created_at,
            Delivery::as_select(),
            webhooks::lease_node,
            webhooks::lease_epoch,
            webhooks::lease_until,
            webhooks::old_secret,
            webhooks::old_secret_until,
            webhooks::replay_requests,
        )
    };
}

impl Webhook {
    /// Returns the codes of the kinds of events that are posted; an empty list means all kinds.
    pub fn kinds(&self) -> Result<Vec<i16>> {
        Ok(serde_json::from_str(&self.events)?)
    }
}

/// Stores a webhook and returns it.
pub async fn insert(tx: &mut Tx, new: &NewWebhook, now: Millis) -> Result<Webhook> {
    let events = serde_json::to_string(&new.events)?;
    Ok(with_conn!(&mut **tx, |c| {
        diesel::insert_into(webhooks::table)
            .values((
                webhooks::client_id.eq(new.client_id),
                webhooks::url.eq(&new.url),
                webhooks::secret.eq(&new.secret),
                webhooks::events.eq(&events),
                webhooks::created_at.eq(now.0),
                webhooks::delivered_seq.eq(new.after),
            ))
            .returning(columns!())
            .get_result(c)
            .await
    })?)
}

/// Lists the webhooks of a client, or of all clients, oldest first.
pub async fn list(conn: &mut Conn, client_id: Option<i64>) -> Result<Vec<Webhook>> {
    Ok(with_conn!(conn, |c| {
        let mut query = webhooks::table.into_boxed();
        if let Some(client_id) = client_id {
            query = query.filter(webhooks::client_id.eq(client_id));
        }
        query.order(webhooks::id).select(columns!()).load(c).await
    })?)
}

/// Reads the webhook with this id.
pub async fn get(conn: &mut Conn, id: i64) -> Result<Option<Webhook>> {
    Ok(with_conn!(conn, |c| webhooks::table.find(id).select(columns!()).first(c).await.optional())?)
}

/// Replaces the signing secret, and keeps the one before it until `old_until`. Returns None if there is no such
/// webhook.
pub async fn rotate(tx: &mut Tx, id: i64, secret: &[u8], old_until: Millis) -> Result<Option<Webhook>> {
    // The right-hand side of an assignment is the row before the update.
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(webhooks::table.find(id))
            .set((
                webhooks::old_secret.eq(webhooks::secret.nullable()),
                webhooks::old_secret_until.eq(old_until.0),
                webhooks::secret.eq(secret),
            ))
            .returning(columns!())
            .get_result(c)
            .await
            .optional()
    })?)
}

/// Changes where and what a webhook posts, and takes it from the node that delivers it, so that whatever that node still
/// stores about the delivery does not undo the change. With `is_fresh`, earlier failures are forgotten and the next try is at
/// once. Returns None if there is no such webhook.
pub async fn update(tx: &mut Tx, id: i64, new: &WebhookUpdate, is_fresh: bool) -> Result<Option<Webhook>> {
    let events = serde_json::to_string(&new.events)?;
    if is_fresh {
        with_conn!(&mut **tx, |c| {
            diesel::update(webhooks::table.find(id))
                .set((
                    webhooks::failures.eq(0),
                    webhooks::next_try_at.eq(0),
                    webhooks::last_error.eq(None::<String>),
                    webhooks::failing_seq.eq(None::<i64>),
                    webhooks::failing_since.eq(None::<i64>),
                ))
                .execute(c)
                .await
        })?;
    }
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(webhooks::table.find(id))
            .set((
                webhooks::url.eq(&new.url),
                webhooks::events.eq(&events),
                webhooks::disabled.eq(new.disabled),
                webhooks::lease_epoch.eq(webhooks::lease_epoch + 1),
                webhooks::lease_until.eq(0),
            ))
            .returning(columns!())
            .get_result(c)
            .await
            .optional()
    })?)
}

/// Erases the secret before the last rotation if it has expired.
pub async fn forget_old_secret(tx: &mut Tx, id: i64, now: Millis) -> Result<()> {
    with_conn!(&mut **tx, |c| {
        diesel::update(webhooks::table.find(id))
            .filter(webhooks::old_secret_until.le(now.0))
            .set(webhooks::old_secret.eq(None::<Vec<u8>>))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Deletes a webhook with its dead letters. Returns false if there is no such webhook.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<bool> {
    let deleted = with_conn!(&mut **tx, |c| diesel::delete(webhooks::table.find(id)).execute(c).await)?;
    Ok(deleted == 1)
}

/// Takes a webhook for `node` and returns it under its new epoch. Returns None while another node has it, and if it is
/// disabled or deleted.
///
/// A node takes its own webhook back at once, whatever is left of the lease: after a crash it is the same machine.
pub async fn acquire(tx: &mut Tx, id: i64, node: &str, ttl: Duration, now: Millis) -> Result<Option<Webhook>> {
    Ok(with_conn!(&mut **tx, |c| {
        diesel::update(webhooks::table.find(id))
            .filter(webhooks::disabled.eq(false))
            .filter(webhooks::lease_node.eq(node).or(webhooks::lease_until.le(now.0)))
            .set((
                webhooks::lease_node.eq(node),
                webhooks::lease_epoch.eq(webhooks::lease_epoch + 1),
                webhooks::lease_until.eq(now.plus(ttl).0),
            ))
            .returning(columns!())
            .get_result(c)
            .await
            .optional()
    })?)
}

/// Renews the leases of these webhooks, each under the epoch that it was taken under, and returns those that this node
/// has lost.
pub async fn renew(tx: &mut Tx, held: &[(i64, i64)], ttl: Duration, now: Millis) -> Result<Vec<i64>> {
    let mut lost = Vec::new();
    for (id, epoch) in held {
        let renewed = with_conn!(&mut **tx, |c| {
            diesel::update(webhooks::table.find(id))
                .filter(webhooks::lease_epoch.eq(epoch))
                .set(webhooks::lease_until.eq(now.plus(ttl).0))
                .execute(c)
                .await
        })?;
        if renewed == 0 {
            lost.push(*id);
        }
    }
    Ok(lost)
}

/// Releases a webhook, so that another node may take it at once.
pub async fn release(tx: &mut Tx, id: i64, epoch: i64) -> Result<()> {
    with_conn!(&mut **tx, |c| {
        diesel::update(webhooks::table.find(id))
            .filter(webhooks::lease_epoch.eq(epoch))
            .set(webhooks::lease_until.eq(0))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Stores the state of the delivery. Returns false if the webhook is another node's by now, or deleted.
pub async fn save(tx: &mut Tx, id: i64, epoch: i64, delivery: &Delivery) -> Result<bool> {
    let saved = with_conn!(&mut **tx, |c| {
        diesel::update(webhooks::table.find(id)).filter(webhooks::lease_epoch.eq(epoch)).set(delivery).execute(c).await
    })?;
    Ok(saved == 1)
}
