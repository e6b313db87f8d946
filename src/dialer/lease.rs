//! Holds a lane's lease, and tells everybody how the lane stands.

use std::time::Duration;

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

/// An owner that could not renew stops dialing this long before another node may begin.
const MARGIN: Duration = Duration::from_secs(3);

/// How a lane stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneStatus {
    /// In a word.
    pub status: ServerStatus,
    /// As Asterisk says, once it has.
    pub asterisk_version: Option<String>,
    /// Why it is not online.
    pub last_error: Option<String>,
}

/// Starts the lease. The lane may dial until the time that it is told, which each renewal moves on: while the store is
/// away it goes on following its live calls, for nobody else can, and it dials again when it could renew. `lost` is
/// cancelled when another node owns the lane.
pub fn start(
    db: Db,
    lane: LaneRef,
    status: watch::Receiver<LaneStatus>,
    held: watch::Receiver<LaneWaits>,
    lost: CancellationToken,
) -> watch::Receiver<Instant> {
    let (may_dial_until, until) = watch::channel(Instant::now() + TTL - MARGIN);
    tokio::spawn({
        let (db, lane, lost) = (db.clone(), lane.clone(), lost.clone());
        async move { lost.run_until_cancelled(keep(&db, &lane, &may_dial_until, &lost)).await }
    });
    tokio::spawn(async move { lost.run_until_cancelled(tell(&db, &lane, status, held)).await });
    until
}

/// Renews the lease until it is another node's.
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
                warn!(server = %lane.server, "another node owns the lane; this one stops");
                return lost.cancel();
            }
            Err(error) => {
                warn!(server = %lane.server, %error, "cannot renew the lease, and dials no longer than it lasts");
            }
        }
    }
}

/// Tells how the lane stands, until that ends.
async fn tell(db: &Db, lane: &LaneRef, mut status: watch::Receiver<LaneStatus>, mut held: watch::Receiver<LaneWaits>) {
    status.mark_changed();
    loop {
        tokio::select! {
            changed = status.changed() => {
                if changed.is_err() {
                    return;
                }
                let now = status.borrow_and_update().clone();
                if let Err(error) = write_status(db, lane, &now).await {
                    warn!(server = %lane.server, %error, "cannot tell how the lane stands");
                    status.mark_changed();
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
            Ok(()) = held.changed() => {
                let now = held.borrow_and_update().clone();
                if let Err(error) = write_waits(db, lane, &now).await {
                    // Nobody dials differently for it; the next change tells.
                    warn!(server = %lane.server, %error, "cannot tell what keeps calls waiting");
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

async fn write_waits(db: &Db, lane: &LaneRef, held: &LaneWaits) -> Result<()> {
    let mut tx = db.begin().await?;
    leases::set_waits(&mut tx, &lane.server, lane.epoch, held).await?;
    tx.commit().await
}

async fn write_status(db: &Db, lane: &LaneRef, now: &LaneStatus) -> Result<()> {
    let mut tx = db.begin().await?;
    let (version, error) = (now.asterisk_version.as_deref(), now.last_error.as_deref());
    leases::set_status(&mut tx, &lane.server, lane.epoch, now.status, version, error).await?;
    tx.commit().await
}
