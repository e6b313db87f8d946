//! Delivers the events of one webhook, as long as this node has its lease.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::post::{Answer, Message, Poster, TIMEOUT};
use super::render::Render;
use super::route::Route;
use crate::domain::backoff;
use crate::domain::time::Millis;
use crate::progress::{Hub, Subscription};
use crate::store::events::{Event, Filter};
use crate::store::secrets::Sealer;
use crate::store::webhooks::{self, Delivery, Webhook};
use crate::store::{Db, Result};

/// How many events that wait to be posted are in memory at most.
const AHEAD: usize = 256;

/// The cursor is stored after so many events at the latest, which are what a crash repeats at most.
const SAVE_EVERY: u32 = 32;

/// The cursor is stored so long after the last event at the latest.
const SAVE_AFTER: Duration = Duration::from_millis(250);

/// How long the stored cursor may stay behind when the webhook wants none of the new events.
const SAVE_PASSED_OVER: Duration = Duration::from_secs(10);

/// The longest pause after a first failure. It doubles with every further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The pause before the store is tried again when it cannot be reached.
const STORE_AWAY: Duration = Duration::from_secs(1);

/// How long a POST in progress may still take when the sender is stopped.
const LAST_POST: Duration = Duration::from_secs(3);

/// What all senders of a node share. Its fields are those of [`super::Options`].
#[derive(Clone)]
pub(super) struct Shared {
    pub db: Db,
    pub hub: Arc<Hub>,
    pub sealer: Sealer,
    pub poster: Poster,
    pub render: Render,
    /// The time until which the node's leases last.
    pub lease: watch::Receiver<Instant>,
}

/// The delivery of one webhook.
pub(super) struct Sender {
    shared: Shared,
    webhook: Webhook,
    /// The progress of the delivery, which is ahead of the stored one by at most [`SAVE_EVERY`] events.
    delivery: Delivery,
    /// How many events were delivered since the progress was stored.
    unsaved: u32,
    /// When to store the progress, if it is ahead of the stored one.
    save_at: Option<Instant>,
    stop: CancellationToken,
}

/// Why a sender stopped reading the log.
enum End {
    /// The sender was asked to stop.
    Stopped,
    /// The webhook was leased by another node or deleted, so that the progress known here must not be stored.
    NotOurs,
    /// An event was refused or could not be posted, for this reason.
    Failed(String),
    /// The receiver never wants an event again, as this text says.
    Gone(String),
}

impl Sender {
    /// Builds a sender that begins at the stored progress of the webhook.
    pub(super) fn new(shared: Shared, webhook: Webhook, stop: CancellationToken) -> Self {
        let delivery = webhook.delivery.clone();
        Self { shared, webhook, delivery, unsaved: 0, save_at: None, stop }
    }

    /// Delivers until it is stopped, the receiver is gone, or the lease is lost. Stores its progress at the end, except
    /// in the last case.
    pub(super) async fn run(mut self) {
        while self.wait_out_the_pause().await {
            match self.deliver().await {
                End::Stopped => break,
                End::NotOurs => return,
                End::Failed(why) => {
                    if self.note_failure(why).await.is_some() {
                        return;
                    }
                }
                End::Gone(why) => {
                    info!(webhook = self.webhook.id, "the receiver answered 410; nothing more is posted to it");
                    self.delivery.last_error = Some(why);
                    self.delivery.disabled = true;
                    self.save_at = Some(Instant::now());
                    break;
                }
            }
        }
        if self.save_at.is_some() {
            self.save().await;
        }
    }

