//! Why the calls of a queue wait: each call is counted once, under the first reason that applies to it.

use super::status::QueueStatus;
use super::time::Millis;
use super::wait_reasons::{Limit, QueueWaits, Reason, WaitReason};

/// What applies to a queue as a whole.
#[derive(Clone, Debug)]
pub struct QueueState {
    /// The kill switch is engaged. The text is the reason that the administrator gave.
    pub kill_switch: Option<Option<String>>,
    /// True if the client is disabled.
    pub client_disabled: bool,
    /// The status of the queue.
    pub status: QueueStatus,
}

/// The state of a server that calls of the queue wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// The client has no grant for the server, or none any more.
    NotGranted,
    /// No node dials through the server.
    Unowned,
    /// Nothing new is dialed through the server.
    Draining,
    /// There is no session with the server. The text says why, if that is known.
    Offline(Option<String>),
    /// The server's lane dials.
    Online,
}

/// The calls of a queue on one server.
#[derive(Clone, Debug)]
pub struct OnServer {
    /// The code of the server.
    pub code: String,
    /// The state of the server.
    pub state: ServerState,
    /// How many calls wait for a first or a further attempt.
    pub waiting: i64,
    /// How many of the waiting calls wait for a further attempt.
    pub retrying: i64,
    /// When the first of the calls is due that are not due yet.
    pub next_due: Option<Millis>,
    /// How many calls wait for another day, because their number was called often enough today; and when that day
    /// begins.
    pub another_day: Option<(i64, Millis)>,
    /// How many calls are in time zones in which the window is closed. It is needed only if the window is open in
    /// others.
    pub outside_window: i64,
    /// What the lane published, once it has read the queue.
    pub held: Option<QueueWaits>,
}

/// Waiting calls that have one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    /// What keeps the calls waiting.
    pub reason: Reason,
    /// How many calls there are, from 1.
    pub calls: i64,
    /// The code of the server that they wait for.
    pub server: String,
    /// The limit that is reached, if one is.
    pub limit: Option<Limit>,
    /// When the first of them is due, if that is known.
    pub until: Option<Millis>,
    /// The reason as a text for people.
    pub text: String,
}

/// Returns the reasons, the largest count first. The counts of a server add up to its waiting calls.
#[must_use]
pub fn explain(queue: &QueueState, servers: &[OnServer]) -> Vec<Waiting> {
    let mut all: Vec<Waiting> = servers.iter().flat_map(|server| on_server(queue, server)).collect();
    all.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.server.cmp(&b.server)).then(a.reason.cmp(&b.reason)));
    all
}

fn on_server(queue: &QueueState, server: &OnServer) -> Vec<Waiting> {
    let mut split = Split { server, left: server.waiting, out: Vec::new() };
    if let Some((reason, text)) = whole(queue, server) {
        split.rest(reason, text);
        return split.out;
    }
    let none = QueueWaits::default();
    let held = server.held.as_ref().unwrap_or(&none);
    let later = "waits for a further try".to_owned();
    split.part(Reason::RetryLater, server.retrying - held.due_retries, server.next_due, None, later);
    if server.held.is_none() {
        split.rest(Reason::NotReadYet, "was stored, and no lane has looked at it yet".to_owned());
        return split.out;
    }
    if let Some((calls, until)) = server.another_day {
        let text = "its number was called as often today as the client may call one".to_owned();
        let name = "max_calls_per_destination_per_day".to_owned();
        split.part(Reason::DestinationLimit, calls, Some(until), Some(name), text);
    }
    // Reasons that come before a closed window in the order apply to these calls too.
    if held.rest.as_ref().is_none_or(|rest| rest.reason > Reason::OutsideWindow) && !held.closed.is_empty() {
        let calls = if held.some_open { server.outside_window } else { split.left };
        let until = held.closed.values().flatten().min().copied().map(Millis);
        split.part(Reason::OutsideWindow, calls, until, None, "the calling window is closed".to_owned());
    }
    for (some, calls) in &held.some {
        split.held(some, *calls);
    }
    match &held.rest {
        Some(rest) => split.held(rest, i64::MAX),
        None => split.rest(Reason::Ready, format!("goes out as fast as {} may begin calls", server.code)),
    }
    split.out
}

