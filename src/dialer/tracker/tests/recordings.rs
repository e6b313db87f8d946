//! Tests when MixMonitor recordings start, stop and fail.

use super::*;

#[test]
fn a_recording_begins_with_the_answer_and_ends_with_its_channel() {
    let mut bench = Bench::new();
    let claim = bench.begin_with(None, Some("/recordings/a.wav"));
    // The response overtakes everything else, so that the channel's name comes with it.
    bench.see(response(&claim, true, 4));
    let out = bench.take();
    assert_eq!(out.recordings.len(), 1);
    assert_eq!(out.recordings[0].1, format!("PJSIP/{}", claim.channel_id));
    bench.see(Event::Newstate(channel(&claim.channel_id, UP)));
    assert!(bench.take().recordings.is_empty(), "once");
    let started = EventKind::RecordingStarted;
    let answer = Ok("/recordings/a.wav".into());
    bench.tracker.mixmonitor_result(claim.attempt, answer, bench.now, &mut bench.out);
    bench.see(hangup(&claim.channel_id, 16));
    let out = bench.take();
    let path = "/recordings/a.wav";
    assert_eq!(told(&out), [(started, path), (EventKind::RecordingStopped, path)]);
    assert_eq!(end(&out).map(|(outcome, ..)| outcome), Some(Outcome::Answered));
}

#[test]
fn a_recording_that_fails_is_an_event_and_the_call_goes_on() {
    let mut bench = Bench::new();
    let claim = bench.begin_with(None, Some("/recordings/a.wav"));
    bench.answer(&claim);
    bench.take();
    let failed = EventKind::RecordingFailed;
    let answer = Err("Permission denied".into());
    bench.tracker.mixmonitor_result(claim.attempt, answer, bench.now, &mut bench.out);
    assert_eq!(told(&bench.take()), [(failed, "Permission denied")]);
    assert_eq!(bench.tracker.len(), 1);
    bench.see(hangup(&claim.channel_id, 16));
    assert!(told(&bench.out).is_empty(), "what never ran does not stop");
}

#[test]
fn an_answered_call_is_recorded_when_a_crash_kept_it_from_that_and_not_twice() {
    for (begun, recordings) in [(false, 1), (true, 0)] {
        let mut bench = Bench::new();
        let claim = claim(CallId::new(), 1, None);
        let known = Resumed { answered_at: Some(Millis(1)), recording_begun: begun, ..Resumed::default() };
        bench.resume(&claim, Some("/recordings/a.wav"), known);
        bench.snapshot(&[channel(&claim.channel_id, UP)]);
        assert_eq!(bench.take().recordings.len(), recordings);
        bench.see(hangup(&claim.channel_id, 16));
        let stopped = told(&bench.out).iter().filter(|(kind, _)| *kind == EventKind::RecordingStopped).count();
        assert_eq!(stopped, usize::from(begun), "what runs since before the crash stops too");
    }
}