    /// Waits until the next try is due. Returns false if the sender is stopped before.
    async fn wait_out_the_pause(&self) -> bool {
        let pause = Millis(self.delivery.next_try_at).since(Millis::now()).min(LONGEST_PAUSE);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = sleep(pause) => true,
        }
    }

    /// Posts event after event from the cursor on. Events that were read and not posted are dropped at the end, so that
    /// a webhook that fails uses no memory while it waits.
    async fn deliver(&mut self) -> End {
        let route = match Route::of(&self.webhook, &self.shared.sealer) {
            Ok(route) => route,
            Err(error) => return End::Failed(error.to_string()),
        };
        let filter = Filter { client_id: Some(self.webhook.client_id), ..Filter::default() };
        let mut log = self.shared.hub.subscribe(filter, self.delivery.delivered_seq);
        loop {
            let events = match log.take_some(AHEAD).await {
                Ok(events) => events,
                Err(error) => {
                    warn!(webhook = self.webhook.id, %error, "cannot read the events to post; trying again");
                    tokio::select! {
                        () = self.stop.cancelled() => return End::Stopped,
                        () = sleep(STORE_AWAY) => continue,
                    }
                }
            };
            for event in events.iter().filter(|event| route.wants(event)) {
                if let Some(end) = self.deliver_one(&route, event).await {
                    return end;
                }
            }
            self.pass_over(log.cursor());
            if events.is_empty()
                && let Some(end) = self.wait_for_more(&mut log).await
            {
                return end;
            }
        }
    }

    /// Posts an event. Returns None if the next event can follow.
    async fn deliver_one(&mut self, route: &Route, event: &Event) -> Option<End> {
        if !self.may_post().await {
            return Some(End::Stopped);
        }
        let body = match (self.shared.render)(event) {
            Ok(body) => body,
            Err(error) => {
                // A retry would block all later events for ever.
                error!(webhook = self.webhook.id, seq = event.seq, %error, "cannot render an event; it is skipped");
                return None;
            }
        };
        let id = format!("wh_{}_{}", self.webhook.id, event.seq);
        let Some(answer) = self.post(route, Message { url: &route.url, id: &id, body: body.into() }).await else {
            return Some(End::Stopped);
        };
        match answer.failure() {
            None => self.note_taken(event.seq).await,
            Some(why) if answer == Answer::Gone => Some(End::Gone(why)),
            Some(why) => Some(End::Failed(why)),
        }
    }

    /// Waits until the lease lasts for longer than a POST can take. Returns false if the sender is stopped.
    async fn may_post(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            lasts = self.shared.lease.wait_for(|until| *until >= Instant::now() + TIMEOUT) => lasts.is_ok(),
        }
    }

    /// Posts a message. Returns None if the sender was stopped and there was no response within [`LAST_POST`].
    async fn post(&self, route: &Route, message: Message<'_>) -> Option<Answer> {
        let mut posting = std::pin::pin!(self.shared.poster.post(&route.signer, message));
        tokio::select! {
            answer = &mut posting => Some(answer),
            () = self.stop.cancelled() => timeout(LAST_POST, posting).await.ok(),
        }
    }

    /// Waits for events, and stores the progress if that is due first. Returns None if the delivery can go on.
    async fn wait_for_more(&mut self, log: &mut Subscription) -> Option<End> {
        let save_at = self.save_at;
        let time_to_save = async {
            match save_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => Some(End::Stopped),
            () = log.news() => None,
            () = time_to_save => self.save().await,
        }
    }

    async fn note_taken(&mut self, seq: i64) -> Option<End> {
        if self.delivery.failures > 0 {
            info!(webhook = self.webhook.id, failures = self.delivery.failures, "the receiver accepts events again");
        }
        let delivered_at = Some(Millis::now().0);
        self.delivery = Delivery { delivered_seq: seq, delivered_at, ..Delivery::default() };
        self.unsaved += 1;
        let soon = Instant::now() + SAVE_AFTER;
        let save_at = *self.save_at.insert(self.save_at.map_or(soon, |at| at.min(soon)));
        if self.unsaved >= SAVE_EVERY || save_at <= Instant::now() { self.save().await } else { None }
    }

    async fn note_failure(&mut self, why: String) -> Option<End> {
        if self.delivery.failures == 0 {
            warn!(webhook = self.webhook.id, %why, "the receiver did not accept an event; posting it again");
        }
        let failures = self.delivery.failures.saturating_add(1);
        let in_a_row = u32::try_from(failures).unwrap_or(u32::MAX);
        let pause = backoff::pause(in_a_row, FIRST_PAUSE, LONGEST_PAUSE, rand::random());
        self.delivery.failures = failures;
        self.delivery.next_try_at = Millis::now().plus(pause).0;
        self.delivery.last_error = Some(why);
        self.save().await
    }

    /// Records that no event up to `cursor` is left to post.
    fn pass_over(&mut self, cursor: i64) {
        if cursor > self.delivery.delivered_seq {
            self.delivery.delivered_seq = cursor;
            self.save_at.get_or_insert(Instant::now() + SAVE_PASSED_OVER);
        }
    }

    /// Stores the progress. If the store cannot be reached, this is tried again: until then, a crash repeats more
    /// events than usual, and nothing is posted after the lease has expired.
    async fn save(&mut self) -> Option<End> {
        match self.try_save().await {
            Ok(true) => {
                (self.unsaved, self.save_at) = (0, None);
                None
            }
            Ok(false) => Some(End::NotOurs),
            Err(error) => {
                warn!(webhook = self.webhook.id, %error, "cannot store the progress of a webhook; trying again");
                self.save_at = Some(Instant::now() + STORE_AWAY);
                None
            }
        }
    }

    async fn try_save(&self) -> Result<bool> {
        let mut tx = self.shared.db.begin().await?;
        let (id, epoch) = (self.webhook.id, self.webhook.lease_epoch);
        let saved = webhooks::save(&mut tx, id, epoch, &self.delivery).await?;
        tx.commit().await?;
        Ok(saved)
    }
}
