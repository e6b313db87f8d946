//! Delivers the events of one webhook, as long as this node has its lease.

mod replay;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::post::{Answer, Message, Poster, TIMEOUT};
use super::render::Render;
use super::retry::{self, LONGEST_PAUSE, Next};
use super::route::{Route, RouteError};
use crate::domain::time::Millis;
use crate::progress::{Hub, Subscription};
use crate::store::dead_letters::{self, DeadLetter};
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

/// What is changed of a webhook while it is delivered.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Settings {
    secret: Vec<u8>,
    old_secret: Option<Vec<u8>>,
    old_secret_until: i64,
    replay_requests: i64,
}

/// The delivery of one webhook.
pub(super) struct Sender {
    shared: Shared,
    webhook: Webhook,
    /// The settings in the webhook's row, which are newer than those in `webhook` after a change.
    settings: watch::Receiver<Settings>,
    /// True if there may be dead letters that are to be posted once more.
    may_replay: bool,
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
    /// A setting was changed, or dead letters are to be posted once more.
    Changed,
    /// Nothing can be posted, for this reason, and no event was tried.
    NoRoute(RouteError),
    /// The event with this `seq` was refused or could not be posted, for this reason.
    Failed(i64, String),
    /// The receiver never wants an event again, as this text says.
    Gone(String),
}

/// Why an event was not posted.
enum NotPosted {
    /// The sender was asked to stop.
    Stopped,
    /// The event cannot be written as JSON.
    Unreadable,
}

impl Settings {
    /// Returns the settings in the webhook's row.
    pub(super) fn of(webhook: &Webhook) -> Self {
        Self {
            secret: webhook.secret.clone(),
            old_secret: webhook.old_secret.clone(),
            old_secret_until: webhook.old_secret_until,
            replay_requests: webhook.replay_requests,
        }
    }
}

impl Sender {
    /// Builds a sender that begins at the stored progress of the webhook.
    pub(super) fn new(
        shared: Shared,
        webhook: Webhook,
        settings: watch::Receiver<Settings>,
        stop: CancellationToken,
    ) -> Self {
        let delivery = webhook.delivery.clone();
        // A node that had the webhook before may have ended in the middle of a replay.
        Self { shared, webhook, settings, may_replay: true, delivery, unsaved: 0, save_at: None, stop }
    }

    /// Delivers until it is stopped, the receiver is gone, or the lease is lost. Stores its progress at the end, except
    /// in the last case.
    pub(super) async fn run(mut self) {
        loop {
            let end = match self.wait_out_the_pause().await {
                Some(end) => end,
                None => self.deliver().await,
            };
            let lost = match end {
                End::Changed => None,
                End::Stopped => break,
                End::NotOurs => return,
                End::NoRoute(error) => self.note_no_route(&error).await,
                End::Failed(seq, why) => self.note_failure(seq, why).await,
                End::Gone(why) => {
                    info!(webhook = self.webhook.id, "the receiver answered 410; nothing more is posted to it");
                    self.delivery.last_error = Some(why);
                    self.delivery.disabled = true;
                    self.save_at = Some(Instant::now());
                    break;
                }
            };
            if lost.is_some() {
                return;
            }
        }
        if self.save_at.is_some() {
            self.save().await;
        }
    }

    /// Waits until the next event may be posted, and replays dead letters in the meantime. Returns None when it may.
    async fn wait_out_the_pause(&mut self) -> Option<End> {
        loop {
            self.take_settings();
            if self.may_replay
                && let Some(end) = self.replay_some().await
            {
                return Some(end);
            }
            let pause = Millis(self.delivery.next_try_at).since(Millis::now()).min(LONGEST_PAUSE);
            if pause.is_zero() {
                return None;
            }
            if self.may_replay {
                continue;
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Some(End::Stopped),
                changed = self.settings.changed() => {
                    if changed.is_err() {
                        return Some(End::Stopped);
                    }
                }
                () = sleep(pause) => return None,
            }
        }
    }

    /// Takes over what was changed in the webhook's row.
    fn take_settings(&mut self) {
        let settings = self.settings.borrow_and_update().clone();
        self.may_replay |= settings.replay_requests != self.webhook.replay_requests;
        let Settings { secret, old_secret, old_secret_until, replay_requests } = settings;
        self.webhook = Webhook { secret, old_secret, old_secret_until, replay_requests, ..self.webhook.clone() };
    }

    /// Returns why the next event has to wait for a change of the settings, or None if it need not.
    fn interruption(&self) -> Option<End> {
        match self.settings.has_changed() {
            Ok(changed) => changed.then_some(End::Changed),
            Err(_) => Some(End::Stopped),
        }
    }

