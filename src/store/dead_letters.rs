//! Dead letters: events that a webhook's receiver did not accept in time. The event itself is in the event log.
//!
//! A letter is stored in the transaction that moves the cursor of its webhook past the event, which only the node with
//! the lease can commit. So an event is either still to be delivered or a dead letter, whatever crashes.

use std::collections::HashMap;

use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;

use super::db::{Conn, Tx, with_conn};
use super::error::Result;
use super::schema::{dead_letters, webhooks};
use super::webhooks::{self as delivery, Delivery};

/// How many dead letters of a webhook are kept. The oldest ones above it are removed.
pub const KEPT: i64 = 1000;

/// A dead letter as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = dead_letters)]
pub struct DeadLetter {
    /// The webhook that the event was posted to.
    pub webhook_id: i64,
    /// The `seq` of the event.
    pub seq: i64,
    /// When the first try failed, in milliseconds since 1970.
    pub first_failed_at: i64,
    /// When the event became a dead letter, in milliseconds since 1970.
    pub died_at: i64,
    /// Why the last try failed.
    pub last_error: String,
    /// True if the letter is to be posted once more.
    pub replaying: bool,
}

/// Stores a dead letter and the delivery that goes on after it. Returns false, and stores nothing, if the webhook is
/// another node's by now, or deleted.
pub async fn bury(tx: &mut Tx, epoch: i64, letter: &DeadLetter, after: &Delivery) -> Result<bool> {
    let id = letter.webhook_id;
    if !delivery::save(tx, id, epoch, after).await? {
        return Ok(false);
    }
    with_conn!(&mut **tx, |c| diesel::insert_into(dead_letters::table).values(letter).execute(c).await)?;
    let oldest_kept: Option<i64> = with_conn!(&mut **tx, |c| {
        dead_letters::table
            .filter(dead_letters::webhook_id.eq(id))
            .order(dead_letters::seq.desc())
            .offset(KEPT - 1)
            .select(dead_letters::seq)
            .first(c)
            .await
            .optional()
    })?;
    if let Some(seq) = oldest_kept {
        let older = dead_letters::table.filter(dead_letters::webhook_id.eq(id).and(dead_letters::seq.lt(seq)));
        with_conn!(&mut **tx, |c| diesel::delete(older).execute(c).await)?;
    }
    Ok(true)
}

/// Reads a page of a webhook's dead letters, oldest event first, and how many there are.
pub async fn list(conn: &mut Conn, webhook_id: i64, offset: i64, limit: i64) -> Result<(Vec<DeadLetter>, i64)> {
    // Counted by the same query, because letters are removed while they are listed.
    let page: Vec<(DeadLetter, i64)> = with_conn!(conn, |c| {
        dead_letters::table
            .filter(dead_letters::webhook_id.eq(webhook_id))
            .order(dead_letters::seq)
            .offset(offset)
            .limit(limit)
            .select((DeadLetter::as_select(), sql::<BigInt>("COUNT(*) OVER ()")))
            .load(c)
            .await
    })?;
    let count = match page.as_slice() {
        [(_, count), ..] => *count,
        [] if offset == 0 => 0,
        [] => with_conn!(conn, |c| {
            dead_letters::table.filter(dead_letters::webhook_id.eq(webhook_id)).count().get_result(c).await
        })?,
    };
    Ok((page.into_iter().map(|(letter, _)| letter).collect(), count))
}

/// Counts the dead letters of each webhook that has any.
pub async fn counts(conn: &mut Conn) -> Result<HashMap<i64, i64>> {
    let counts: Vec<(i64, i64)> = with_conn!(conn, |c| {
        dead_letters::table
            .group_by(dead_letters::webhook_id)
            .select((dead_letters::webhook_id, count_star()))
            .load(c)
            .await
    })?;
    Ok(counts.into_iter().collect())
}

/// Marks dead letters of a webhook to be posted once more: the one of the event `seq`, or all. Returns how many there
/// are.
///
/// The number of requests in the webhook's row rises in the same transaction; by it, the node that delivers learns of
/// the marks. That row is locked before the letters, as in [`bury`].
pub async fn replay(tx: &mut Tx, webhook_id: i64, seq: Option<i64>) -> Result<usize> {
    with_conn!(&mut **tx, |c| {
        diesel::update(webhooks::table.find(webhook_id))
            .set(webhooks::replay_requests.eq(webhooks::replay_requests + 1))
            .execute(c)
            .await
    })?;
    let (from, to) = seq.map_or((0, i64::MAX), |seq| (seq, seq));
    let letters =
        dead_letters::table.filter(dead_letters::webhook_id.eq(webhook_id).and(dead_letters::seq.between(from, to)));
    Ok(with_conn!(&mut **tx, |c| diesel::update(letters).set(dead_letters::replaying.eq(true)).execute(c).await)?)
}

/// Reads the first letters of a webhook that are to be posted once more, oldest event first.
pub async fn to_replay(conn: &mut Conn, webhook_id: i64, limit: i64) -> Result<Vec<DeadLetter>> {
    Ok(with_conn!(conn, |c| {
        dead_letters::table
            .filter(dead_letters::webhook_id.eq(webhook_id).and(dead_letters::replaying))
            .order(dead_letters::seq)
            .limit(limit)
            .select(DeadLetter::as_select())
            .load(c)
            .await
    })?)
}

/// Removes a letter that the receiver has accepted.
///
/// This and the two functions below need no lease: what a node that has lost it found out about a letter is still true.
pub async fn remove(tx: &mut Tx, webhook_id: i64, seq: i64) -> Result<()> {
    with_conn!(&mut **tx, |c| diesel::delete(dead_letters::table.find((webhook_id, seq))).execute(c).await)?;
    Ok(())
}

/// Notes that the receiver did not accept a letter once more. It stays a dead letter.
pub async fn refused_again(tx: &mut Tx, webhook_id: i64, seq: i64, why: &str) -> Result<()> {
    with_conn!(&mut **tx, |c| {
        diesel::update(dead_letters::table.find((webhook_id, seq)))
            .set((dead_letters::replaying.eq(false), dead_letters::last_error.eq(why)))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Ends the replay of all letters of a webhook, because nothing can be posted to it, for this reason. They stay dead
/// letters.
pub async fn end_replay(tx: &mut Tx, webhook_id: i64, why: &str) -> Result<()> {
    let marked = dead_letters::table.filter(dead_letters::webhook_id.eq(webhook_id).and(dead_letters::replaying));
    with_conn!(&mut **tx, |c| {
        diesel::update(marked)
            .set((dead_letters::replaying.eq(false), dead_letters::last_error.eq(why)))
            .execute(c)
            .await
    })?;
    Ok(())
}
