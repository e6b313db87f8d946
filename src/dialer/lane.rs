//! One Asterisk server's calls: a single task that holds all their state and never waits for the store.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::ask::{self, Found};
use super::claim::{Claiming, call_ref, claim, is_blocked};
use super::feeder::{self, Ask, Due, Feed};
use super::journal::{self, Committed, Entry};
use super::keeper::{self, LaneStatus};
use super::scheduler::Scheduler;
use super::tracker::{Live, Now, Output, Tracker};
use crate::ami::{self, Action, Event, HeaderValue, Incoming, Link};
use crate::domain::attempt::Attempt;
use crate::domain::ids::CallId;
use crate::domain::pacing::Pace;
use crate::domain::status::{CallStatus, ServerStatus};
use crate::domain::time::Millis;
use crate::store::calls::Call;
use crate::store::journal::{Claim, Expiry, LaneRef};
use crate::store::servers::Server;
use crate::store::{Db, lanes};

/// How often graces, overdue deadlines and due retries are looked at besides their wake-ups.
const TICK: Duration = Duration::from_secs(1);

/// Between two looks for attempts in doubt: time for a channel to appear whose Originate was just sent.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// How long a lane that stops waits for its last commit.
const LET_GO: Duration = Duration::from_secs(10);

/// What a lane is started with.
pub struct Lane {
    /// Where the book is.
    pub db: Db,
    /// The server as configured.
    pub server: Server,
    /// How to log in there.
    pub ami: ami::Options,
    /// Under which epoch this node owns the lane.
    pub epoch: i64,
    /// Notified when there may be something new to dial.
    pub wake: Arc<Notify>,
    /// Stops the lane: it dials nothing new, commits what it knows, and leaves live calls alone.
    pub stop: CancellationToken,
}

struct Running {
    lane: Lane,
    link: Link,
    incoming: mpsc::UnboundedReceiver<Vec<Incoming>>,
    entries: mpsc::UnboundedSender<Entry>,
    committed: mpsc::UnboundedReceiver<Committed>,
    asks: mpsc::UnboundedSender<Ask>,
    feeds: mpsc::UnboundedReceiver<Option<Feed>>,
    found: (mpsc::UnboundedSender<Found>, mpsc::UnboundedReceiver<Found>),
    status: watch::Sender<LaneStatus>,

    tracker: Tracker,
    scheduler: Scheduler,
    pace: Pace,
    claiming: HashMap<CallId, Claiming>,
    expiring: HashSet<CallId>,
    online: bool,
    /// Dialing waits for the first look of a session: what lives must be known before anything is added.
    looked: bool,
    /// Events that came while a look was on its way; they are newer than, or in, its answer.
    held_back: Option<Vec<Event>>,
    look_at: Option<Instant>,
    /// How many looks were begun: an answer to an earlier one is of an earlier session.
    looks: u64,
    /// None of the calls at hand may go before something else happens.
    stalled: bool,
    /// The feeder is reading; `hungry` asks it to read again behind that.
    feeding: bool,
    hungry: bool,
}

impl Lane {
    /// Runs until it is stopped, or until another node owns the lane. Live calls go on without it.
    pub async fn run(self) {
        let lane = LaneRef { server: self.server.code.clone(), epoch: self.epoch };
        let tasks = CancellationToken::new();
        // The lease is kept until the last commit: `lost` and `stop` both end dialing, not following.
        let lost = tasks.child_token();
        let _ends_tasks = tasks.clone().drop_guard();
        let (status, statuses) =
            watch::channel(LaneStatus { status: ServerStatus::Connecting, asterisk_version: None, last_error: None });
        keeper::start(self.db.clone(), lane.clone(), statuses, lost.clone());
        let (link, incoming) = Link::start(self.ami.clone(), tasks.clone());
        let (entries, committed) = journal::start(self.db.clone(), lane);
        let (asks, feeds) = feeder::start(self.db.clone(), self.server.code.clone(), tasks.clone());
        let pace = Pace::new(self.server.calls_per_second, Instant::now().into_std());
        let mut running = Running {
            lane: self,
            link,
            incoming,
            entries,
            committed,
            asks,
            feeds,
            found: mpsc::unbounded_channel(),
            status,
            tracker: Tracker::default(),
            scheduler: Scheduler::default(),
            pace,
            claiming: HashMap::new(),
            expiring: HashSet::new(),
            online: false,
            looked: false,
            held_back: None,
            look_at: None,
            looks: 0,
            stalled: false,
            feeding: false,
            hungry: true,
        };
        running.resume().await;
        running.run(lost).await;
    }
}

