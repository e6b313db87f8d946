//! The lane of one Asterisk server: a single task that holds the state of all its calls and never waits for the store.

mod consequences;
mod dial;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::claim::{UnconfirmedClaim, is_free};
use super::clients::{Clients, Uncounted};
use super::dispatch::Dispatch;
use super::feed::{Ask, Feed};
use super::feeder;
use super::journal::{self, Committed};
use super::lease::{self, LaneStatus};
use super::limiter::Limits;
use super::requests::{self, Reply};
use super::resume;
use super::tracker::{Output, Tracker};
use crate::ami::{self, Event, Incoming, Link};
use crate::domain::commit::{Claim, Group};
use crate::domain::ids::CallId;
use crate::domain::status::ServerStatus;
use crate::domain::time::{Millis, Now};
use crate::domain::wait_reasons::LaneWaits;
use crate::store::Db;
use crate::store::journal::LaneRef;
use crate::store::queues::Queue;
use crate::store::servers::Server;

/// How often graces, deadlines and due retries are checked, apart from the wake-ups.
const TICK: Duration = Duration::from_secs(1);

/// The time between two channel snapshots: a channel whose Originate was just sent needs time to appear.
const SNAPSHOT_RETRY: Duration = Duration::from_secs(3);

/// Why a claim is withdrawn whose Originate is known not to have been sent.
const UNSENT: &str = "the connection to Asterisk was lost before the Originate was sent";

/// How long a lane that stops waits for its last commit.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a lane is started with.
pub struct Lane {
    /// The store with the lane's calls.
    pub db: Db,
    /// The server as it is configured.
    pub server: Server,
    /// How to log in to the server.
    pub ami: ami::Options,
    /// The epoch under which this node owns the lane.
    pub epoch: i64,
    /// The limits of clients on all lanes of this node.
    pub clients: Clients,
    /// How many seconds a call may take in this installation.
    pub max_call_seconds: u32,
    /// How many calls to new destinations a client may begin on one day that sets no limit of its own; 0 if any number.
    pub new_destination_calls: i32,
    /// Notified when there may be something new to dial.
    pub wake: Arc<Notify>,
    /// Stops the lane: it dials nothing new, commits what it knows, and leaves live calls alone.
    pub stop: CancellationToken,
}

struct Running {
    lane: Lane,
    link: Link,
    incoming: mpsc::UnboundedReceiver<Vec<Incoming>>,
    journal: mpsc::UnboundedSender<Group>,
    committed: mpsc::UnboundedReceiver<Committed>,
    asks: mpsc::UnboundedSender<Ask>,
    feeds: mpsc::UnboundedReceiver<Option<Feed>>,
    replies: (mpsc::UnboundedSender<Reply>, mpsc::UnboundedReceiver<Reply>),
    status: watch::Sender<LaneStatus>,
    waits: watch::Sender<LaneWaits>,
    /// The time until which the lease certainly lasts.
    may_dial_until: watch::Receiver<Instant>,
    /// Changes when a permit of a client becomes free that this lane or another one had wanted.
    freed: watch::Receiver<()>,

    tracker: Tracker,
    dispatch: Dispatch,
    unconfirmed: HashMap<CallId, UnconfirmedClaim>,
    expiring: HashSet<CallId>,
    online: bool,
    /// False until the first channel snapshot of a session: live calls must be known before anything is dialed.
    reconciled: bool,
    /// Events that arrived while a snapshot was on its way. They are newer than the snapshot, or in it.
    buffered_events: Option<Vec<Event>>,
    snapshot_at: Option<Instant>,
    /// How many snapshots were requested. An answer to an earlier request belongs to an earlier session.
    snapshots: u64,
    /// True while the feeder is reading. `needs_feed` makes it read again after that.
    feeding: bool,
    needs_feed: bool,
    /// True if a claim was refused, so that what was read is out of date.
    out_of_date: bool,
}

