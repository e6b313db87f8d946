//! Membership of this process among the nodes: it joins, and sends heartbeats until it stops.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::domain::time::Millis;
use crate::store::{Db, Result, nodes};

/// How often a node records that it is alive: several times within a lease, so that one lost heartbeat does no harm.
const BEAT: Duration = Duration::from_secs(2);

/// A node that has joined the others.
pub struct Member {
    db: Db,
    name: String,
    version: &'static str,
}

impl Member {
    /// Records the node in the store.
    ///
    /// # Errors
    /// Returns an error if the store cannot be written to.
    pub async fn join(db: Db, name: String, version: &'static str) -> Result<Self> {
        let member = Self { db, name, version };
        member.enter().await?;
        Ok(member)
    }

    /// Sends heartbeats until `stop` is cancelled. If the store cannot be reached, heartbeats are lost and nothing
    /// else.
    pub async fn run(self, stop: CancellationToken) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beats.tick() => {}
            }
            if let Err(error) = self.beat().await {
                warn!(%error, "cannot record in the store that this node is alive");
            }
        }
    }

    async fn beat(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let known = nodes::beat(&mut tx, &self.name, Millis::now()).await?;
        tx.commit().await?;
        // A node without heartbeats for a day has been deleted.
        if known { Ok(()) } else { self.enter().await }
    }

    async fn enter(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        nodes::join(&mut tx, &self.name, self.version, Millis::now()).await?;
        tx.commit().await
    }
}
