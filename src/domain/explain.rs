//! Explains why the calls of a queue wait. Each call is counted once, under the first reason that applies to it.

use super::brake::Braked;
use super::status::QueueStatus;
use super::time::Millis;
use super::wait_reasons::{Limit, QueueWaits, Reason, WaitReason};

/// The status of a queue, its client and the kill switch. It applies to all calls of the queue.
#[derive(Clone, Debug)]
pub struct QueueState {
    /// Some if the kill switch is engaged, with the reason that the administrator gave, if any.
    pub kill_switch: Option<Option<String>>,
    /// True if the queue's client is disabled.
    pub client_disabled: bool,
    /// The status of the queue.
    pub status: QueueStatus,
    /// When the queue starts; None if it has started.
    pub starts: Option<Millis>,
    /// When the queue's end was; None if that has not come.
    pub ended: Option<Millis>,
}

/// The state of a server that calls of a queue wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// The client has no grant for the server.
    NotGranted,
    /// No node dials through the server.
    Unowned,
    /// The node that dials through the server is being drained, so no new call is dialed.
    Draining,
    /// There is no session with the server. Only administrators are shown why, with the server.
    Offline,
    /// The server is connected, and calls are dialed through it.
    Online,
}

/// The waiting calls of a queue on one server.
#[derive(Clone, Debug)]
pub struct OnServer {
    /// The code of the server.
    pub code: String,
    /// The state of the server.
    pub state: ServerState,
    /// The number of calls that wait for an attempt.
    pub waiting: i64,
    /// The number of these calls that have had an attempt already.
    pub retrying: i64,
    /// When the first of the calls that wait for a further attempt, which is not due yet, becomes due.
    pub next_due: Option<Millis>,
    /// The number of calls whose own earliest time has not come, and when the first of these is.
    pub scheduled: Option<(i64, Millis)>,
    /// The number of calls that wait for another day, because their number has reached the client's limit for today,
    /// and when that day begins.
    pub another_day: Option<(i64, Millis)>,
    /// The number of calls that are held because their client is braked, and why it is.
    pub braked: Option<(i64, Braked)>,
    /// The number of due calls in time zones in which the window is closed. It is read only if the window is open in
    /// other time zones.
    pub outside_window: i64,
    /// What the lane has published about the queue; None if it has not read the queue yet.
    pub held: Option<QueueWaits>,
}

/// The calls that wait for one reason on one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// What keeps the calls from being dialed.
    pub reason: Reason,
    /// The number of calls, at least 1.
    pub calls: i64,
    /// The code of the server that the calls wait for.
    pub server: String,
    /// The limit that is reached; None if the reason is not a limit.
    pub limit: Option<Limit>,
    /// When the first of the calls is due, if that is known.
    pub until: Option<Millis>,
    /// The reason in words for a person.
    pub text: String,
}

/// Returns the reasons, the largest count first. The counts of a server add up to the calls that wait for it.
#[must_use]
pub fn explain(queue: &QueueState, servers: &[OnServer]) -> Vec<Waiting> {
    let mut all: Vec<Waiting> = servers.iter().flat_map(|server| on_server(queue, server)).collect();
    all.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.server.cmp(&b.server)).then(a.reason.cmp(&b.reason)));
    all
}