impl Lane {
    /// Runs until it is stopped, or until another node owns the lane. Live calls go on without it. `uncounted` stands
    /// for the live calls that an earlier lane left.
    pub async fn run(self, uncounted: Uncounted) {
        let lane = LaneRef { server: self.server.code.clone(), epoch: self.epoch };
        let tasks = CancellationToken::new();
        // The lease is kept until the last commit.
        let lost = tasks.child_token();
        let _ends_tasks = tasks.clone().drop_guard();
        let (status, statuses) =
            watch::channel(LaneStatus { status: ServerStatus::Connecting, asterisk_version: None, last_error: None });
        let (waits, waits_of_lane) = watch::channel(LaneWaits::default());
        let may_dial_until = lease::start(self.db.clone(), lane.clone(), statuses, waits_of_lane, lost.clone());
        let (link, incoming) = Link::start(self.ami.clone(), tasks.clone());
        let (journal, committed) = journal::start(self.db.clone(), lane);
        let (db, code, clients) = (self.db.clone(), self.server.code.clone(), self.clients.clone());
        let (asks, feeds) = feeder::start(db, code, clients, self.new_destination_calls, tasks.clone());
        let set = Limits { max_live: Some(self.server.max_channels), per_second: Some(self.server.calls_per_second) };
        let dispatch = Dispatch::new(set, self.clients.clone(), Instant::now().into_std());
        let freed = self.clients.freed();
        let mut running = Running {
            lane: self,
            link,
            incoming,
            journal,
            committed,
            asks,
            feeds,
            replies: mpsc::unbounded_channel(),
            status,
            waits,
            may_dial_until,
            freed,
            tracker: Tracker::default(),
            dispatch,
            unconfirmed: HashMap::new(),
            expiring: HashSet::new(),
            online: false,
            reconciled: false,
            buffered_events: None,
            snapshot_at: None,
            snapshots: 0,
            feeding: false,
            needs_feed: true,
            out_of_date: false,
        };
        running.resume().await;
        drop(uncounted);
        running.run(lost).await;
    }
}

impl Running {
    /// Takes over the attempts that were live when the lane was last released.
    async fn resume(&mut self) {
        let left = resume::left(&self.lane.db, &self.lane.server.code, &self.lane.stop).await;
        let now = now();
        self.tracker.longest().set_everywhere(self.lane.max_call_seconds, self.lane.server.max_call_seconds);
        let Some((left, queues)) = left else { return };
        // The rules are learnt before any event arrives, so that a call that ends first is also tried again by its own
        // queue's rule.
        for queue in &queues {
            self.learn_rules(queue);
        }
        for left in left {
            resume::follow(&mut self.tracker, &mut self.dispatch, left, now);
        }
    }

    fn learn_rules(&mut self, queue: &Queue) {
        self.tracker.longest().set_queue(queue.id, queue.max_call_seconds);
        match queue.retries() {
            Ok(retries) => self.tracker.set_rule(queue.id, retries),
            Err(error) => {
                warn!(queue = queue.id, %error, "its retry rules cannot be read; the earlier ones stay in force");
            }
        }
    }