/// Returns the reason that applies to all calls of the queue on the server, whatever its lane reports.
fn whole(queue: &QueueState, server: &OnServer) -> Option<(Reason, String)> {
    let code = &server.code;
    Some(match (&queue.kill_switch, queue.status, &server.state) {
        (Some(Some(why)), ..) => (Reason::KillSwitch, format!("the kill switch is engaged: {why}")),
        (Some(None), ..) => (Reason::KillSwitch, "the kill switch is engaged".to_owned()),
        _ if queue.client_disabled => (Reason::ClientDisabled, "the client is disabled".to_owned()),
        (None, QueueStatus::Paused, _) => (Reason::QueuePaused, "the queue is paused".to_owned()),
        (None, QueueStatus::Completed, _) => (Reason::QueueCompleted, "the client has completed the queue".to_owned()),
        (.., ServerState::NotGranted) => (Reason::NotGranted, format!("the client may not dial through {code}")),
        (.., ServerState::Unowned) => (Reason::ServerUnowned, format!("no node dials through {code}")),
        (.., ServerState::Draining) => (Reason::ServerUnowned, format!("{code} is being drained")),
        (.., ServerState::Offline(why)) => {
            let why = why.as_deref().unwrap_or("the connection is being made");
            (Reason::ServerOffline, format!("{code} cannot be dialed through: {why}"))
        }
        (.., ServerState::Online) => return None,
    })
}

/// A number of calls that is being divided up.
struct Split<'a> {
    server: &'a OnServer,
    left: i64,
    out: Vec<Waiting>,
}

impl Split<'_> {
    /// Assigns a reason to at most `calls` of the calls that are left. `name` is the name of a limit whose value the
    /// client may know.
    fn part(&mut self, reason: Reason, calls: i64, until: Option<Millis>, name: Option<String>, text: String) {
        let text = match until {
            Some(until) => format!("{text}, the first until {}", until.to_rfc3339()),
            None => text,
        };
        let text = match name {
            Some(name) => format!("{text} ({name})"),
            None => text,
        };
        self.push(Waiting { reason, calls, server: self.server.code.clone(), limit: None, until, text });
    }

    fn rest(&mut self, reason: Reason, text: String) {
        self.part(reason, self.left, None, None, text);
    }

    fn held(&mut self, held: &WaitReason, calls: i64) {
        let text = text(held, &self.server.code);
        let server = self.server.code.clone();
        let limit = held.limit.clone();
        self.push(Waiting { reason: held.reason, calls, server, limit, until: None, text });
    }

    fn push(&mut self, waiting: Waiting) {
        let calls = waiting.calls.min(self.left);
        if calls > 0 {
            self.left -= calls;
            self.out.push(Waiting { calls, ..waiting });
        }
    }
}

/// Describes in words what a lane reports.
fn text(held: &WaitReason, server: &str) -> String {
    let trunk = held.trunk.as_deref().unwrap_or("its trunk");
    let (who, live) = match held.reason {
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
            let way = held.trunk.as_deref().map_or_else(|| server.to_owned(), |trunk| format!("trunk {trunk}"));
            return format!("{way} answered with congestion in a row, and is dialed slower{}", shown(held));
        }
        Reason::ChannelIdBusy => return "a live channel's id begins with its ChannelId".to_owned(),
        _ => return "waits".to_owned(),
    };
    let has = if live { "has as many live calls as it may have" } else { "begins calls as fast as it may" };
    format!("{who} {has}{}", shown(held))
}