fn on_server(queue: &QueueState, server: &OnServer) -> Vec<Waiting> {
    let mut split = Split { server, left: server.waiting, out: Vec::new() };
    if let Some((reason, text)) = common(queue, server) {
        let until = queue.starts.filter(|_| reason == Reason::QueueNotStarted);
        let (calls, server) = (split.left, server.code.clone());
        split.push(Waiting { reason, calls, server, limit: None, until, text });
        return split.out;
    }
    let none = QueueWaits::default();
    let waits = server.held.as_ref().unwrap_or(&none);
    let later = "waits for its next attempt".to_owned();
    split.part(Reason::RetryLater, server.retrying - waits.due_retries, server.next_due, None, later);
    if let Some((calls, until)) = server.scheduled {
        let text = "is scheduled, and is not dialed before its own time".to_owned();
        split.part(Reason::Scheduled, calls, Some(until), None, text);
    }
    if server.held.is_none() {
        split.rest(Reason::NotReadYet, "was stored, and no lane has read it yet".to_owned());
        return split.out;
    }
    if let Some((calls, until)) = server.another_day {
        let text = "its number was called today as often as the client's limit allows".to_owned();
        let name = "max_calls_per_destination_per_day".to_owned();
        split.part(Reason::DestinationLimit, calls, Some(until), Some(name), text);
    }
    if let Some((calls, braked)) = &server.braked {
        split.braked(*calls, braked);
    }
    // If the rest waits for a reason that comes before a closed window, that reason applies to these calls too.
    if waits.rest.as_ref().is_none_or(|rest| rest.reason > Reason::OutsideWindow) && !waits.closed.is_empty() {
        let calls = if waits.some_open { server.outside_window } else { split.left };
        let until = waits.closed.values().flatten().min().copied().map(Millis);
        split.part(Reason::OutsideWindow, calls, until, None, "the calling window is closed".to_owned());
    }
    for (some, calls) in &waits.some {
        split.lane_reason(some, *calls);
    }
    match &waits.rest {
        Some(rest) => split.lane_reason(rest, i64::MAX),
        None => split.rest(Reason::Ready, format!("is dialed as fast as {} may begin calls", server.code)),
    }
    split.out
}

/// Returns the reason that applies to all calls of the queue on the server, if there is one. It overrides what the lane
/// has published.
fn common(queue: &QueueState, server: &OnServer) -> Option<(Reason, String)> {
    let code = &server.code;
    Some(match (&queue.kill_switch, queue.status, &server.state) {
        (Some(Some(why)), ..) => (Reason::KillSwitch, format!("the kill switch is engaged: {why}")),
        (Some(None), ..) => (Reason::KillSwitch, "the kill switch is engaged".to_owned()),
        _ if queue.client_disabled => (Reason::ClientDisabled, "the client is disabled".to_owned()),
        (None, QueueStatus::Paused, _) => (Reason::QueuePaused, "the queue is paused".to_owned()),
        (None, QueueStatus::Completed, _) => (Reason::QueueCompleted, "the client has completed the queue".to_owned()),
        _ if queue.ended.is_some() => {
            let ended = queue.ended.unwrap_or_default().to_rfc3339();
            (Reason::QueueEnded, format!("the queue's end has passed: {ended} (end_at)"))
        }
        _ if queue.starts.is_some() => {
            let starts = queue.starts.unwrap_or_default().to_rfc3339();
            (Reason::QueueNotStarted, format!("the queue does not start before {starts} (start_at)"))
        }
        (.., ServerState::NotGranted) => (Reason::NotGranted, format!("the client may not dial through {code}")),
        (.., ServerState::Unowned) => (Reason::ServerUnowned, format!("no node dials through {code}")),
        (.., ServerState::Draining) => (Reason::ServerUnowned, format!("{code} is being drained")),
        (.., ServerState::Offline) => {
            (Reason::ServerOffline, format!("{code} cannot be dialed through, because it is not connected"))
        }
        (.., ServerState::Online) => return None,
    })
}

/// The calls of a server while they are divided among the reasons.
struct Split<'a> {
    server: &'a OnServer,
    left: i64,
    out: Vec<Waiting>,
}

impl Split<'_> {
    /// Counts at most `calls` of the calls that are left under `reason`. `name` is the name of a limit whose value is
    /// not known here.
    fn part(&mut self, reason: Reason, calls: i64, until: Option<Millis>, name: Option<String>, text: String) {
        let text = match until {
            Some(until) => format!("{text}; the first is due at {}", until.to_rfc3339()),
            None => text,
        };
        let text = match name {
            Some(name) => format!("{text} ({name})"),
            None => text,
        };
        self.push(Waiting { reason, calls, server: self.server.code.clone(), limit: None, until, text });
    }

    fn braked(&mut self, calls: i64, braked: &Braked) {
        let limit = Limit { name: "brake_new_destination_calls".to_owned(), value: braked.limit.into() };
        let text = format!(
            "the client calls new destinations more often than it may; such calls wait until an administrator releases the \
             brake: {} ({}); {} were called; new to it are {}",
            limit.value,
            limit.name,
            braked.calls,
            braked.named()
        );
        let (reason, server, limit) = (Reason::NewDestinations, self.server.code.clone(), Some(limit));
        self.push(Waiting { reason, calls, server, limit, until: None, text });
    }

    fn rest(&mut self, reason: Reason, text: String) {
        self.part(reason, self.left, None, None, text);
    }

    fn lane_reason(&mut self, wait: &WaitReason, calls: i64) {
        let text = text(wait, &self.server.code);
        let server = self.server.code.clone();
        let (limit, until) = (wait.limit.clone(), wait.until.map(Millis));
        self.push(Waiting { reason: wait.reason, calls, server, limit, until, text });
    }

    fn push(&mut self, waiting: Waiting) {
        let calls = waiting.calls.min(self.left);
        if calls > 0 {
            self.left -= calls;
            self.out.push(Waiting { calls, ..waiting });
        }
    }
}

