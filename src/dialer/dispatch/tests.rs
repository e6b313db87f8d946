use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::dialer::feed::Runnable;
use crate::dialer::fixtures::{CLIENT, calls, feed, queue, ready};
use crate::store::lanes::ServerLimits;

const TRUNK: &str = "PJSIP/123@gw1";
const AT: Millis = Millis(1_000_000);
const FAST: Limits = Limits { max_live: Some(10_000), per_second: None };

/// Longer than the interval of the fastest rate in these tests.
const A_MOMENT: Duration = Duration::from_micros(2);

fn at_most(live: i32) -> Limits {
    Limits { max_live: Some(live), per_second: None }
}

/// A lane whose clock the test moves.
struct Lane {
    dispatch: Dispatch,
    now: Instant,
    live: Vec<(i64, Permits)>,
}

impl Lane {
    fn new(server: Limits) -> Self {
        Self::of(server, Clients::default())
    }

    fn of(server: Limits, clients: Clients) -> Self {
        let now = Instant::now();
        Self { dispatch: Dispatch::new(server, clients, now), now, live: Vec::new() }
    }

    fn feed(&mut self, mut feed: Feed) {
        self.dispatch.take_feed(&mut feed, |_| false, self.now);
    }

    /// Begins every call that may begin now, each a moment after the one before, and returns their queues in order.
    fn round(&mut self) -> Vec<i64> {
        self.dispatch.begin_round();
        let mut begun = Vec::new();
        while let Some(Picked::Begins(call, mut permits)) = self.dispatch.next(AT, self.now, |_| true) {
            permits.sent();
            begun.push(call.call.queue_id);
            self.live.push((call.call.queue_id, *permits));
            self.now += A_MOMENT;
        }
        begun
    }

    /// Runs one round a millisecond.
    fn run(&mut self, time: Duration) -> Vec<i64> {
        let end = self.now + time;
        let mut begun = Vec::new();
        while self.now < end {
            begun.extend(self.round());
            self.now += Duration::from_millis(1);
        }
        begun
    }

    fn why(&mut self, queue_id: i64) -> QueueWaits {
        self.round();
        self.dispatch.tick(self.now, |_| true).queues.remove(&queue_id).unwrap_or_default()
    }
}

fn count(begun: &[i64], queue: i64) -> usize {
    begun.iter().filter(|begun| **begun == queue).count()
}

#[test]
fn queues_take_turns_by_their_weight() {
    let mut lane = Lane::new(Limits { max_live: Some(40), per_second: None });
    let heavy = Runnable { weight: 3, ..queue(1) };
    lane.feed(feed(vec![(heavy, calls(1, TRUNK, 100)), (queue(2), calls(2, TRUNK, 100))]));
    let begun = lane.round();
    assert_eq!((count(&begun, 1), count(&begun, 2)), (30, 10));
}

#[test]
fn a_small_queue_beside_a_large_one_ends_as_if_half_the_lane_were_its_own() {
    let mut lane = Lane::new(Limits { max_live: None, per_second: Some(10.0) });
    lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 512)), (queue(2), calls(2, TRUNK, 10))]));
    let begun = lane.run(Duration::from_secs(2));
    assert_eq!((begun.len(), count(&begun, 2)), (20, 10));
}

#[test]
fn quick_calls_go_ahead_of_every_queue() {
    let mut lane = Lane::new(Limits { max_live: Some(1), per_second: None });
    lane.feed(Feed { quick: vec![ready(9, TRUNK)], ..feed(vec![(queue(1), calls(1, TRUNK, 2))]) });
    assert_eq!(lane.round(), [9]);
}

#[test]
fn a_call_that_is_offered_twice_goes_once() {
    let mut lane = Lane::new(FAST);
    let call = ready(1, TRUNK);
    lane.feed(feed(vec![(queue(1), vec![call.clone()])]));
    lane.feed(feed(vec![(queue(1), vec![call])]));
    assert_eq!(lane.round(), [1]);
}