fn shown(held: &WaitReason) -> String {
    held.limit.as_ref().map_or_else(String::new, |limit| format!(": {} ({})", limit.value, limit.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RUNS: QueueState = QueueState { kill_switch: None, client_disabled: false, status: QueueStatus::InProgress };

    fn server(waiting: i64, retrying: i64, held: Option<QueueWaits>) -> OnServer {
        OnServer {
            code: "server1".into(),
            state: ServerState::Online,
            waiting,
            retrying,
            next_due: None,
            another_day: None,
            outside_window: 0,
            held,
        }
    }

    fn held(reason: Reason) -> WaitReason {
        WaitReason { reason, limit: Some(Limit { name: "max_live_calls".into(), value: 5.0 }), trunk: None }
    }

    fn reasons(server: OnServer) -> Vec<(Reason, i64)> {
        explain(&RUNS, &[server]).into_iter().map(|waiting| (waiting.reason, waiting.calls)).collect()
    }

    #[test]
    fn a_queue_that_nothing_holds_is_ready_and_one_that_nobody_read_is_not() {
        assert_eq!(reasons(server(5, 0, Some(QueueWaits::default()))), [(Reason::Ready, 5)]);
        assert_eq!(reasons(server(5, 1, None)), [(Reason::NotReadYet, 4), (Reason::RetryLater, 1)]);
        assert_eq!(reasons(server(0, 0, None)), []);
    }

    #[test]
    fn what_holds_the_whole_queue_goes_before_what_its_lane_says() {
        let lane = server(5, 2, Some(QueueWaits { rest: Some(held(Reason::QueueLiveCalls)), ..QueueWaits::default() }));
        let told = |queue: QueueState| explain(&queue, std::slice::from_ref(&lane)).remove(0);
        let engaged = told(QueueState { kill_switch: Some(Some("fire".into())), client_disabled: true, ..RUNS });
        assert_eq!((engaged.reason, engaged.calls), (Reason::KillSwitch, 5));
        assert_eq!(engaged.text, "the kill switch is engaged: fire");
        assert_eq!(told(QueueState { client_disabled: true, ..RUNS }).reason, Reason::ClientDisabled);
        assert_eq!(told(QueueState { status: QueueStatus::Paused, ..RUNS }).reason, Reason::QueuePaused);
    }

    #[test]
    fn calls_are_told_apart_by_what_holds_each() {
        let queue = QueueWaits {
            rest: Some(held(Reason::QueueLiveCalls)),
            some: vec![(held(Reason::TrunkChannels), 3)],
            due_retries: 1,
            closed: [("Asia/Tokyo".to_owned(), Some(1000)), ("Asia/Dubai".to_owned(), Some(500))].into(),
            some_open: true,
        };
        let mut lane = server(100, 11, Some(queue));
        lane.outside_window = 20;
        lane.another_day = Some((2, Millis(9)));
        let told = explain(&RUNS, &[lane]);
        let counts: Vec<(Reason, i64)> = told.iter().map(|waiting| (waiting.reason, waiting.calls)).collect();
        let expected = [
            (Reason::QueueLiveCalls, 65),
            (Reason::OutsideWindow, 20),
            (Reason::RetryLater, 10),
            (Reason::TrunkChannels, 3),
            (Reason::DestinationLimit, 2),
        ];
        assert_eq!(counts, expected);
        assert_eq!(told[0].text, "the queue on server1 has as many live calls as it may have: 5 (max_live_calls)");
        assert_eq!(told[1].until, Some(Millis(500)));
    }

    #[test]
    fn a_full_server_holds_calls_outside_their_window_too() {
        let closed = [(String::new(), None)].into();
        let full = QueueWaits { rest: Some(held(Reason::ServerChannels)), closed, ..QueueWaits::default() };
        assert_eq!(reasons(server(7, 0, Some(full.clone()))), [(Reason::ServerChannels, 7)]);
        assert_eq!(reasons(server(7, 0, Some(QueueWaits { rest: None, ..full }))), [(Reason::OutsideWindow, 7)]);
    }

    proptest! {
        #[test]
        fn the_counts_add_up_to_what_waits(
            (waiting, retrying, due_retries) in (0_i64..1000, 0_i64..2000, 0_i64..2000),
            (outside_window, another_day, some) in (0_i64..2000, 0_i64..2000, 0_i64..2000),
            (some_open, has_rest, is_read) in any::<(bool, bool, bool)>(),
        ) {
            let queue = QueueWaits {
                rest: has_rest.then(|| held(Reason::ClientPace)),
                some: vec![(held(Reason::TrunkPace), some)],
                due_retries,
                closed: [("Asia/Tokyo".to_owned(), None)].into(),
                some_open,
            };
            let mut lane = server(waiting, retrying, is_read.then_some(queue));
            lane.outside_window = outside_window;
            lane.another_day = Some((another_day, Millis(1)));
            let told = explain(&RUNS, &[lane]);
            prop_assert_eq!(told.iter().map(|waiting| waiting.calls).sum::<i64>(), waiting);
            prop_assert!(told.iter().all(|waiting| waiting.calls > 0 && !waiting.text.is_empty()));
        }
    }
}