/// Returns a reason that a lane has published in words for a person.
fn text(wait: &WaitReason, server: &str) -> String {
    let trunk = wait.trunk.as_deref().unwrap_or("its trunk");
    let (what, live) = match wait.reason {
        Reason::ServerChannels => (server.to_owned(), true),
        Reason::GrantLiveCalls => (format!("the client on {server}"), true),
        Reason::ClientLiveCalls => ("the client".to_owned(), true),
        Reason::QueueLiveCalls => (format!("the queue on {server}"), true),
        Reason::TrunkChannels => (format!("trunk {trunk}"), true),
        Reason::GrantPace => (format!("the client on {server}"), false),
        Reason::ClientPace => ("the client".to_owned(), false),
        Reason::QueuePace => (format!("the queue on {server}"), false),
        Reason::TrunkPace => (format!("trunk {trunk}"), false),
        Reason::BackingOff => {
            let way = wait.trunk.as_deref().map_or_else(|| server.to_owned(), |trunk| format!("trunk {trunk}"));
            let slowed = "ended in congestion, so it is dialed more slowly";
            return format!("several calls in a row through {way} {slowed}{}", limit(wait));
        }
        Reason::ClientCallsPerDay => return per_day("has called as many legs today as it may", wait),
        Reason::ClientMinutesPerDay => return per_day("has used as many minutes today as it may", wait),
        Reason::ChannelIdBusy => return "a live channel's id begins with the call's ChannelId".to_owned(),
        _ => return "waits".to_owned(),
    };
    let has = if live { "has as many live calls as it may have" } else { "begins calls as fast as it may" };
    format!("{what} {has}{}", limit(wait))
}

/// Returns a reason that ends with the day in words for a person.
fn per_day(what: &str, wait: &WaitReason) -> String {
    let used = wait.used.map_or_else(String::new, |used| format!("; {used} were used"));
    let until =
        wait.until.map_or_else(String::new, |until| format!("; it may go on at {}", Millis(until).to_rfc3339()));
    format!("the client {what}{}{used}{until}", limit(wait))
}