impl Running {
    /// Takes over what was live when the lane was last let go.
    async fn resume(&mut self) {
        let server = &self.lane.server.code;
        let left = loop {
            let read = async { lanes::live_attempts(&mut self.lane.db.read().await?, server).await };
            match read.await {
                Ok(left) => break left,
                Err(error) => warn!(%server, %error, "cannot read what was live, and tries again"),
            }
            tokio::select! {
                () = self.lane.stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        };
        if !left.is_empty() {
            info!(%server, attempts = left.len(), "attempts were live when the lane was last let go");
        }
        let now = now();
        for (attempt, call) in left {
            let plan = call.plan().ok();
            let state = Attempt::resumed(attempt.ringing_at.map(Millis), attempt.answered_at.map(Millis));
            let claim = Claim {
                call: call_ref(&call),
                from: CallStatus::Queued,
                attempt: attempt.id.into(),
                number: attempt.number,
                channel_id: attempt.channel_id,
                at: Millis(attempt.started_at),
            };
            let live = Live {
                claim,
                max_retries: call.max_retries,
                recording: plan.as_ref().and_then(|plan| plan.recording.clone()),
                timeout: Duration::from_millis(plan.map_or(0, |plan| plan.timeout_ms.into())),
                attempt: state,
            };
            self.tracker.resume(attempt.id.into(), live, now);
        }
    }

    async fn run(mut self, lost: CancellationToken) {
        let wake = Arc::clone(&self.lane.wake);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Armed before the look, so that no wake-up falls between the two.
            let woken = wake.notified();
            self.feed();
            self.dial();
            tokio::select! {
                () = self.lane.stop.cancelled() => break,
                () = lost.cancelled() => break,
                Some(batch) = self.incoming.recv() => self.take_in(batch),
                Some(committed) = self.committed.recv() => {
                    if !self.take_committed(committed) {
                        break;
                    }
                }
                Some(feed) = self.feeds.recv() => self.take_feed(feed),
                Some(found) = self.found.1.recv() => self.take_found(found),
                () = woken => self.hungry = true,
                () = sleep_until(Instant::from_std(self.pace.next())), if self.may_dial() && !self.stalled => {}
                () = sleep_until_some(self.tracker.next_grace()) => self.end_graces(),
                _ = tick.tick() => self.tick(),
            }
        }
        self.let_go().await;
    }

    /// Commits what is known, so that the next owner finds the book up to date.
    async fn let_go(mut self) {
        let server = self.lane.server.code.clone();
        // What the store grants from here on is not sent any more; it goes back to where it was.
        while !self.claiming.is_empty() {
            let Ok(Some(Committed::Group { claims, granted, .. })) = timeout(LET_GO, self.committed.recv()).await
            else {
                break;
            };
            let (granted, refused): (Vec<Claim>, Vec<Claim>) =
                claims.into_iter().partition(|claim| granted.contains(&claim.call.id));
            for claim in granted.iter().chain(&refused) {
                self.claiming.remove(&claim.call.id);
            }
            self.withdraw(granted);
        }
        let Self { entries, mut committed, .. } = self;
        drop(entries);
        // The journal ends behind its last commit.
        let flushed = timeout(LET_GO, async { while committed.recv().await.is_some() {} }).await;
        match flushed {
            Ok(()) => info!(%server, "the lane is let go"),
            Err(_) => warn!(%server, "the store is away; what was seen last will be looked for at the next start"),
        }
    }

    fn may_dial(&self) -> bool {
        self.online && self.looked && self.free() > 0 && !self.scheduler.is_empty()
    }

    fn free(&self) -> usize {
        let most = usize::try_from(self.lane.server.max_channels).unwrap_or(0);
        most.saturating_sub(self.tracker.len() + self.claiming.len())
    }

