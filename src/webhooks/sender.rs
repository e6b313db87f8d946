//! Delivers one webhook, for as long as this node has its lease.

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

/// Events that are held in memory at once, at most, while they wait for their turn.
const AHEAD: usize = 256;

/// The cursor is stored after so many events, at the latest: what a crash repeats at most.
const SAVE_EVERY: u32 = 32;

/// And so long after an event that nothing else followed.
const SAVE_AFTER: Duration = Duration::from_millis(250);

/// How long the cursor of a webhook may stay behind that wants none of the events that come.
const SAVE_PASSED_OVER: Duration = Duration::from_secs(10);

/// The pause behind a first failure, at most; it doubles with every further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// When to ask again where the store is away.
const STORE_AWAY: Duration = Duration::from_secs(1);

/// How long a POST may still take that was on its way when the sender was stopped.
const LAST_POST: Duration = Duration::from_secs(3);

/// What all senders of a node share.
#[derive(Clone)]
pub(super) struct Shared {
    pub db: Db,
    pub hub: Arc<Hub>,
    pub sealer: Sealer,
    pub poster: Poster,
    pub render: Render,
    /// Until when the node's leases last.
    pub lease: watch::Receiver<Instant>,
}

/// The delivery of one webhook.
pub(super) struct Sender {
    shared: Shared,
    webhook: Webhook,
    /// How it stands; ahead of what is stored by at most [`SAVE_EVERY`] events.
    delivery: Delivery,
    /// Events delivered since it was stored.
    unsaved: u32,
    /// When to store it, where it is ahead.
    save_at: Option<Instant>,
    stop: CancellationToken,
}

/// Why a sender stops reading the log.
enum End {
    /// It was told to, or nothing more is to be done.
    Stopped,
    /// The webhook is another node's by now, or deleted: nothing that is known here counts any more.
    NotOurs,
    /// An event was not taken, or could not be posted.
    Failed(String),
    /// The receiver wants nothing more.
    Gone(String),
}

impl Sender {
    pub(super) fn new(shared: Shared, webhook: Webhook, stop: CancellationToken) -> Self {
        let delivery = webhook.delivery.clone();
        Self { shared, webhook, delivery, unsaved: 0, save_at: None, stop }
    }

    /// Delivers until it is stopped, or the webhook is over or another's. How it stands is stored then.
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
                    info!(webhook = self.webhook.id, "its receiver is gone for good: nothing more is posted");
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

    /// False where the sender is stopped meanwhile.
    async fn wait_out_the_pause(&self) -> bool {
        let pause = Millis(self.delivery.next_try_at).since(Millis::now()).min(LONGEST_PAUSE);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = sleep(pause) => true,
        }
    }

    /// Posts event after event from the cursor on. What was read and not posted is let go at the end, so that a
    /// webhook that fails holds nothing while it waits.
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
                    warn!(webhook = self.webhook.id, %error, "cannot read the events to post");
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

    /// Posts an event; None where the next one may follow.
    async fn deliver_one(&mut self, route: &Route, event: &Event) -> Option<End> {
        if !self.may_post().await {
            return Some(End::Stopped);
        }
        let body = match (self.shared.render)(event) {
            Ok(body) => body,
            Err(error) => {
                // It would stand in the way of all others for ever.
                error!(webhook = self.webhook.id, seq = event.seq, %error, "an event cannot be written: it is left out");
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

    /// Waits until the lease lasts for longer than a POST can take; false where the sender is stopped.
    async fn may_post(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            lasts = self.shared.lease.wait_for(|until| *until >= Instant::now() + TIMEOUT) => lasts.is_ok(),
        }
    }

    /// What came back; None where the sender was stopped and nothing came soon.
    async fn post(&self, route: &Route, message: Message<'_>) -> Option<Answer> {
        let mut posting = std::pin::pin!(self.shared.poster.post(&route.signer, message));
        tokio::select! {
            answer = &mut posting => Some(answer),
            () = self.stop.cancelled() => timeout(LAST_POST, posting).await.ok(),
        }
    }

    /// Waits for events, and stores meanwhile how the delivery stands; None where it may go on.
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
            info!(webhook = self.webhook.id, failures = self.delivery.failures, "its receiver takes events again");
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
            warn!(webhook = self.webhook.id, %why, "an event was not taken, and is posted again until it is");
        }
        let failures = self.delivery.failures.saturating_add(1);
        let in_a_row = u32::try_from(failures).unwrap_or(u32::MAX);
        let pause = backoff::pause(in_a_row, FIRST_PAUSE, LONGEST_PAUSE, rand::random());
        self.delivery.failures = failures;
        self.delivery.next_try_at = Millis::now().plus(pause).0;
        self.delivery.last_error = Some(why);
        self.save().await
    }

    /// Notes that nothing up to this event is left to post.
    fn pass_over(&mut self, cursor: i64) {
        if cursor > self.delivery.delivered_seq {
            self.delivery.delivered_seq = cursor;
            self.save_at.get_or_insert(Instant::now() + SAVE_PASSED_OVER);
        }
    }

    /// Stores how the delivery stands. A store that is away is asked again: until then, more than usual would be posted
    /// twice after a crash, and nothing is posted once the lease has run out.
    async fn save(&mut self) -> Option<End> {
        match self.try_save().await {
            Ok(true) => {
                (self.unsaved, self.save_at) = (0, None);
                None
            }
            Ok(false) => Some(End::NotOurs),
            Err(error) => {
                warn!(webhook = self.webhook.id, %error, "cannot store how far it has come");
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