    fn route(&self) -> std::result::Result<Route, RouteError> {
        Route::of(&self.webhook, self.shared.poster.permitted(), &self.shared.sealer)
    }

    /// Posts event after event from the cursor on. Events that were read and not posted are dropped at the end, so that
    /// a webhook that fails uses no memory while it waits.
    async fn deliver(&mut self) -> End {
        let route = match self.route() {
            Ok(route) => route,
            Err(error) => return End::NoRoute(error),
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
            if self.may_replay {
                return End::Changed;
            }
            if events.is_empty()
                && let Some(end) = self.wait_for_more(&mut log).await
            {
                return end;
            }
        }
    }

    /// Posts an event. Returns None if the next event can follow.
    async fn deliver_one(&mut self, route: &Route, event: &Event) -> Option<End> {
        if let Some(end) = self.interruption() {
            return Some(end);
        }
        let answer = match self.post(route, event).await {
            Ok(answer) => answer,
            Err(NotPosted::Stopped) => return Some(End::Stopped),
            // Another try would block all later events for ever.
            Err(NotPosted::Unreadable) => return None,
        };
        match answer.failure() {
            None => self.note_taken(event.seq).await,
            Some(why) if answer == Answer::Gone => Some(End::Gone(why)),
            Some(why) => Some(End::Failed(event.seq, why)),
        }
    }

    /// Posts an event or a dead letter, which has the same id, as soon as the lease lasts long enough. If the sender is
    /// stopped, a response is waited for at most [`LAST_POST`].
    async fn post(&mut self, route: &Route, event: &Event) -> std::result::Result<Answer, NotPosted> {
        if !self.may_post().await {
            return Err(NotPosted::Stopped);
        }
        let body = (self.shared.render)(event).map_err(|error| {
            error!(webhook = self.webhook.id, seq = event.seq, %error, "cannot render an event; it is skipped");
            NotPosted::Unreadable
        })?;
        let id = format!("wh_{}_{}", self.webhook.id, event.seq);
        let message = Message { url: &route.url, id: &id, body: body.into() };
        let mut posting = std::pin::pin!(self.shared.poster.post(&route.signer, message));
        tokio::select! {
            answer = &mut posting => Ok(answer),
            () = self.stop.cancelled() => timeout(LAST_POST, posting).await.map_err(|_| NotPosted::Stopped),
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
            changed = self.settings.changed() => Some(if changed.is_ok() { End::Changed } else { End::Stopped }),
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

    async fn note_no_route(&mut self, error: &RouteError) -> Option<End> {
        if self.delivery.failures == 0 {
            warn!(webhook = self.webhook.id, %error, "nothing can be posted to a webhook; trying again");
        }
        self.delivery = retry::without_event(&self.delivery, error.to_string(), Millis::now(), rand::random());
        self.save().await
    }

    async fn note_failure(&mut self, seq: i64, why: String) -> Option<End> {
        if self.delivery.failures == 0 {
            warn!(webhook = self.webhook.id, %why, "the receiver did not accept an event; posting it again");
        }
        let now = Millis::now();
        match retry::after_failure(&self.delivery, seq, why.clone(), now, rand::random()) {
            Next::Again(delivery) => {
                self.delivery = delivery;
                self.save().await
            }
            Next::Dead { after, first_failed_at } => {
                let webhook_id = self.webhook.id;
                let (first_failed_at, died_at) = (first_failed_at.0, now.0);
                let letter =
                    DeadLetter { webhook_id, seq, first_failed_at, died_at, last_error: why, replaying: false };
                self.bury(&letter, after).await
            }
        }
    }

    /// Stores a dead letter and goes on after it. If the store cannot be reached, the event is tried again.
    async fn bury(&mut self, letter: &DeadLetter, after: Delivery) -> Option<End> {
        match self.try_bury(letter, &after).await {
            Ok(true) => {
                let (webhook, seq, why) = (self.webhook.id, letter.seq, &letter.last_error);
                warn!(webhook, seq, %why, "the receiver did not accept an event for 24 hours: it is a dead letter");
                self.delivery = after;
                (self.unsaved, self.save_at) = (0, None);
                None
            }
            Ok(false) => Some(End::NotOurs),
            Err(error) => {
                warn!(webhook = self.webhook.id, %error, "cannot store a dead letter; trying again");
                self.delivery.next_try_at = Millis::now().plus(STORE_AWAY).0;
                None
            }
        }
    }

    async fn try_bury(&self, letter: &DeadLetter, after: &Delivery) -> Result<bool> {
        let mut tx = self.shared.db.begin().await?;
        let stored = dead_letters::bury(&mut tx, self.webhook.lease_epoch, letter, after).await?;
        tx.commit().await?;
        Ok(stored)
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
