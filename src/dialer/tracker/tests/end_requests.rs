//! Clients' requests to end live calls.

use super::*;
use crate::ami::event::RINGING;

#[test]
fn a_request_hangs_up_at_once_and_again_until_the_call_is_gone() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.see(Event::Newchannel(channel(&claim.channel_id, 0)));
    assert!(bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out));
    assert_eq!(bench.take().hangups, [format!("PJSIP/{}", claim.channel_id)]);
    assert!(bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out), "it is read again");
    assert!(bench.take().hangups.is_empty());
    bench.pass(Duration::from_secs(2));
    bench.tracker.tick(bench.now, &mut bench.out);
    assert_eq!(bench.take().hangups.len(), 1);
    bench.see(hangup(&claim.channel_id, 16));
    bench.see(response(&claim, false, 1));
    let out = bench.take();
    assert_eq!(end(&out), Some((Outcome::Canceled, None, false)), "a canceled call is not tried again");
    assert_eq!(out.group.settled, [claim.call.id]);
}

#[test]
fn a_request_before_its_channel_hangs_up_when_that_appears() {
    let mut bench = Bench::new();
    let claim = bench.begin(Some("channel-1"));
    assert!(bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out));
    assert!(bench.take().hangups.is_empty(), "a client's own id may be the beginning of another call's");
    bench.see(Event::Newchannel(channel("channel-1", 0)));
    assert_eq!(bench.take().hangups, ["PJSIP/channel-1"]);
}

#[test]
fn an_answered_call_that_is_hung_up_ends_answered() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out);
    bench.see(hangup(&claim.channel_id, 16));
    assert_eq!(end(&bench.out).map(|(outcome, _, again)| (outcome, again)), Some((Outcome::Answered, false)));
}

#[test]
fn a_call_whose_a_leg_was_transferred_away_is_hung_up_by_its_other_legs() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.see(Event::Newchannel(Channel { linkedid: claim.channel_id.clone(), ..channel("second", UP) }));
    bench.see(hangup(&claim.channel_id, 16));
    bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out);
    assert_eq!(bench.out.hangups, ["PJSIP/second"]);
}

#[test]
fn a_request_from_before_a_crash_hangs_up_what_the_first_snapshot_finds() {
    let mut bench = Bench::new();
    let claim = claim(CallId::new(), 1, Some("channel-1"));
    bench.resume(&claim, None, Resumed::default());
    bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out);
    assert!(bench.take().hangups.is_empty());
    bench.snapshot(&[channel("channel-1", RINGING)]);
    assert_eq!(bench.take().hangups, ["PJSIP/channel-1"]);
}