#[test]
fn a_queue_that_is_not_fed_any_more_dials_nothing_new() {
    let mut lane = Lane::new(Limits { max_live: None, per_second: Some(1.0) });
    lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 5))]));
    assert_eq!(lane.round().len(), 1);
    lane.feed(feed(vec![]));
    assert!(lane.run(Duration::from_secs(3)).is_empty());
}

#[test]
fn the_kill_switch_stops_all_and_lets_all_go_on() {
    let mut lane = Lane::new(Limits { max_live: None, per_second: Some(10.0) });
    lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 50))]));
    assert_eq!(lane.run(Duration::from_secs(1)).len(), 10);
    lane.feed(Feed { stopped: true, ..feed(vec![(queue(1), vec![])]) });
    assert!(lane.run(Duration::from_secs(1)).is_empty());
    lane.feed(feed(vec![(queue(1), vec![])]));
    // A timer that fires late is made up for, by a millisecond at most: that may be one more call.
    assert!((10..=11).contains(&lane.run(Duration::from_secs(1)).len()));
}

#[test]
fn a_limit_of_one_queue_lets_the_others_go_on() {
    let mut lane = Lane::new(FAST);
    let full = Runnable { limits: at_most(2), ..queue(1) };
    let slow = Runnable { limits: Limits { max_live: None, per_second: Some(2.0) }, ..queue(3) };
    lane.feed(feed(vec![(full, calls(1, TRUNK, 50)), (queue(2), calls(2, TRUNK, 50)), (slow, calls(3, TRUNK, 50))]));
    let begun = lane.run(Duration::from_secs(2));
    assert_eq!((count(&begun, 1), count(&begun, 2), count(&begun, 3)), (2, 50, 4));
    lane.live.retain(|(queue, _)| *queue != 1);
    lane.dispatch.wake();
    assert_eq!(count(&lane.round(), 1), 2, "the permits of calls that ended are free again");
}

#[test]
fn a_full_trunk_holds_up_only_its_own_calls() {
    let mut lane = Lane::new(FAST);
    let mut mixed = calls(1, TRUNK, 5);
    mixed.extend(calls(1, "PJSIP/123@gw2", 5));
    lane.feed(Feed { server: Some(server(1000, TRUNKS)), ..feed(vec![(queue(1), mixed)]) });
    assert_eq!(lane.round().len(), 7);
    let why = lane.why(1);
    assert_eq!(why.some.len(), 1);
    assert_eq!((why.some[0].0.reason, why.some[0].1), (Reason::TrunkChannels, 3));
    assert_eq!(why.rest.map(|reason| reason.reason), Some(Reason::TrunkChannels));
}

#[test]
fn calls_that_a_full_trunk_holds_up_do_not_keep_those_behind_them_from_being_read() {
    let mut lane = Lane::new(FAST);
    let more = |mut feed: Feed| {
        feed.due[0].more = true;
        Feed { server: Some(server(1000, TRUNKS)), buffer: 100, ..feed }
    };
    lane.feed(more(feed(vec![(queue(1), calls(1, TRUNK, 102))])));
    assert_eq!(lane.round().len(), 2);
    assert!(lane.dispatch.runs_low(), "what is buffered is blocked");
    lane.feed(more(feed(vec![(queue(1), calls(1, "PJSIP/123@gw2", 100))])));
    assert!(!lane.dispatch.runs_low());
    assert_eq!(lane.round().len(), 100);
    assert_eq!(lane.dispatch.head_of_line_blocks(), HashMap::new());
    lane.feed(more(feed(vec![(queue(1), calls(1, TRUNK, 300))])));
    lane.round();
    assert!(lane.dispatch.runs_low(), "others may wait after all that is blocked");
    assert_eq!(
        lane.dispatch.head_of_line_blocks(),
        [(1, [Arc::from("gw1")].into())].into(),
        "what is blocked takes no more room"
    );
    lane.feed(more(feed(vec![(queue(1), calls(1, "PJSIP/123@gw2", 100))])));
    assert_eq!(lane.dispatch.head_of_line_blocks(), HashMap::new(), "there is enough that may go");
    assert_eq!(lane.round().len(), 100);
}

