//! Clients' own channel ids that another call may have.

use super::*;

#[test]
fn a_channel_id_that_another_call_has_makes_the_call_wait() {
    let mut bench = Bench::new();
    let claim = bench.begin(Some("channel-12"));
    // Another call's events, under what would be our id.
    bench.see(Event::Newstate(channel("channel-12", UP)));
    bench.see(response(&claim, false, 0));
    assert!(bench.take().group.changes.is_empty());
    bench.pass_and_end_graces(Duration::from_millis(500));
    assert!(bench.take().request_snapshot, "only the live channels can tell");
    bench.snapshot(&[channel("channel-1234", UP)]);
    let out = bench.take();
    assert!(out.group.changes.is_empty(), "it has not failed");
    assert_eq!(out.group.withdrawn[0].claim.attempt, claim.attempt);
    assert_eq!(out.group.withdrawn[0].due, Some(bench.now.wall.plus(Duration::from_secs(5))));
    assert!(bench.tracker.is_empty());
}

#[test]
fn a_channel_id_that_is_freed_before_the_snapshot_makes_the_call_wait_too() {
    let mut bench = Bench::new();
    let claim = bench.begin(Some("channel-12"));
    bench.see(response(&claim, false, 0));
    bench.see(hangup("channel-1234", 16));
    assert_eq!(bench.out.group.withdrawn.len(), 1);
}

#[test]
fn a_refusal_for_another_reason_fails_the_call() {
    let mut bench = Bench::new();
    let claim = bench.begin(Some("channel-12"));
    bench.see(response(&claim, false, 0));
    bench.pass_and_end_graces(Duration::from_millis(500));
    bench.snapshot(&[channel("unlike", UP)]);
    assert_eq!(end(&bench.out).map(|(outcome, ..)| outcome), Some(Outcome::Failed));
    assert!(bench.out.group.withdrawn.is_empty());
}

#[test]
fn a_response_that_overtakes_a_clients_own_channel_is_believed_when_that_appears() {
    let mut bench = Bench::new();
    let claim = bench.begin(Some("channel-12"));
    bench.see(response(&claim, false, 0));
    bench.see(Event::Newchannel(channel("channel-12", 0)));
    bench.see(hangup("channel-12", 1));
    assert_eq!(end(&bench.out).map(|(outcome, ..)| outcome), Some(Outcome::Unallocated));
}
