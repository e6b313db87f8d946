//! Which seconds of a call are billed, and what a CDR proves.

use super::*;

#[test]
fn a_cdr_before_the_hangup_bills_the_call() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.pass(Duration::from_millis(7_900));
    bench.see(cdr(&claim.channel_id, Disposition::Answered, 8));
    bench.see(hangup(&claim.channel_id, 16));
    assert_eq!(end(&bench.out), Some((Outcome::Answered, Some(8), false)));
}

#[test]
fn a_late_cdr_corrects_the_seconds_and_reopens_nothing() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.pass(Duration::from_millis(7_900));
    bench.see(hangup(&claim.channel_id, 16));
    assert_eq!(end(&bench.take()), Some((Outcome::Answered, Some(7), false)));
    assert!(bench.tracker.is_empty(), "no permit is held for the CDR");
    bench.pass(Duration::from_secs(300));
    for _ in 0..2 {
        bench.see(cdr(&claim.channel_id, Disposition::Answered, 8));
    }
    let out = bench.take();
    assert_eq!((billed(&out), out.group.changes.len()), (Some(8), 1), "once, however often it comes");
}

#[test]
fn a_cdr_that_says_what_our_clock_says_changes_nothing() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.pass(Duration::from_millis(7_100));
    bench.see(hangup(&claim.channel_id, 16));
    bench.take();
    bench.see(cdr(&claim.channel_id, Disposition::Answered, 7));
    assert!(bench.take().group.changes.is_empty());
}

#[test]
fn a_cdr_of_an_answer_is_an_answer_if_every_other_sign_was_lost() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.see(Event::Newchannel(channel(&claim.channel_id, 0)));
    bench.see(hangup(&claim.channel_id, 16));
    bench.see(cdr(&claim.channel_id, Disposition::Answered, 3));
    assert_eq!(end(&bench.out), Some((Outcome::Answered, Some(3), false)));
}

#[test]
fn a_call_that_outlives_its_transferred_a_leg_is_billed_by_our_clock() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    let second = Channel { linkedid: claim.channel_id.clone(), ..channel("second", UP) };
    bench.see(Event::Newchannel(second));
    bench.pass(Duration::from_secs(10));
    bench.see(cdr(&claim.channel_id, Disposition::Answered, 10));
    bench.see(hangup(&claim.channel_id, 16));
    assert_eq!(end(&bench.out), None, "the second leg talks on");
    bench.pass(Duration::from_secs(20));
    bench.see(hangup("second", 16));
    assert_eq!(end(&bench.take()), Some((Outcome::Answered, Some(30), false)));
    bench.see(cdr(&claim.channel_id, Disposition::Answered, 10));
    assert_eq!(billed(&bench.out), None);
}

#[test]
fn an_answered_local_call_is_answered_though_its_response_says_failure() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.see(response(&claim, false, 3));
    bench.see(hangup(&claim.channel_id, 19));
    assert_eq!(end(&bench.out).map(|(outcome, ..)| outcome), Some(Outcome::Answered));
}