    /// Asks the feeder for more, where there may be some and it is not at work already.
    fn feed(&mut self) {
        if self.feeding || !self.hungry {
            return;
        }
        let mut at_hand = self.scheduler.lengths();
        for claiming in self.claiming.values() {
            *at_hand.entry(claiming.call.queue_id).or_default() += 1;
        }
        let rules_of = self.tracker.queues().into_iter().collect();
        self.hungry = false;
        self.feeding = self.asks.send(Ask { at_hand, rules_of }).is_ok();
    }

    fn take_feed(&mut self, feed: Option<Feed>) {
        self.feeding = false;
        let Some(feed) = feed else {
            // The store is away; the next tick asks again.
            return;
        };
        let runnable: HashSet<i64> = feed.runnable.iter().map(|queue| queue.id).collect();
        self.scheduler.keep_only(&runnable);
        for queue in feed.runnable.iter().chain(&feed.others) {
            self.tracker.set_rule(queue.id, queue.retry_rule());
        }
        self.tracker.keep_rules(|queue_id| runnable.contains(&queue_id));
        self.hungry |= feed.more;
        let fresh = |calls: Vec<Call>| -> Vec<Call> {
            calls.into_iter().filter(|call| !self.claiming.contains_key(&call.id.into())).collect()
        };
        let (quick, more_quick) = (fresh(feed.quick), feed.more_quick);
        let due: Vec<Due> = feed.due.into_iter().map(|due| Due { calls: fresh(due.calls), ..due }).collect();
        self.scheduler.offer_quick(quick, more_quick);
        for Due { queue_id, calls, more } in due {
            self.scheduler.offer(queue_id, calls, more);
        }
        self.expire(feed.overdue);
        self.stalled = false;
    }

    fn expire(&mut self, calls: Vec<Call>) {
        let at = Millis::now();
        let mut expiries = Vec::new();
        for call in calls {
            let id = CallId::from(call.id);
            if self.claiming.contains_key(&id) || !self.expiring.insert(id) {
                continue;
            }
            if let Ok(from) = call.status() {
                expiries.push(Expiry { call: call_ref(&call), from, at });
            }
        }
        if !expiries.is_empty() {
            let _ = self.entries.send(Entry::Expiries(expiries));
        }
    }

    /// Claims as many calls as pacing and free channels let go out now.
    fn dial(&mut self) {
        if !self.may_dial() {
            return;
        }
        let instant = Instant::now().into_std();
        let at = Millis::now();
        let most = self.free().min(self.pace.due(instant));
        let mut claims = Vec::new();
        let mut overdue = Vec::new();
        while claims.len() < most {
            let (tracker, claiming) = (&self.tracker, &self.claiming);
            let may_go = |call: &Call| call.channel_id.as_deref().is_none_or(|_| !is_blocked(tracker, claiming, call));
            let Some(call) = self.scheduler.pick(may_go) else { break };
            if call.deadline.is_some_and(|deadline| deadline <= at.0) {
                overdue.push(call);
                continue;
            }
            if let Some(claiming) = claim(call, at) {
                claims.push(claiming.claim.clone());
                self.claiming.insert(claiming.claim.call.id, claiming);
            }
        }
        self.pace.take(claims.len(), instant);
        self.stalled = claims.len() < most && !self.scheduler.is_empty();
        self.expire(overdue);
        self.hungry |= self.scheduler.runs_low();
        if !claims.is_empty() {
            let _ = self.entries.send(Entry::Claims(claims));
        }
    }

    /// Sends what the store granted. False where the lane is another node's.
    fn take_committed(&mut self, committed: Committed) -> bool {
        let Committed::Group { claims, granted, expired } = committed else { return false };
        for expiry in expired {
            self.expiring.remove(&expiry.call.id);
        }
        let mut unsent = Vec::new();
        for claim in claims {
            let Some(claiming) = self.claiming.remove(&claim.call.id) else { continue };
            if !granted.contains(&claim.call.id) {
                continue;
            }
            if !self.originate(claiming) {
                unsent.push(claim);
            }
        }
        self.withdraw(unsent);
        self.stalled = false;
        true
    }

    fn originate(&mut self, claiming: Claiming) -> bool {
        let Claiming { claim, call, plan, originate } = claiming;
        let Ok(action_id) = HeaderValue::try_from(claim.attempt.to_string()) else { return false };
        if self.link.post(action_id, Action::Originate(Box::new(originate))).is_err() {
            return false;
        }
        let attempt = claim.attempt;
        let live = Live {
            claim,
            max_retries: call.max_retries,
            recording: plan.recording,
            timeout: Duration::from_millis(plan.timeout_ms.into()),
            attempt: Attempt::new(),
        };
        self.tracker.begin(attempt, live, now());
        true
    }

