//! This process as a node: it joins, and is heard of until it stops.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::domain::time::Millis;
use crate::store::{Db, Result, nodes};

/// How often a node says that it lives: several times within a lease, so that one lost beat means nothing.
const BEAT: Duration = Duration::from_secs(2);

/// A node that has joined.
pub struct Member {
    db: Db,
    name: String,
    version: &'static str,
}

impl Member {
    /// Puts the node among the others.
    ///
    /// # Errors
    /// If the store cannot be written to.
    pub async fn join(db: Db, name: String, version: &'static str) -> Result<Self> {
        let member = Self { db, name, version };
        member.enter().await?;
        Ok(member)
    }

    /// Says that it lives, until `stop`. A store that is away costs beats and nothing else.
    pub async fn run(self, stop: CancellationToken) {
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beats.tick() => {}
            }
            if let Err(error) = self.beat().await {
                warn!(%error, "cannot tell the other nodes that this one lives");
            }
        }
    }

    async fn beat(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let known = nodes::beat(&mut tx, &self.name, Millis::now()).await?;
        tx.commit().await?;
        // A node that was silent for a day has been forgotten.
        if known { Ok(()) } else { self.enter().await }
    }

    async fn enter(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        nodes::join(&mut tx, &self.name, self.version, Millis::now()).await?;
        tx.commit().await
    }
}