const TRUNKS: &str = r#"[{"trunk":"gw1","max_channels":2}]"#;

fn server(max_channels: i32, trunks: &str) -> crate::dialer::rules::ServerSet {
    let row = ServerLimits {
        max_channels,
        calls_per_second: 1_000_000.0,
        trunks: trunks.into(),
        recording_dirs: "[]".into(),
        numbering: "{}".into(),
        max_call_seconds: None,
    };
    crate::dialer::rules::ServerSet::new("server1", row)
}

#[test]
fn lanes_share_a_clients_limit_exactly() {
    let clients = Clients::default();
    let now = Instant::now();
    clients.set(CLIENT, Limits { max_live: Some(5), per_second: None }, now);
    let mut lanes = [Lane::of(FAST, clients.clone()), Lane::of(FAST, clients.clone())];
    let mut begun = 0;
    for lane in &mut lanes {
        lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 50))]));
        begun += lane.round().len();
    }
    assert_eq!(begun, 5);
    assert_eq!(lanes[1].why(1).rest.map(|reason| reason.reason), Some(Reason::ClientLiveCalls));
    lanes[0].live.truncate(2);
    lanes[1].dispatch.wake();
    assert_eq!(lanes[1].round().len(), 3, "what one lane frees another may take");
}

#[test]
fn calls_that_were_held_against_another_policy_are_read_again() {
    let mut lane = Lane::new(FAST);
    lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 5))]));
    lane.feed(Feed { grants: [(CLIENT, (Limits::default(), 2))].into(), ..feed(vec![(queue(1), vec![])]) });
    assert!(lane.round().is_empty());
    lane.feed(Feed { grants: HashMap::new(), ..feed(vec![]) });
    assert!(lane.dispatch.buffered().is_empty(), "a client that may not dial has nothing buffered");
}

#[test]
fn a_window_that_closes_holds_the_calls_at_hand_of_its_time_zone() {
    let mut lane = Lane::new(FAST);
    let mut in_tokyo = ready(1, TRUNK);
    in_tokyo.spec.time_zone = Some("Asia/Tokyo".into());
    lane.feed(feed(vec![(queue(1), vec![in_tokyo, ready(1, TRUNK)])]));
    let mut closing = feed(vec![(queue(1), vec![])]);
    closing.runnable[0].closed.insert("Asia/Tokyo".into(), Some(7));
    lane.feed(closing);
    assert_eq!(lane.round(), [1]);
    let why = lane.why(1);
    assert_eq!((why.closed.get("Asia/Tokyo"), why.some_open), (Some(&Some(7)), true));
}

#[test]
fn a_call_past_its_deadline_is_not_begun() {
    let mut lane = Lane::new(FAST);
    let mut late = ready(1, TRUNK);
    late.call.deadline = Some(AT.0);
    lane.feed(feed(vec![(queue(1), vec![late])]));
    lane.dispatch.begin_round();
    assert!(matches!(lane.dispatch.next(AT, lane.now, |_| true), Some(Picked::Overdue(_))));
}

#[test]
fn congestion_in_a_row_slows_the_lane_down_and_explain_says_so() {
    let mut lane = Lane::new(Limits { max_live: None, per_second: Some(10.0) });
    lane.feed(feed(vec![(queue(1), calls(1, "Local/1@x", 100))]));
    for _ in 0..5 {
        lane.dispatch.saw(None, Outcome::Congestion, lane.now);
    }
    assert_eq!(lane.run(Duration::from_secs(2)).len(), 10);
    let reason = lane.why(1).rest.unwrap();
    assert_eq!((reason.reason, reason.limit.map(|limit| limit.value)), (Reason::BackingOff, Some(5.0)));
    lane.now += Duration::from_secs(10);
    lane.dispatch.tick(lane.now, |_| true);
    assert!((20..=21).contains(&lane.run(Duration::from_secs(2)).len()));
}

