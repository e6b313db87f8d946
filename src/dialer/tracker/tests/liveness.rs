//! Attempts in doubt, servers that are away, and an Asterisk that does not answer.

use super::*;
use crate::domain::attempt::DialStatus;

#[test]
fn an_attempt_in_doubt_is_unknown_and_a_note_says_what_is_known() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.see(Event::Newchannel(channel(&claim.channel_id, 0)));
    bench.tracker.connection_lost(bench.now, &mut bench.out);
    bench.snapshot(&[]);
    assert_eq!(end(&bench.out), None, "its channel may appear after the first snapshot");
    bench.snapshot(&[]);
    assert_eq!(end(&bench.out).map(|(outcome, _, again)| (outcome, again)), Some((Outcome::Unknown, false)));
    let told = told(&bench.out);
    assert!(told[0].1.contains("the last event of it was Newchannel at 1970-01-01T00:16:40Z"), "{told:?}");
}

/// Its Hangup was missed with the connection, and its permit must not be held for as long as a call may live.
#[test]
fn a_late_cdr_takes_no_dead_call_out_of_doubt() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.tracker.connection_lost(bench.now, &mut bench.out);
    bench.snapshot(&[]);
    bench.see(cdr(&claim.channel_id, Disposition::Answered, 8));
    bench.snapshot(&[]);
    assert_eq!(end(&bench.out), Some((Outcome::Answered, Some(8), false)));
}

#[test]
fn a_server_that_does_not_come_back_holds_its_calls_for_an_hour() {
    let mut bench = Bench::new();
    let (answered, begun) = (bench.begin(None), bench.begin(None));
    bench.answer(&answered);
    bench.pass(Duration::from_secs(8));
    let lost_at = bench.now.wall;
    bench.take();
    for _ in 0..59 {
        bench.tracker.connection_lost(bench.now, &mut bench.out);
        bench.pass(Duration::from_secs(60));
        bench.tracker.tick(bench.now, &mut bench.out);
    }
    assert_eq!((bench.tracker.len(), end(&bench.out)), (2, None));
    bench.pass(Duration::from_secs(60));
    bench.tracker.tick(bench.now, &mut bench.out);
    assert!(bench.tracker.is_empty());
    let mut ends: Vec<_> =
        bench.out.group.changes.iter().filter(|change| matches!(change.what, What::Ended { .. })).collect();
    ends.sort_by_key(|change| change.attempt);
    assert!(ends.iter().all(|change| change.at == lost_at), "nobody is billed for the time since: {ends:?}");
    let outcomes: Vec<_> = ends
        .iter()
        .map(|change| match &change.what {
            What::Ended { outcome, billable_seconds, .. } => (change.attempt, *outcome, *billable_seconds),
            what => panic!("{what:?}"),
        })
        .collect();
    let (answered, begun) = (answered.attempt, begun.attempt);
    assert_eq!(outcomes, [(answered, Outcome::Answered, Some(8)), (begun, Outcome::Unknown, None)]);
    assert!(told(&bench.out)[0].1.ends_with("its server was not reached for an hour after this"));
}

#[test]
fn a_server_that_is_seen_again_in_time_keeps_its_calls() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    for _ in 0..3 {
        bench.tracker.connection_lost(bench.now, &mut bench.out);
        bench.pass(Duration::from_secs(3_000));
        bench.snapshot(&[channel(&claim.channel_id, UP)]);
        bench.tracker.tick(bench.now, &mut bench.out);
    }
    assert_eq!((bench.tracker.len(), end(&bench.out)), (1, None));
}

#[test]
fn an_asterisk_that_answers_no_originate_gets_no_more() {
    let mut bench = Bench::new();
    let (first, second) = (bench.begin(None), bench.begin(None));
    bench.pass(Duration::from_millis(1_999));
    assert!(!bench.tracker.is_unresponsive(bench.now.instant));
    bench.pass(Duration::from_millis(1));
    assert!(bench.tracker.is_unresponsive(bench.now.instant));
    bench.tracker.response(first.attempt, true, "", bench.now, &mut bench.out);
    assert!(bench.tracker.is_unresponsive(bench.now.instant), "the second has no answer either");
    bench.see(Event::DialEnd { dest_uniqueid: second.channel_id.clone(), status: DialStatus::Busy });
    assert!(!bench.tracker.is_unresponsive(bench.now.instant), "an event of it is as good as an answer");
}
