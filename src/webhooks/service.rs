//! Runs a sender for every webhook that this node delivers, and starts and stops senders as webhooks are made and
//! ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::post::Poster;
use super::render::Render;
use super::sender::{Sender, Settings, Shared};
use crate::domain::time::Millis;
use crate::progress::Hub;
use crate::store::secrets::Sealer;
use crate::store::webhooks::{self, Webhook};
use crate::store::{self, Db};

/// How long a lease lasts without renewal. A sender begins a POST only if the lease lasts longer than a POST can take.
const TTL: Duration = Duration::from_secs(15);

/// How often leases are renewed.
const RENEW: Duration = Duration::from_secs(3);

/// How often webhooks are read even without a wake-up, because another node may have made, ended or released one.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What the service is built from.
pub struct Options {
    /// The store with the webhooks, their leases and their cursors.
    pub db: Db,
    /// The event log that is posted from.
    pub hub: Arc<Hub>,
    /// Opens the webhooks' signing secrets.
    pub sealer: Sealer,
    /// Posts the events to the receivers.
    pub poster: Poster,
    /// Renders an event as the body of a POST.
    pub render: Render,
    /// The name of this node in leases.
    pub node: String,
    /// Notified when a webhook was made or ended on this node.
    pub changed: Arc<Notify>,
}

/// The delivery of the webhooks that one node has leased.
pub struct Service {
    shared: Shared,
    node: String,
    changed: Arc<Notify>,
    running: HashMap<i64, Running>,
    /// The senders that run, and those that were asked to stop and have not ended yet.
    tasks: JoinSet<()>,
    /// The webhook of each task.
    webhook_of: HashMap<Id, i64>,
    /// The time until which all leases of this node last.
    lease: watch::Sender<Instant>,
    renew_at: Instant,
}

struct Running {
    epoch: i64,
    settings: watch::Sender<Settings>,
    stop: CancellationToken,
    task: AbortHandle,
}

impl Service {
    /// Builds the service. Nothing is delivered before [`Service::run`].
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { db, hub, sealer, poster, render, node, changed } = options;
        let now = Instant::now();
        let (lease, lasts) = watch::channel(now);
        let shared = Shared { db, hub, sealer, poster, render, lease: lasts };
        let (running, tasks, webhook_of) = (HashMap::new(), JoinSet::new(), HashMap::new());
        Self { shared, node, changed, running, tasks, webhook_of, lease, renew_at: now }
    }

    /// Delivers until `stop` is cancelled. Returns after every sender has stored its cursor and the leases are
    /// released, so that another node can take the webhooks.
    pub async fn run(mut self, stop: CancellationToken) {
        let changed = Arc::clone(&self.changed);
        let mut poll = interval(POLL_INTERVAL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut away = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = changed.notified() => {}
                _ = poll.tick() => {}
                Some(ended) = self.tasks.join_next_with_id() => {
                    self.note_end(ended);
                    continue;
                }
            }
            match self.adjust().await {
                Ok(()) => away = false,
                Err(error) if away => debug!(%error, "still cannot read or lease the webhooks"),
                Err(error) => {
                    warn!(%error, "cannot read or lease the webhooks; trying again");
                    away = true;
                }
            }
        }
        for running in self.running.values() {
            running.stop.cancel();
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.note_end(ended);
        }
        if let Err(error) = self.release().await {
            warn!(%error, "cannot release the webhooks; other nodes take them when their leases expire");
        }
    }

    /// A sender that panicked is started again by [`Service::adjust`], because its webhook is leased and does not run.
    fn note_end(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match &ended {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        let webhook = self.webhook_of.remove(&id);
        if let Err(error) = ended {
            error!(webhook, %error, "the delivery of a webhook ended unexpectedly; starting it again");
        }
    }

    /// Stops the senders whose leases are lost, leases the webhooks that no node has, and renews the other leases.
    async fn adjust(&mut self) -> store::Result<()> {
        let webhooks = webhooks::list(&mut self.shared.db.read().await?, None).await?;
        self.running.retain(|id, running| {
            let row = webhooks.iter().find(|webhook| webhook.id == *id);
            let ours = row.is_some_and(|row| row.lease_epoch == running.epoch && !row.delivery.disabled);
            let goes_on = ours && !running.task.is_finished();
            if !goes_on {
                running.stop.cancel();
            }
            if let Some(row) = row {
                running.settings.send_if_modified(|settings| {
                    let now = Settings::of(row);
                    let changed = *settings != now;
                    *settings = now;
                    changed
                });
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
        let expired = |webhook: &&Webhook| webhook.old_secret.is_some() && webhook.old_secret_until <= now.0;
        if webhooks.iter().any(|webhook| expired(&webhook)) {
            let mut tx = self.shared.db.begin().await?;
            for webhook in webhooks.iter().filter(expired) {
                webhooks::forget_old_secret(&mut tx, webhook.id, now).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Works in one transaction, so that all leases of this node expire at the same time.
    async fn take_and_keep(&mut self, free: &[i64]) -> store::Result<()> {
        let asked = Instant::now();
        let now = Millis::now();
        let mut tx = self.shared.db.begin().await?;
        let mut held: Vec<(i64, i64)> = self.running.iter().map(|(id, running)| (*id, running.epoch)).collect();
        // Every node locks the rows in the same order, so that no two nodes wait for each other.
        held.sort_unstable();
        let lost = webhooks::renew(&mut tx, &held, TTL, now).await?;
        let mut taken = Vec::new();
        for id in free {
            taken.extend(webhooks::acquire(&mut tx, *id, &self.node, TTL, now).await?);
        }
        tx.commit().await?;
        // Stopped before the lease of the others is extended, because the new owner may be posting already.
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
        let (settings, changes) = watch::channel(Settings::of(&webhook));
        let sender = Sender::new(self.shared.clone(), webhook, changes, stop.clone());
        let task = self.tasks.spawn(sender.run());
        self.webhook_of.insert(task.id(), id);
        self.running.insert(id, Running { epoch, settings, stop, task });
    }

    async fn release(&self) -> store::Result<()> {
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