#[test]
fn each_limit_tells_its_name_and_value() {
    let told = |lane: &mut Lane| {
        let reason = lane.why(1).rest.unwrap();
        let limit = reason.limit.unwrap();
        (reason.reason, limit.name, limit.value)
    };
    let with = |set: Limits| {
        let mut lane = Lane::new(FAST);
        let grants = [(CLIENT, (set, 1))].into();
        lane.feed(Feed { grants, ..feed(vec![(queue(1), calls(1, TRUNK, 50))]) });
        lane
    };
    let live = Limits { max_live: Some(2), per_second: None };
    let pace = Limits { max_live: None, per_second: Some(2.0) };
    assert_eq!(told(&mut with(live)), (Reason::GrantLiveCalls, "max_live_calls".into(), 2.0));
    assert_eq!(told(&mut with(pace)), (Reason::GrantPace, "calls_per_second".into(), 2.0));
    let mut full = Lane::new(Limits { max_live: Some(3), per_second: None });
    full.feed(feed(vec![(queue(1), calls(1, TRUNK, 50))]));
    assert_eq!(told(&mut full), (Reason::ServerChannels, "max_channels".into(), 3.0));
    let mut paced = Lane::new(Limits { max_live: None, per_second: Some(3.0) });
    paced.feed(feed(vec![(queue(1), calls(1, TRUNK, 50))]));
    assert_eq!(paced.why(1).rest, None, "what only the server's pace holds is ready");
}

proptest! {
    /// Whatever ends when, no limit is exceeded, no permit leaks, and every call is dialed in the end.
    #[test]
    fn no_limit_is_ever_exceeded_and_no_slot_leaks(
        (server_live, queue_live, trunk_live, client_live, grant_live) in (1..8, 1..8, 1..8, 1..8, 1..8),
        ends in prop::collection::vec(0_usize..10, 50..200),
    ) {
        let clients = Clients::default();
        let mut lane = Lane::of(Limits { max_live: Some(server_live), per_second: None }, clients.clone());
        clients.set(CLIENT, Limits { max_live: Some(client_live), per_second: None }, lane.now);
        let limited = Runnable { limits: at_most(queue_live), ..queue(1) };
        let mut others = calls(2, TRUNK, 10);
        others.extend(calls(2, "Local/1@x", 10));
        let mut fed = feed(vec![(limited, calls(1, TRUNK, 20)), (queue(2), others)]);
        fed.server = Some(server(server_live, &format!(r#"[{{"trunk":"gw1","max_channels":{trunk_live}}}]"#)));
        fed.grants = [(CLIENT, (Limits { max_live: Some(grant_live), per_second: None }, 1))].into();
        lane.feed(fed);
        let mut begun = 0;
        for end in ends.into_iter().chain(std::iter::repeat_n(0, 50)) {
            begun += lane.round().len();
            let live = |of: &dyn Fn(&(i64, Permits)) -> bool| i32::try_from(lane.live.iter().filter(|l| of(l)).count()).unwrap();
            prop_assert!(live(&|_| true) <= server_live.min(client_live).min(grant_live));
            prop_assert!(live(&|(queue, _)| *queue == 1) <= queue_live);
            prop_assert!(live(&|(_, permits)| permits.trunk_name().is_some()) <= trunk_live);
            if !lane.live.is_empty() {
                lane.live.remove(end % lane.live.len());
            }
            lane.now += Duration::from_millis(2);
        }
        while !lane.live.is_empty() {
            lane.live.pop();
            lane.now += Duration::from_millis(2);
            begun += lane.round().len();
        }
        prop_assert_eq!(begun, 40);
    }
}

/// Makes calls whose Dial calls two phones at once, so that each has three legs.
fn heavy(queue_id: i64, count: usize) -> Vec<Ready> {
    let legs = Legs { count: 3, trunks: vec![("gw1".into(), 1), ("gw2".into(), 2)] };
    calls(queue_id, TRUNK, count).into_iter().map(|call| Ready { legs: legs.clone(), ..call }).collect()
}

#[test]
fn a_call_with_several_legs_takes_a_permit_for_each() {
    let mut lane = Lane::new(at_most(7));
    lane.feed(feed(vec![(queue(1), heavy(1, 5))]));
    assert_eq!(lane.round().len(), 2, "six legs of seven");
    lane.live.pop();
    assert_eq!(lane.round().len(), 1, "its three permits are free again");
    let clients = Clients::default();
    clients.set(CLIENT, at_most(5), Instant::now());
    let mut lane = Lane::of(at_most(100), clients);
    lane.feed(feed(vec![(queue(1), heavy(1, 5))]));
    assert_eq!(lane.round().len(), 1, "the client has room for three legs of five");
}

#[test]
fn each_trunk_counts_the_legs_that_go_through_it() {
    let mut lane = Lane::new(FAST);
    let two_of = r#"[{"trunk":"gw2","max_channels":5}]"#;
    lane.feed(Feed { server: Some(server(10_000, two_of)), ..feed(vec![(queue(1), heavy(1, 5))]) });
    let a_while = Duration::from_millis(5);
    assert_eq!(lane.run(a_while).len(), 2, "each takes two of the five channels of gw2");
    lane.live.clear();
    assert_eq!(lane.run(a_while).len(), 2);
}

#[test]
fn legs_begin_as_fast_as_calls() {
    let mut lane = Lane::new(Limits { max_live: None, per_second: Some(30.0) });
    lane.feed(feed(vec![(queue(1), heavy(1, 100))]));
    let begun = lane.run(Duration::from_secs(2)).len();
    assert!((20..=21).contains(&begun), "{begun} calls of three legs began in two seconds at 30 legs a second");
}

/// The calls of one leg would take each permit as soon as it is free.
#[test]
fn a_call_with_several_legs_is_not_starved_by_calls_with_one() {
    let mut lane = Lane::new(at_most(4));
    lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 4))]));
    assert_eq!(lane.round().len(), 4);
    lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 500)), (queue(2), heavy(2, 1))]));
    let (mut others, mut seconds) = (0, 0);
    let began = loop {
        lane.live.remove(0);
        let begun = lane.round();
        if begun.contains(&2) {
            break true;
        }
        others += begun.len();
        lane.now += Duration::from_secs(1);
        lane.dispatch.tick(lane.now, |_| true);
        seconds += 1;
        if seconds > 60 {
            break false;
        }
    };
    assert!(began, "it did not begin in {seconds} seconds, and {others} others did");
    assert!(others >= 4, "others go on until permits are kept for it");
    assert!(lane.live.len() <= 2, "it has three permits of four");
    lane.live.retain(|(queue_id, _)| *queue_id == 2);
    assert_eq!(lane.round(), [1], "one permit is left, and nothing is kept any more");
}