    async fn run(mut self, lost: CancellationToken) {
        let wake = Arc::clone(&self.lane.wake);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Armed before the checks below, so that no wake-up is lost between the two.
            let woken = wake.notified();
            self.feed();
            self.dial();
            tokio::select! {
                () = self.lane.stop.cancelled() => break,
                () = lost.cancelled() => break,
                batch = self.incoming.recv() => match batch {
                    Some(batch) => self.take_in(batch),
                    None => break self.without("its connection"),
                },
                committed = self.committed.recv() => match committed {
                    Some(Committed::Fenced) => break,
                    Some(Committed::Group { claims, granted, expired }) => self.take_committed(claims, &granted, expired),
                    None => break self.without("its journal"),
                },
                feed = self.feeds.recv() => match feed {
                    Some(feed) => self.take_feed(feed),
                    None => break self.without("its feeder"),
                },
                Some(reply) = self.replies.1.recv() => self.take_reply(reply),
                () = woken => self.needs_feed = true,
                () = sleep_until_some(self.dispatch.wake_at()), if self.may_dial() => self.dispatch.wake(),
                Ok(()) = self.freed.changed() => self.dispatch.wake(),
                changed = self.may_dial_until.changed() => match changed {
                    Ok(()) => self.dispatch.wake(),
                    // The lease's task ends when `lost` is cancelled, and otherwise only by a panic.
                    Err(_) if lost.is_cancelled() => break,
                    Err(_) => break self.without("its lease"),
                },
                () = sleep_until_some(self.tracker.next_grace()) => self.end_graces(),
                _ = tick.tick() => self.tick(),
            }
        }
        self.release().await;
    }

    /// Commits what is known, so that the next owner finds the store up to date.
    async fn release(mut self) {
        let server = self.lane.server.code.clone();
        // What the store grants from here on is not sent any more; those calls go back to the status that they had.
        while !self.unconfirmed.is_empty() {
            let Ok(Some(Committed::Group { claims, granted, .. })) =
                timeout(RELEASE_TIMEOUT, self.committed.recv()).await
            else {
                break;
            };
            let (granted, refused): (Vec<Claim>, Vec<Claim>) =
                claims.into_iter().partition(|claim| granted.contains(&claim.call.id));
            for claim in granted.iter().chain(&refused) {
                self.unconfirmed.remove(&claim.call.id);
            }
            self.withdraw(granted, "the lane was released before the Originate was sent");
        }
        let Self { journal, mut committed, .. } = self;
        drop(journal);
        // The journal ends after its last commit.
        let flushed = timeout(RELEASE_TIMEOUT, async { while committed.recv().await.is_some() {} }).await;
        match flushed {
            Ok(()) => info!(%server, "the lane is released"),
            Err(_) => warn!(%server, "the store cannot be reached; the next start reconciles what was seen last"),
        }
    }

    /// Logs that a task beside the lane has ended, so that nothing would be received from it again. A new lane reads
    /// what is live.
    fn without(&self, what: &'static str) {
        error!(server = %self.lane.server.code, "the lane has lost {what}, and is started again");
    }

    fn may_dial(&self) -> bool {
        self.online && self.reconciled && self.owns_surely()
    }

    fn owns_surely(&self) -> bool {
        Instant::now() < *self.may_dial_until.borrow()
    }

    fn take_in(&mut self, batch: Vec<Incoming>) {
        let now = now();
        let mut out = Output::default();
        for incoming in batch {
            match incoming {
                Incoming::Event(event) => match &mut self.buffered_events {
                    Some(buffered_events) => buffered_events.push(event),
                    None => self.tracker.event(event, now, &mut out),
                },
                Incoming::Response { action_id, success, text } => {
                    if let Ok(id) = action_id.parse() {
                        self.tracker.response(id, success, &text, now, &mut out);
                    }
                }
                Incoming::Online(session) => {
                    self.online = true;
                    self.reconciled = false;
                    self.set_status(ServerStatus::Online, session.asterisk_version, None);
                    self.request_snapshot();
                }
                Incoming::Offline { reason, unauthorized, unsent } => {
                    self.online = false;
                    self.snapshot_at = None;
                    for event in self.buffered_events.take().into_iter().flatten() {
                        self.tracker.event(event, now, &mut out);
                    }
                    let status = if unauthorized { ServerStatus::Unauthorized } else { ServerStatus::Offline };
                    self.set_status(status, None, Some(reason));
                    for id in unsent.iter().filter_map(|id| id.parse().ok()) {
                        let withdrawn = self.tracker.withdraw(id);
                        self.withdraw(withdrawn.into_iter().collect(), UNSENT);
                    }
                    self.tracker.connection_lost(now, &mut out);
                }
            }
        }
        self.act(out);
    }

    fn set_status(&self, status: ServerStatus, asterisk_version: Option<String>, last_error: Option<String>) {
        self.status.send_replace(LaneStatus { status, asterisk_version, last_error });
    }

    /// Requests a snapshot of the live channels. Until it arrives, events are buffered, because they belong after it.
    fn request_snapshot(&mut self) {
        if self.buffered_events.is_some() {
            return;
        }
        self.buffered_events = Some(Vec::new());
        self.snapshot_at = None;
        self.snapshots += 1;
        requests::channels(&self.link, self.snapshots, &self.replies.0);
    }

    fn take_reply(&mut self, reply: Reply) {
        let now = now();
        let mut out = Output::default();
        match reply {
            Reply::MixMonitor { attempt, answer } => self.tracker.mixmonitor_result(attempt, answer, now, &mut out),
            Reply::Channels { snapshot, channels } => {
                if snapshot != self.snapshots || !self.online {
                    return;
                }
                let buffered_events = self.buffered_events.take().unwrap_or_default();
                match channels {
                    Some(channels) => {
                        self.reconciled = true;
                        self.dispatch.wake();
                        self.tracker.reconcile(&channels, now, &mut out);
                    }
                    None => warn!(server = %self.lane.server.code, "no answer to CoreShowChannels; asking again"),
                }
                for event in buffered_events {
                    self.tracker.event(event, now, &mut out);
                }
                self.snapshot_at = Some(Instant::now() + SNAPSHOT_RETRY);
            }
        }
        self.act(out);
    }

    fn end_graces(&mut self) {
        let mut out = Output::default();
        self.tracker.end_graces(now(), &mut out);
        self.act(out);
    }

    fn tick(&mut self) {
        let mut out = Output::default();
        let in_doubt = self.tracker.tick(now(), &mut out);
        self.act(out);
        let may_request = self.snapshot_at.is_none_or(|at| at <= Instant::now());
        if self.online && may_request && (in_doubt || !self.reconciled) {
            self.request_snapshot();
        }
        let (tracker, unconfirmed) = (&self.tracker, &self.unconfirmed);
        let waits = self.dispatch.tick(now().instant, |ready| is_free(tracker, unconfirmed, ready));
        self.waits.send_if_modified(|published| {
            let is_other = *published != waits;
            *published = waits;
            is_other
        });
        // The feeder looks for deadlines and due retries, and makes up for lost wake-ups.
        self.needs_feed = true;
    }
}

async fn sleep_until_some(at: Option<std::time::Instant>) {
    match at {
        Some(at) => sleep_until(Instant::from_std(at)).await,
        None => std::future::pending().await,
    }
}

fn now() -> Now {
    Now { wall: Millis::now(), instant: Instant::now().into_std() }
}
