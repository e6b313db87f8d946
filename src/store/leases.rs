//! Leases of lanes: one node dials through a server at a time, under an epoch that only rises.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::db::{Tx, with_conn};
use super::error::{Result, StoreError};
use super::schema::{attempts, leases};
use crate::domain::status::ServerStatus;
use crate::domain::time::Millis;
use crate::domain::wait_reasons::LaneWaits;

/// How long a lease lasts if it is not renewed. A node that is silent for as long is taken for dead.
pub const TTL: Duration = Duration::from_secs(15);

/// The lease of a lane, as it is stored.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = leases)]
pub struct Lease {
    /// The code of the lane's server.
    pub server_code: String,
    /// The node that owns the lane.
    pub node: String,
    /// The epoch, which rises with every owner.
    pub epoch: i64,
    /// The number of the last group that the lane's journal committed in this epoch.
    pub committed: i64,
    /// When another node may take the lane, in milliseconds since 1970.
    pub expires_at: i64,
    /// The code of a [`ServerStatus`].
    pub status: i16,
    /// The version that Asterisk reported.
    pub asterisk_version: Option<String>,
    /// Why the lane is not online.
    pub last_error: Option<String>,
}

/// Takes the lane for `node` and returns its new epoch. Returns None while another node holds the lane.
///
/// A node takes its own lane back at once, whatever is left of the lease: after a crash it is the same machine.
pub async fn acquire(tx: &mut Tx, server: &str, node: &str, ttl: Duration, now: Millis) -> Result<Option<i64>> {
    let fresh = Lease {
        server_code: server.to_owned(),
        node: node.to_owned(),
        epoch: 1,
        committed: 0,
        expires_at: now.plus(ttl).0,
        status: ServerStatus::Connecting.code(),
        asterisk_version: None,
        last_error: None,
    };
    let made = with_conn!(&mut **tx, |c| {
        diesel::insert_into(leases::table).values(&fresh).on_conflict_do_nothing().execute(c).await
    })?;
    if made == 1 {
        return Ok(Some(1));
    }
    let epoch: Option<i64> = with_conn!(&mut **tx, |c| {
        diesel::update(leases::table.find(server))
            .filter(leases::node.eq(node).or(leases::expires_at.le(now.0)))
            .set((
                leases::node.eq(node),
                leases::epoch.eq(leases::epoch + 1),
                leases::committed.eq(0),
                leases::expires_at.eq(fresh.expires_at),
                leases::status.eq(fresh.status),
                leases::held.eq(None::<String>),
            ))
            .returning(leases::epoch)
            .get_result(c)
            .await
            .optional()
    })?;
    if let Some(epoch) = epoch {
        // The attempts that the last owner left live belong to this one now.
        with_conn!(&mut **tx, |c| {
            diesel::update(attempts::table)
                .filter(attempts::server_code.eq(server).and(attempts::ended_at.is_null()))
                .set(attempts::epoch.eq(epoch))
                .execute(c)
                .await
        })?;
    }
    Ok(epoch)
}

/// Publishes why `node` cannot run a lane that has no owner. The lane stays free.
pub async fn pass_over(tx: &mut Tx, server: &str, node: &str, why: &str, now: Millis) -> Result<()> {
    let unowned = Lease {
        server_code: server.to_owned(),
        node: node.to_owned(),
        epoch: 0,
        committed: 0,
        expires_at: 0,
        status: ServerStatus::Offline.code(),
        asterisk_version: None,
        last_error: Some(why.to_owned()),
    };
    let made = with_conn!(&mut **tx, |c| {
        diesel::insert_into(leases::table).values(&unowned).on_conflict_do_nothing().execute(c).await
    })?;
    if made == 1 {
        return Ok(());
    }
    with_conn!(&mut **tx, |c| {
        diesel::update(leases::table.find(server))
            .filter(leases::expires_at.le(now.0))
            .set((leases::status.eq(unowned.status), leases::last_error.eq(why)))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Renews the lease. Returns false if another node owns the lane now.
pub async fn renew(tx: &mut Tx, server: &str, epoch: i64, ttl: Duration, now: Millis) -> Result<bool> {
    let renewed = with_conn!(&mut **tx, |c| {
        diesel::update(leases::table.find(server))
            .filter(leases::epoch.eq(epoch))
            .set(leases::expires_at.eq(now.plus(ttl).0))
            .execute(c)
            .await
    })?;
    Ok(renewed == 1)
}

/// Releases the lane, so that another node may take it at once.
pub async fn release(tx: &mut Tx, server: &str, epoch: i64) -> Result<()> {
    with_conn!(&mut **tx, |c| {
        diesel::update(leases::table.find(server))
            .filter(leases::epoch.eq(epoch))
            .set((leases::expires_at.eq(0), leases::status.eq(ServerStatus::Offline.code())))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Publishes the status of the lane.
pub async fn set_status(
    tx: &mut Tx,
    server: &str,
    epoch: i64,
    status: ServerStatus,
    asterisk_version: Option<&str>,
    last_error: Option<&str>,
) -> Result<()> {
    with_conn!(&mut **tx, |c| {
        let lease = leases::table.find(server).filter(leases::epoch.eq(epoch));
        diesel::update(lease)
            .set((
                leases::status.eq(status.code()),
                // The version stays known while the server cannot be reached.
                asterisk_version.map(|version| leases::asterisk_version.eq(version)),
                leases::last_error.eq(last_error),
            ))
            .execute(c)
            .await
    })?;
    Ok(())
}

/// Publishes what keeps the lane's calls waiting.
pub async fn set_waits(tx: &mut Tx, server: &str, epoch: i64, held: &LaneWaits) -> Result<()> {
    let held = serde_json::to_string(held)?;
    with_conn!(&mut **tx, |c| {
        let lease = leases::table.find(server).filter(leases::epoch.eq(epoch));
        diesel::update(lease).set(leases::held.eq(held)).execute(c).await
    })?;
    Ok(())
}

/// Whether a group of the lane's journal still has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// This transaction has to write the group.
    New,
    /// An earlier commit of the group succeeded, although its answer was lost.
    Committed,
}

/// The fence of every write of a lane. It refuses the write if another node owns the lane now, and tells a group that
/// is written again after a lost answer from a new one. The row stays locked, so that a new owner waits for this
/// commit.
pub async fn fence(tx: &mut Tx, server: &str, epoch: i64, group: i64) -> Result<GroupState> {
    let taken = with_conn!(&mut **tx, |c| {
        diesel::update(leases::table.find(server))
            .filter(leases::epoch.eq(epoch).and(leases::committed.lt(group)))
            .set(leases::committed.eq(group))
            .execute(c)
            .await
    })?;
    if taken == 1 {
        return Ok(GroupState::New);
    }
    let current: Option<i64> =
        with_conn!(&mut **tx, |c| leases::table.find(server).select(leases::epoch).first(c).await.optional())?;
    if current == Some(epoch) {
        return Ok(GroupState::Committed);
    }
    Err(StoreError::Fenced { server: server.to_owned(), epoch })
}
