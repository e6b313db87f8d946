//! Reads from the store what a lane may dial next, so that the lane itself never waits for the store.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::check::{self, Checked};
use super::clients::Clients;
use super::feed::{Ask, Due, Feed, Runnable};
use super::limiter::Limits;
use super::metrics;
use super::ready::Ready;
use super::rules::{Changes, Rules};
use crate::domain::dial::dial_string;
use crate::domain::ids::CallId;
use crate::domain::time::Millis;
use crate::domain::window::Windows;
use crate::store::brakes;
use crate::store::calls::Call;
use crate::store::commands;
use crate::store::destinations;
use crate::store::lanes::{self, LaneQueue, Mark, Place};
use crate::store::recording_files::{self, Wanted};
use crate::store::{Conn, Db, Result};

/// How many quick calls are read at once.
const QUICK: usize = 256;

/// How many calls past their deadline are read at once.
const OVERDUE: usize = 512;

/// How many calls a lane buffers of all queues together, and of one queue at most and at least.
const BUFFERED: usize = 4096;
const MOST_OF_ONE: usize = 512;
const LEAST_OF_ONE: usize = 16;
/// How many times a buffer's size is read at once after a head-of-line block. Most of it is passed over.
const BEYOND_BLOCK: usize = 8;
/// How long nothing is read after a head-of-line block if the last read had found nothing.
const REST: Duration = Duration::from_millis(500);
/// How many end requests are read at once: more than a server has channels, because they stay until they are carried
/// out.
const COMMANDS: usize = 10_000;

/// Starts the feeder of a server's lane. A client that sets no limit may begin `new_destination_calls` to new destinations
/// on one day; with 0, any number. The feeder answers each [`Ask`] with one [`Feed`]; None if the store could not be
/// read.
pub fn start(
    db: Db,
    server: String,
    clients: Clients,
    new_destination_calls: i32,
    stop: CancellationToken,
) -> (mpsc::UnboundedSender<Ask>, mpsc::UnboundedReceiver<Option<Feed>>) {
    let (ask, mut asks) = mpsc::unbounded_channel::<Ask>();
    let (feed, feeds) = mpsc::unbounded_channel();
    let mut feeder = Feeder {
        db,
        server,
        clients,
        rules: Rules::new(new_destination_calls),
        trunks: HashMap::new(),
        unreadable: HashSet::new(),
        head_of_line_blocks: HashMap::new(),
    };
    tokio::spawn(async move {
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                asked = asks.recv() => asked,
            };
            let Some(asked) = asked else { return };
            let read = feeder.read(&asked).await;
            if let Err(error) = &read {
                warn!(server = %feeder.server, %error, "cannot read due calls; the next tick tries again");
            }
            if feed.send(read.ok()).is_err() {
                return;
            }
        }
    });
    (ask, feeds)
}

struct Feeder {
    db: Db,
    server: String,
    clients: Clients,
    rules: Rules,
    /// The names of trunks, so that all calls of a trunk share one.
    trunks: HashMap<String, Arc<str>>,
    /// Calls that cannot be read, so that each is logged once.
    unreadable: HashSet<CallId>,
    /// How far was read after the head-of-line block of each queue.
    head_of_line_blocks: HashMap<i64, HeadOfLineBlock>,
}

/// How far was read after a head-of-line block.
#[derive(Default)]
struct HeadOfLineBlock {
    /// The trunks that are full, whose calls are passed over.
    full: HashSet<Arc<str>>,
    /// How far was read, by time zone; empty at the beginning.
    marks: HashMap<String, Mark>,
    /// Nothing else was found, so nothing is read before this time.
    rests_until: Option<Instant>,
}

