//! Keeps a lane's lease, and publishes the lane's status and what keeps its calls waiting.

use std::time::Duration;

use futures_util::future;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::domain::status::ServerStatus;
use crate::domain::time::Millis;
use crate::domain::wait_reasons::LaneWaits;
use crate::store::journal::LaneRef;
use crate::store::leases::TTL;
use crate::store::{Db, Result, leases};

/// An owner that could not renew its lease stops dialing this long before another node may begin.
const MARGIN: Duration = Duration::from_secs(3);

/// The status of a lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStatus {
    /// The status that the API shows.
    pub status: ServerStatus,
    /// Asterisk's version, as it reported it.
    pub asterisk_version: Option<String>,
    /// Why the lane is not online.
    pub last_error: Option<String>,
}

/// Starts to renew the lease. The lane may dial until the returned time, which each renewal moves on. While the store
/// cannot be reached, the lane goes on following its live calls, because no other node can, and it dials again after
/// the next renewal. `lost` is cancelled when another node owns the lane. The returned channel closes when the task
/// ends.
pub fn start(
    db: Db,
    lane: LaneRef,
    status: watch::Receiver<LaneStatus>,
    waits: watch::Receiver<LaneWaits>,
    lost: CancellationToken,
) -> watch::Receiver<Instant> {
    let (may_dial_until, until) = watch::channel(Instant::now() + TTL - MARGIN);
    tokio::spawn(async move {
        let keep = keep(&db, &lane, &may_dial_until, &lost);
        let publish = publish(&db, &lane, status, waits);
        lost.run_until_cancelled(future::join(keep, publish)).await
    });
    until
}

/// Renews the lease until another node owns it.
async fn keep(db: &Db, lane: &LaneRef, may_dial_until: &watch::Sender<Instant>, lost: &CancellationToken) {
    let mut renew = interval(TTL / 3);
    renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        renew.tick().await;
        let asked = Instant::now();
        match renew_lease(db, lane).await {
            Ok(true) => {
                may_dial_until.send_replace(asked + TTL - MARGIN);
            }
            Ok(false) => {
                warn!(server = %lane.server, "another node owns the lane now; this node stops it");
                return lost.cancel();
            }
            Err(error) => {
                warn!(server = %lane.server, %error, "cannot renew the lease; nothing is dialed after it ends");
            }
        }
    }
}

/// Publishes the lane's status and wait reasons until the lane ends.
async fn publish(
    db: &Db,
    lane: &LaneRef,
    mut status: watch::Receiver<LaneStatus>,
    mut waits: watch::Receiver<LaneWaits>,
) {
    status.mark_changed();
    loop {
        tokio::select! {
            changed = status.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = status.borrow_and_update().clone();
                if let Err(error) = write_status(db, lane, &now).await {
                    warn!(server = %lane.server, %error, "cannot publish the lane's status");
                    status.mark_changed();
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
            Ok(()) = waits.changed() => {
                let now = waits.borrow_and_update().clone();
                if let Err(error) = write_waits(db, lane, &now).await {
                    // No call depends on it; the next change is published again.
                    warn!(server = %lane.server, %error, "cannot publish what keeps calls waiting");
                }
            }
        }
    }
}

async fn renew_lease(db: &Db, lane: &LaneRef) -> Result<bool> {
    let mut tx = db.begin().await?;
    let kept = leases::renew(&mut tx, &lane.server, lane.epoch, TTL, Millis::now()).await?;
    tx.commit().await?;
    Ok(kept)
}

async fn write_waits(db: &Db, lane: &LaneRef, waits: &LaneWaits) -> Result<()> {
    let mut tx = db.begin().await?;
    leases::set_waits(&mut tx, &lane.server, lane.epoch, waits).await?;
    tx.commit().await
}

async fn write_status(db: &Db, lane: &LaneRef, now: &LaneStatus) -> Result<()> {
    let mut tx = db.begin().await?;
    let (version, error) = (now.asterisk_version.as_deref(), now.last_error.as_deref());
    leases::set_status(&mut tx, &lane.server, lane.epoch, now.status, version, error).await?;
    tx.commit().await
}