/// Returns the value and the name of the limit that is reached, to be appended to a text; empty if it is no limit.
fn limit(wait: &WaitReason) -> String {
    wait.limit.as_ref().map_or_else(String::new, |limit| format!(": {} ({})", limit.value, limit.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RUNS: QueueState = QueueState {
        kill_switch: None,
        client_disabled: false,
        status: QueueStatus::InProgress,
        starts: None,
        ended: None,
    };

    fn server(waiting: i64, retrying: i64, held: Option<QueueWaits>) -> OnServer {
        OnServer {
            code: "server1".into(),
            state: ServerState::Online,
            waiting,
            retrying,
            next_due: None,
            scheduled: None,
            another_day: None,
            braked: None,
            outside_window: 0,
            held,
        }
    }

    fn wait(reason: Reason) -> WaitReason {
        let limit = Some(Limit { name: "max_live_calls".into(), value: 5.0 });
        WaitReason { limit, ..WaitReason::new(reason) }
    }

    fn reasons(server: OnServer) -> Vec<(Reason, i64)> {
        explain(&RUNS, &[server]).into_iter().map(|waiting| (waiting.reason, waiting.calls)).collect()
    }

    #[test]
    fn a_queue_without_a_wait_reason_is_ready_and_one_that_no_lane_has_read_is_not() {
        assert_eq!(reasons(server(5, 0, Some(QueueWaits::default()))), [(Reason::Ready, 5)]);
        assert_eq!(reasons(server(5, 1, None)), [(Reason::NotReadYet, 4), (Reason::RetryLater, 1)]);
        assert_eq!(reasons(server(0, 0, None)), []);
    }

    #[test]
    fn a_reason_of_the_whole_queue_overrides_those_of_its_lane() {
        let lane = server(5, 2, Some(QueueWaits { rest: Some(wait(Reason::QueueLiveCalls)), ..QueueWaits::default() }));
        let explained = |queue: QueueState| explain(&queue, std::slice::from_ref(&lane)).remove(0);
        let engaged = explained(QueueState { kill_switch: Some(Some("fire".into())), client_disabled: true, ..RUNS });
        assert_eq!((engaged.reason, engaged.calls), (Reason::KillSwitch, 5));
        assert_eq!(engaged.text, "the kill switch is engaged: fire");
        assert_eq!(explained(QueueState { client_disabled: true, ..RUNS }).reason, Reason::ClientDisabled);
        assert_eq!(explained(QueueState { status: QueueStatus::Paused, ..RUNS }).reason, Reason::QueuePaused);
    }

    #[test]
    fn calls_are_counted_under_the_reason_that_each_waits_for() {
        let queue = QueueWaits {
            rest: Some(wait(Reason::QueueLiveCalls)),
            some: vec![(wait(Reason::TrunkChannels), 3)],
            due_retries: 1,
            closed: [("Asia/Tokyo".to_owned(), Some(1000)), ("Asia/Dubai".to_owned(), Some(500))].into(),
            some_open: true,
        };
        let mut lane = server(100, 11, Some(queue));
        lane.outside_window = 20;
        lane.another_day = Some((2, Millis(9)));
        lane.braked = Some((4, Braked { limit: 3, calls: 3, destinations: vec!["44".into(), "1242".into()] }));
        let explained = explain(&RUNS, &[lane]);
        let counts: Vec<(Reason, i64)> = explained.iter().map(|waiting| (waiting.reason, waiting.calls)).collect();
        let expected = [
            (Reason::QueueLiveCalls, 61),
            (Reason::OutsideWindow, 20),
            (Reason::RetryLater, 10),
            (Reason::NewDestinations, 4),
            (Reason::TrunkChannels, 3),
            (Reason::DestinationLimit, 2),
        ];
        assert_eq!(counts, expected);
        assert_eq!(explained[0].text, "the queue on server1 has as many live calls as it may have: 5 (max_live_calls)");
        assert_eq!(explained[1].until, Some(Millis(500)));
        assert!(
            explained[3].text.ends_with("3 (brake_new_destination_calls); 3 were called; new to it are +44, +1242")
        );
    }

    #[test]
    fn calls_outside_their_window_count_under_the_reason_of_a_full_server() {
        let closed = [(String::new(), None)].into();
        let full = QueueWaits { rest: Some(wait(Reason::ServerChannels)), closed, ..QueueWaits::default() };
        assert_eq!(reasons(server(7, 0, Some(full.clone()))), [(Reason::ServerChannels, 7)]);
        assert_eq!(reasons(server(7, 0, Some(QueueWaits { rest: None, ..full }))), [(Reason::OutsideWindow, 7)]);
    }

    proptest! {
        #[test]
        fn the_counts_add_up_to_the_number_of_waiting_calls(
            (waiting, retrying, due_retries) in (0_i64..1000, 0_i64..2000, 0_i64..2000),
            (outside_window, another_day, some) in (0_i64..2000, 0_i64..2000, 0_i64..2000),
            braked in 0_i64..2000,
            (some_open, has_rest, is_read) in any::<(bool, bool, bool)>(),
        ) {
            let queue = QueueWaits {
                rest: has_rest.then(|| wait(Reason::ClientPace)),
                some: vec![(wait(Reason::TrunkPace), some)],
                due_retries,
                closed: [("Asia/Tokyo".to_owned(), None)].into(),
                some_open,
            };
            let mut lane = server(waiting, retrying, is_read.then_some(queue));
            lane.outside_window = outside_window;
            lane.another_day = Some((another_day, Millis(1)));
            lane.braked = Some((braked, Braked { limit: 1, calls: 1, destinations: Vec::new() }));
            let explained = explain(&RUNS, &[lane]);
            prop_assert_eq!(explained.iter().map(|waiting| waiting.calls).sum::<i64>(), waiting);
            prop_assert!(explained.iter().all(|waiting| waiting.calls > 0 && !waiting.text.is_empty()));
        }
    }
}