impl Feeder {
    async fn read(&mut self, asked: &Ask) -> Result<Feed> {
        let now = Millis::now();
        let mut conn = self.db.read().await?;
        let changes = self.rules.read(&mut conn, &self.server, &self.clients, asked.anew).await?;
        self.follow(&mut conn, changes, now).await?;
        let mut feed = Feed { stopped: self.rules.stopped, server: self.rules.server.clone(), ..Feed::default() };
        feed.grants = self.rules.clients().map(|(id, client)| (id, (client.grant, client.generation))).collect();
        feed.longest_calls = self.rules.longest_calls.clone();
        feed.spent = self.rules.spent.clone();
        let mut queues = lanes::runnable(&mut conn, &self.server, now).await?;
        self.rules.keep_windows(&queues);
        let known: HashSet<i64> = queues.iter().map(|row| row.queue.id).collect();
        self.head_of_line_blocks.retain(|queue, _| known.contains(queue));
        let unknown: Vec<i64> = asked.rules_of.iter().copied().filter(|id| !known.contains(id)).collect();
        if !unknown.is_empty() {
            feed.others = lanes::queues(&mut conn, &unknown).await?;
        }
        queues.retain(|row| self.rules.client(row.queue.client_id).is_some());
        feed.buffer = (BUFFERED / queues.len().max(1)).clamp(LEAST_OF_ONE, MOST_OF_ONE);
        feed.overdue = lanes::overdue(&mut conn, &self.server, now, rows(OVERDUE)).await?;
        feed.more = feed.overdue.len() == OVERDUE;
        feed.commands = commands::of_lane(&mut conn, &self.server, rows(COMMANDS)).await?;
        if !feed.stopped {
            self.read_quick(&mut conn, asked, now, &mut feed).await?;
        }
        for row in queues {
            let runnable = self.read_queue(&mut conn, row, asked, now, &mut feed).await?;
            feed.runnable.push(runnable);
        }
        Ok(feed)
    }

    /// Makes calls due that waited for a rule which has changed, and tells of clients that were braked.
    async fn follow(&self, conn: &mut Conn, changes: Changes, now: Millis) -> Result<()> {
        let Changes { other_days, brakes: tasks } = changes;
        if !other_days.is_empty() {
            let mut tx = self.db.begin().await?;
            if destinations::release(&mut tx, &self.server, &other_days, now).await? > 0 {
                tx.commit().await?;
            }
        }
        if !tasks.resume.is_empty() && brakes::any_held(conn, &self.server, &tasks.resume).await? {
            let mut tx = self.db.begin().await?;
            brakes::resume(&mut tx, &self.server, &tasks.resume, now).await?;
            tx.commit().await?;
        }
        for client in tasks.announce {
            match brakes::announce(&self.db, client, now).await {
                Ok(Some(braked)) => {
                    metrics::client_braked();
                    let (limit, destinations) = (braked.limit, braked.named());
                    warn!(client, limit, %destinations, "the client is braked: it calls new destinations more often than it may");
                }
                Ok(None) => {}
                // Calls are dialed nevertheless, and the next read tries again.
                Err(error) => warn!(client, %error, "cannot write into the audit that the client is braked"),
            }
        }
        Ok(())
    }

    async fn read_quick(&mut self, conn: &mut Conn, asked: &Ask, now: Millis, feed: &mut Feed) -> Result<()> {
        // Some quick calls may not be dialed now. They are read in vain, and must not keep the others from being read.
        let limit = QUICK + asked.known.len().min(BUFFERED);
        let found = lanes::due_quick(conn, &self.server, now, rows(limit)).await?;
        feed.more_quick = found.len() == limit;
        let mut calls = Vec::new();
        for (call, windows) in found {
            if windows.is_some() {
                let opens = match self.rules.windows(call.queue_id, windows.as_deref()) {
                    Ok(windows) => {
                        opens(windows.as_deref(), call.originate_spec().ok().and_then(|spec| spec.time_zone), now)
                    }
                    Err(error) => {
                        warn!(queue = call.queue_id, %error, "its calling windows cannot be read, and are taken as closed");
                        Some(None)
                    }
                };
                if let Some(opens) = opens {
                    feed.quick_closed.push((call.queue_id, opens));
                    continue;
                }
            }
            if !asked.known.contains(&call.id.into()) {
                calls.push(call);
            }
        }
        let calls = self.parse(calls);
        feed.quick = self.check(conn, calls, Limits::default(), now, feed).await?;
        Ok(())
    }