    fn withdraw(&mut self, unsent: Vec<Claim>) {
        if !unsent.is_empty() {
            self.hungry = true;
            let _ = self.entries.send(Entry::Withdrawn(unsent));
        }
    }

    fn take_in(&mut self, batch: Vec<Incoming>) {
        let now = now();
        let mut out = Output::default();
        for incoming in batch {
            match incoming {
                Incoming::Event(event) => match &mut self.held_back {
                    Some(held_back) => held_back.push(event),
                    None => self.tracker.event(event, now, &mut out),
                },
                Incoming::Response { action_id, success, text } => {
                    if let Ok(id) = action_id.parse() {
                        self.tracker.response(id, success, &text, now, &mut out);
                    }
                }
                Incoming::Online(session) => {
                    self.online = true;
                    self.looked = false;
                    self.set_status(ServerStatus::Online, session.asterisk_version, None);
                    self.look();
                }
                Incoming::Offline { reason, unauthorized, unsent } => {
                    self.online = false;
                    self.look_at = None;
                    for event in self.held_back.take().into_iter().flatten() {
                        self.tracker.event(event, now, &mut out);
                    }
                    let status = if unauthorized { ServerStatus::Unauthorized } else { ServerStatus::Offline };
                    self.set_status(status, None, Some(reason));
                    for id in unsent.iter().filter_map(|id| id.parse().ok()) {
                        let withdrawn = self.tracker.withdraw(id);
                        self.withdraw(withdrawn.into_iter().collect());
                    }
                    self.tracker.connection_lost();
                }
            }
        }
        self.act(out);
        self.stalled = false;
    }

    fn set_status(&self, status: ServerStatus, asterisk_version: Option<String>, last_error: Option<String>) {
        self.status.send_replace(LaneStatus { status, asterisk_version, last_error });
    }

    /// Commits what changed, and starts what follows.
    fn act(&mut self, out: Output) {
        if !out.changes.is_empty() {
            // What ended may be tried again at once.
            self.hungry |= out.changes.iter().any(|change| change.next_try().is_some_and(|due| due <= Millis::now()));
            let _ = self.entries.send(Entry::Changes(out.changes));
        }
        for (attempt, channel, recording) in out.recordings {
            ask::record(&self.link, attempt, channel, recording, &self.found.0);
        }
    }

    /// Asks which channels live. Until the answer is there, events are held back: they belong behind it.
    fn look(&mut self) {
        if self.held_back.is_some() {
            return;
        }
        self.held_back = Some(Vec::new());
        self.look_at = None;
        self.looks += 1;
        ask::channels(&self.link, self.looks, &self.found.0);
    }

    fn take_found(&mut self, found: Found) {
        let now = now();
        let mut out = Output::default();
        match found {
            Found::Recorded { attempt, kind, detail } => self.tracker.recorded(attempt, kind, detail, now, &mut out),
            Found::Channels { look, channels } => {
                if look != self.looks || !self.online {
                    return;
                }
                let held_back = self.held_back.take().unwrap_or_default();
                match channels {
                    Some(channels) => {
                        self.looked = true;
                        self.tracker.looked(&channels, now, &mut out);
                    }
                    None => warn!(server = %self.lane.server.code, "no answer to CoreShowChannels, and asks again"),
                }
                for event in held_back {
                    self.tracker.event(event, now, &mut out);
                }
                self.look_at = Some(Instant::now() + LOOK_AGAIN);
            }
        }
        self.act(out);
    }

    fn end_graces(&mut self) {
        let mut out = Output::default();
        self.tracker.end_graces(now(), &mut out);
        self.act(out);
        self.stalled = false;
    }

    fn tick(&mut self) {
        let now = now();
        let in_doubt = self.tracker.tick(now);
        let may_look = self.look_at.is_none_or(|at| at <= Instant::now());
        if self.online && may_look && (in_doubt || !self.looked) {
            self.look();
        }
        // Deadlines, due retries, and whatever wake-up was lost.
        self.hungry = true;
        self.stalled = false;
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