#[test]
fn what_is_kept_for_a_call_that_waits_no_more_is_free_again() {
    let mut lane = Lane::new(at_most(3));
    lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 1))]));
    lane.round();
    lane.feed(feed(vec![(queue(1), vec![]), (queue(2), heavy(2, 1))]));
    for _ in 0..10 {
        assert!(lane.round().is_empty());
        lane.now += Duration::from_secs(1);
        lane.dispatch.tick(lane.now, |_| true);
    }
    lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 2)), (queue(2), vec![])]));
    assert!(lane.round().is_empty(), "all permits are kept for the other call");
    // Its client has canceled it, and its queue is not fed any more.
    lane.feed(feed(vec![(queue(1), vec![])]));
    for _ in 0..4 {
        lane.now += Duration::from_secs(1);
        lane.dispatch.tick(lane.now, |_| true);
    }
    assert_eq!(lane.round(), [1, 1]);
}

/// The feeder then reads it again, and refuses it.
#[test]
fn a_buffered_call_with_more_legs_than_a_lowered_limit_is_dropped() {
    let mut lane = Lane::new(at_most(2));
    lane.feed(feed(vec![(queue(1), heavy(1, 1))]));
    assert!(lane.round().is_empty());
    lane.feed(feed(vec![(queue(1), calls(1, TRUNK, 1))]));
    assert!(lane.dispatch.buffered().len() == 1, "only the call with one leg is left");
    assert_eq!(lane.round(), [1]);
}