    async fn read_queue(
        &mut self,
        conn: &mut Conn,
        row: LaneQueue,
        asked: &Ask,
        now: Millis,
        feed: &mut Feed,
    ) -> Result<Runnable> {
        let LaneQueue { queue, priority, weight, max_live_calls, calls_per_second, windows } = row;
        let id = queue.id;
        let limits = Limits { max_live: max_live_calls, per_second: calls_per_second };
        let mut runnable = Runnable { queue, priority, weight, limits, closed: BTreeMap::new(), some_open: false };
        let windows = match self.rules.windows(id, windows.as_deref()) {
            Ok(windows) => windows,
            Err(error) => {
                warn!(queue = id, %error, "its calling windows cannot be read, and are taken as closed");
                runnable.closed.insert(String::new(), None);
                return Ok(runnable);
            }
        };
        let buffered = asked.buffered.get(&id).copied().unwrap_or_default();
        let rests = self
            .head_of_line_blocks
            .get(&id)
            .filter(|head_of_line_block| asked.head_of_line_blocks.get(&id) == Some(&head_of_line_block.full));
        let rests = rests
            .and_then(|head_of_line_block| head_of_line_block.rests_until)
            .is_some_and(|until| Instant::now() < until);
        let wanted = !feed.stopped && buffered.is_low(feed.buffer) && !rests;
        // Without windows, time zones matter only to how calls are read.
        if windows.is_none() && !wanted {
            runnable.some_open = true;
            return Ok(runnable);
        }
        let mut open = Vec::new();
        for zone in lanes::time_zones(conn, &self.server, id).await? {
            match opens(windows.as_deref(), Some(zone.clone()).filter(|zone| !zone.is_empty()), now) {
                None => open.push(zone),
                Some(opens) => {
                    runnable.closed.insert(zone, opens.map(|at| at.0));
                }
            }
        }
        runnable.some_open = !open.is_empty();
        if !wanted {
            return Ok(runnable);
        }
        let (calls, more) = self.read_due(conn, id, open, asked, now, feed.buffer).await?;
        let calls = self.check(conn, calls, limits, now, feed).await?;
        feed.due.push(Due { queue_id: id, calls, more });
        Ok(runnable)
    }

    /// Reads the next due calls of a queue in these time zones, and whether there are more. If the queue is
    /// head-of-line blocked, reads only calls after the block, and only those that it does not hold up.
    async fn read_due(
        &mut self,
        conn: &mut Conn,
        queue_id: i64,
        open: Vec<String>,
        asked: &Ask,
        now: Millis,
        buffer: usize,
    ) -> Result<(Vec<Ready>, bool)> {
        let mut head_of_line_block = self.head_of_line_block(queue_id, asked, buffer);
        let zones = open.len().max(1);
        let share = |rows: usize| (rows / zones).max(LEAST_OF_ONE);
        let limit = match head_of_line_block {
            // Buffered calls are read again, because they still wait in the store; they are left out below.
            None => share(buffer) + asked.buffered.get(&queue_id).map_or(0, |buffered| buffered.all),
            Some(_) => share(BEYOND_BLOCK * buffer),
        };
        let (mut calls, mut more) = (Vec::new(), false);
        for zone in open {
            let place = Place { server: &self.server, queue_id, time_zone: &zone };
            let after =
                head_of_line_block.as_ref().and_then(|head_of_line_block| head_of_line_block.marks.get(&zone).copied());
            let mut due = lanes::due(conn, place, after, now, rows(limit)).await?;
            let mut last = due.last().filter(|_| due.len() == limit).map(mark);
            due.retain(|call| !asked.known.contains(&call.id.into()));
            let mut due = self.parse(due);
            if let Some(head_of_line_block) = &mut head_of_line_block {
                due.retain(|call| call.trunk.as_ref().is_none_or(|trunk| !head_of_line_block.full.contains(trunk)));
                // Only some are taken, because their trunk may be the next one that is full.
                if due.len() > share(buffer / 4) {
                    due.truncate(share(buffer / 4));
                    last = due.last().map(|call| mark(&call.call));
                }
                match last {
                    Some(mark) => head_of_line_block.marks.insert(zone, mark),
                    // After the end, reading starts from the beginning again.
                    None => head_of_line_block.marks.remove(&zone),
                };
            }
            more |= last.is_some();
            calls.extend(due);
        }
        if zones > 1 {
            calls.sort_by_key(|call| mark(&call.call));
        }
        if let Some(mut head_of_line_block) = head_of_line_block {
            let in_vain = calls.is_empty();
            head_of_line_block.rests_until = in_vain.then(|| Instant::now() + REST);
            more &= !in_vain;
            self.head_of_line_blocks.insert(queue_id, head_of_line_block);
        }
        Ok((calls, more))
    }

