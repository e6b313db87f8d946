//! Runs a sender for every webhook that this node delivers, and starts and stops them as webhooks come and go.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::post::Poster;
use super::render::Render;
use super::sender::{Sender, Shared};
use crate::domain::time::Millis;
use crate::progress::Hub;
use crate::store::secrets::Sealer;
use crate::store::webhooks::{self, Webhook};
use crate::store::{Db, Result};

/// How long a lease lasts unrenewed. A sender posts only while it lasts for longer than a POST can take.
const TTL: Duration = Duration::from_secs(15);

/// How often leases are renewed.
const RENEW: Duration = Duration::from_secs(3);

/// How often webhooks are read besides the wake-ups: another node may have made or ended one, or let one go.
const LOOK: Duration = Duration::from_millis(500);

/// What the service needs.
pub struct Options {
    /// Where the book is.
    pub db: Db,
    /// What happens.
    pub hub: Arc<Hub>,
    /// Opens the signing secrets.
    pub sealer: Sealer,
    /// Posts.
    pub poster: Poster,
    /// Writes events.
    pub render: Render,
    /// This node's name in leases.
    pub node: String,
    /// Notified when a webhook was made or ended.
    pub changed: Arc<Notify>,
}

/// The webhooks of one node.
pub struct Service {
    shared: Shared,
    node: String,
    changed: Arc<Notify>,
    running: HashMap<i64, Running>,
    /// Those that run, and those that were told to stop and have not ended yet.
    tasks: TaskTracker,
    /// Until when all leases of this node last.
    lease: watch::Sender<Instant>,
    renew_at: Instant,
}

struct Running {
    epoch: i64,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Service {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { db, hub, sealer, poster, render, node, changed } = options;
        let now = Instant::now();
        let (lease, lasts) = watch::channel(now);
        let shared = Shared { db, hub, sealer, poster, render, lease: lasts };
        let tasks = TaskTracker::new();
        Self { shared, node, changed, running: HashMap::new(), tasks, lease, renew_at: now }
    }

    /// Delivers until `stop`; ends when every sender has stored how far it has come, and its webhook is another node's
    /// to take.
    pub async fn run(mut self, stop: CancellationToken) {
        let changed = Arc::clone(&self.changed);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut away = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = changed.notified() => {}
                _ = look.tick() => {}
            }
            match self.adjust().await {
                Ok(()) => away = false,
                Err(error) if away => debug!(%error, "still cannot look after the webhooks"),
                Err(error) => {
                    warn!(%error, "cannot look after the webhooks");
                    away = true;
                }
            }
        }
        for running in self.running.values() {
            running.stop.cancel();
        }
        self.tasks.close();
        self.tasks.wait().await;
        if let Err(error) = self.release().await {
            warn!(%error, "cannot release the webhooks: they pass on when their leases end");
        }
    }

    /// Stops what is no longer ours, takes what nobody has, and keeps the rest.
    async fn adjust(&mut self) -> Result<()> {
        let webhooks = webhooks::list(&mut self.shared.db.read().await?, None).await?;
        self.running.retain(|id, running| {
            let row = webhooks.iter().find(|webhook| webhook.id == *id);
            let ours = row.is_some_and(|row| row.lease_epoch == running.epoch && !row.delivery.disabled);
            let goes_on = ours && !running.task.is_finished();
            if !goes_on {
                running.stop.cancel();
            }
            goes_on
        });
        let now = Millis::now();
        let free = |webhook: &Webhook| {
            let held = webhook.lease_until > now.0 && webhook.lease_node.as_ref() != Some(&self.node);
            !held && !webhook.delivery.disabled && !self.running.contains_key(&webhook.id)
        };
        let free: Vec<i64> = webhooks.iter().filter(|webhook| free(webhook)).map(|webhook| webhook.id).collect();
        if !free.is_empty() || (!self.running.is_empty() && Instant::now() >= self.renew_at) {
            self.take_and_keep(&free).await?;
        }
        Ok(())
    }

    /// In one transaction, so that one time holds for all leases of this node.
    async fn take_and_keep(&mut self, free: &[i64]) -> Result<()> {
        let asked = Instant::now();
        let now = Millis::now();
        let mut tx = self.shared.db.begin().await?;
        let mut held: Vec<(i64, i64)> = self.running.iter().map(|(id, running)| (*id, running.epoch)).collect();
        // Every node locks rows in the same order.
        held.sort_unstable();
        let lost = webhooks::renew(&mut tx, &held, TTL, now).await?;
        let mut taken = Vec::new();
        for id in free {
            taken.extend(webhooks::acquire(&mut tx, *id, &self.node, TTL, now).await?);
        }
        tx.commit().await?;
        // Before the others may go on: the new owner may be posting already.
        for id in lost {
            if let Some(running) = self.running.remove(&id) {
                running.stop.cancel();
            }
        }
        self.lease.send_replace(asked + TTL);
        self.renew_at = asked + RENEW;
        for webhook in taken {
            self.start(webhook);
        }
        Ok(())
    }

    fn start(&mut self, webhook: Webhook) {
        let (id, epoch, stop) = (webhook.id, webhook.lease_epoch, CancellationToken::new());
        let sender = Sender::new(self.shared.clone(), webhook, stop.clone());
        let task = self.tasks.spawn(sender.run());
        self.running.insert(id, Running { epoch, stop, task });
    }

    async fn release(&self) -> Result<()> {
        if self.running.is_empty() {
            return Ok(());
        }
        let mut tx = self.shared.db.begin().await?;
        for (id, running) in &self.running {
            webhooks::release(&mut tx, *id, running.epoch).await?;
        }
        tx.commit().await
    }
}