    /// Returns how far was read after the head-of-line block of a queue, if there is one. Reading starts from the
    /// beginning if a trunk has room again.
    fn head_of_line_block(&mut self, queue_id: i64, asked: &Ask, buffer: usize) -> Option<HeadOfLineBlock> {
        let Some(full) = asked.head_of_line_blocks.get(&queue_id) else {
            // The block is gone, or the buffered calls were dropped because of another policy.
            if asked.buffered.get(&queue_id).is_none_or(|buffered| buffered.all < buffer) {
                self.head_of_line_blocks.remove(&queue_id);
            }
            return None;
        };
        let known = self
            .head_of_line_blocks
            .remove(&queue_id)
            .filter(|head_of_line_block| head_of_line_block.full.is_subset(full));
        Some(HeadOfLineBlock { full: full.clone(), ..known.unwrap_or_default() })
    }

    fn parse(&mut self, calls: Vec<Call>) -> Vec<Ready> {
        let mut parsed = Vec::with_capacity(calls.len());
        for call in calls {
            let id = CallId::from(call.id);
            match check::read(call, &self.rules) {
                Ok(mut call) => {
                    call.trunk = self.trunk(&call.spec.channel);
                    parsed.push(call);
                }
                Err(error) => {
                    if self.unreadable.insert(id) {
                        error!(call = %id, %error, "a stored call cannot be dialed");
                    }
                }
            }
        }
        parsed
    }

    /// Checks calls against the present rules. Calls that may not be dialed, or not today, go into the feed separately.
    async fn check(
        &self,
        conn: &mut Conn,
        calls: Vec<Ready>,
        queue: Limits,
        now: Millis,
        feed: &mut Feed,
    ) -> Result<Vec<Ready>> {
        let calls = self.keep_recordings_apart(conn, calls).await?;
        let mut ready = Vec::with_capacity(calls.len());
        let lists = check::look_up(conn, &calls, &self.rules, now).await?;
        for call in calls {
            match check::check(call, &self.rules, &lists, queue, now) {
                Checked::Ready(call) => ready.push(*call),
                Checked::Refused(refusal) => feed.refusals.push(refusal),
                Checked::Deferred(deferral) => feed.deferrals.push(deferral),
                Checked::Held(hold) => feed.holds.push(hold),
                Checked::Foreign => {}
            }
        }
        Ok(ready)
    }

    /// Reserves the files of recordings that are not reserved for their calls, which were put into the store in another
    /// way than by an insert. A call whose file is another one's gets another path.
    async fn keep_recordings_apart(&self, conn: &mut Conn, mut calls: Vec<Ready>) -> Result<Vec<Ready>> {
        let wanted = calls.iter().filter_map(|call| {
            let path = &call.spec.recording.as_ref()?.path;
            Some(Wanted { call: call.call.id.into(), server: &self.server, path })
        });
        let wanted: Vec<Wanted<'_>> = wanted.collect();
        let unclaimed = recording_files::unclaimed(conn, &wanted).await?;
        if unclaimed.is_empty() {
            return Ok(calls);
        }
        let mut tx = self.db.begin().await?;
        let paths = recording_files::claim(&mut tx, &unclaimed).await?;
        let mut specs = Vec::new();
        for call in &mut calls {
            let id = CallId::from(call.call.id);
            if let (Some(path), Some(recording)) = (paths.get(&id), &mut call.spec.recording) {
                recording.path.clone_from(path);
                specs.push((id, call.spec.clone()));
            }
        }
        recording_files::set_specs(&mut tx, &specs).await?;
        tx.commit().await?;
        Ok(calls)
    }

    fn trunk(&mut self, channel: &str) -> Option<Arc<str>> {
        let name = dial_string::trunk(channel)?;
        if let Some(known) = self.trunks.get(name) {
            return Some(Arc::clone(known));
        }
        // Endpoints can be dialed directly, so there may be many.
        if self.trunks.len() >= BUFFERED {
            self.trunks.clear();
        }
        let shared: Arc<str> = Arc::from(name);
        self.trunks.insert(name.to_owned(), Arc::clone(&shared));
        Some(shared)
    }
}

/// Returns None if a call may be dialed now, otherwise when it may be dialed next; that is None if it never may.
#[expect(clippy::option_option, reason = "closed for ever is something else than open")]
fn opens(windows: Option<&Windows>, zone: Option<String>, now: Millis) -> Option<Option<Millis>> {
    let opens = windows?.next_open(zone.as_deref(), now);
    (opens != Some(now)).then_some(opens)
}

fn mark(call: &Call) -> Mark {
    (call.due_at, call.position)
}

fn rows(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
