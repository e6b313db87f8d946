//! What a lane makes of what Asterisk says, case by case.

use super::*;
use crate::ami::Event;
use crate::ami::event::{Channel, RINGING, UP};
use crate::domain::cdr::{Cdr, Disposition};
use crate::domain::commit::{CallRef, Checks};
use crate::domain::outcome::DialStatus;
use crate::domain::status::Outcome;

/// A tracker under a clock that only tests move.
pub(super) struct Bench {
    pub tracker: Tracker,
    pub now: Now,
    pub out: Output,
}

impl Bench {
    pub(super) fn new() -> Self {
        let now = Now { wall: Millis(1_000_000), instant: Instant::now() };
        Self { tracker: Tracker::default(), now, out: Output::default() }
    }

    /// Begins a try of a new call, with the client's own channel id or one made here.
    fn begin(&mut self, own: Option<&str>) -> Claim {
        self.begin_with(own, None)
    }

    fn begin_with(&mut self, own: Option<&str>, recording: Option<&str>) -> Claim {
        let live = live(CallId::new(), 1, own, recording);
        let claim = live.claim.clone();
        self.tracker.begin(claim.attempt, live, self.now);
        claim
    }

    fn see(&mut self, event: Event) {
        self.tracker.event(event, self.now, &mut self.out);
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = Now { wall: self.now.wall.plus(time), instant: self.now.instant + time };
    }

    fn pass_and_end_graces(&mut self, time: Duration) {
        self.pass(time);
        self.tracker.end_graces(self.now, &mut self.out);
    }

    fn look(&mut self, channels: &[Channel]) {
        self.tracker.reconcile(channels, self.now, &mut self.out);
    }

    fn taken(&mut self) -> Output {
        std::mem::take(&mut self.out)
    }

    fn answer(&mut self, claim: &Claim) {
        self.see(Event::Newchannel(channel(&claim.channel_id, 0)));
        self.see(Event::Newstate(channel(&claim.channel_id, UP)));
    }
}

pub(super) fn live(call: CallId, number: i32, own: Option<&str>, recording: Option<&str>) -> Live {
    let attempt = AttemptId::new();
    let claim = Claim {
        call: CallRef { id: call, client_id: 7, queue_id: 1 },
        from: CallStatus::Queued,
        attempt,
        number,
        channel_id: ids::channel_id(own, attempt, number),
        at: Millis(1_000_000),
        checks: Checks::default(),
    };
    let recording = recording.map(|path| Recording { path: path.into(), options: None, command: None });
    let timeout = Duration::from_secs(30);
    Live {
        claim,
        max_retries: 3,
        retry_rules: Vec::new(),
        tally: Tally::default(),
        recording,
        recording_begun: false,
        timeout,
        attempt: Attempt::new(),
        permits: Permits::default(),
    }
}

pub(super) fn channel(uniqueid: &str, state: u8) -> Channel {
    Channel { name: format!("PJSIP/{uniqueid}"), uniqueid: uniqueid.into(), linkedid: uniqueid.into(), state }
}

pub(super) fn hangup(uniqueid: &str, cause: u8) -> Event {
    Event::Hangup { uniqueid: uniqueid.into(), linkedid: uniqueid.into(), cause }
}

pub(super) fn response(claim: &Claim, success: bool, reason: u8) -> Event {
    let (action_id, uniqueid) = (claim.attempt.to_string(), claim.channel_id.clone());
    Event::OriginateResponse { action_id, channel: format!("PJSIP/{uniqueid}"), uniqueid, success, reason }
}

pub(super) fn record(uniqueid: &str, disposition: Disposition, seconds: i32) -> Event {
    let ended = Some(5_000 + i64::from(seconds));
    let record = Cdr { disposition, billable_seconds: seconds, answered: Some(5_000), ended };
    Event::Cdr { uniqueid: uniqueid.into(), record }
}

fn report(uniqueid: &str, headers: &[(&str, &str)]) -> Event {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Event::UserEvent { uniqueid: uniqueid.into(), linkedid: uniqueid.into(), headers }
}

/// Outcome, billable seconds, and whether a further try follows.
fn end(out: &Output) -> Option<(Outcome, Option<i32>, bool)> {
    out.changes.iter().find_map(|change| match &change.what {
        What::Ended { outcome, billable_seconds, next_try, .. } => {
            Some((*outcome, *billable_seconds, next_try.is_some()))
        }
        _ => None,
    })
}

fn told(out: &Output) -> Vec<(EventKind, &str)> {
    let mut told = Vec::new();
    for change in &out.changes {
        if let What::Told { kind, detail, .. } = &change.what {
            told.push((*kind, detail.as_deref().unwrap_or_default()));
        }
    }
    told
}

fn billed(out: &Output) -> Option<i32> {
    out.changes.iter().find_map(|change| match change.what {
        What::Billed { seconds } => Some(seconds),
        _ => None,
    })
}

#[test]
fn a_record_ahead_of_the_hangup_bills_the_call() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.pass(Duration::from_millis(7_900));
    bench.see(record(&claim.channel_id, Disposition::Answered, 8));
    bench.see(hangup(&claim.channel_id, 16));
    assert_eq!(end(&bench.out), Some((Outcome::Answered, Some(8), false)));
}

#[test]
fn a_late_record_corrects_the_seconds_and_reopens_nothing() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.pass(Duration::from_millis(7_900));
    bench.see(hangup(&claim.channel_id, 16));
    assert_eq!(end(&bench.taken()), Some((Outcome::Answered, Some(7), false)));
    assert!(bench.tracker.is_empty(), "no permit is held for the record");
    bench.pass(Duration::from_secs(300));
    for _ in 0..2 {
        bench.see(record(&claim.channel_id, Disposition::Answered, 8));
    }
    let out = bench.taken();
    assert_eq!((billed(&out), out.changes.len()), (Some(8), 1), "once, however often it comes");
}

#[test]
fn a_record_that_says_what_we_say_changes_nothing() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.pass(Duration::from_millis(7_100));
    bench.see(hangup(&claim.channel_id, 16));
    bench.taken();
    bench.see(record(&claim.channel_id, Disposition::Answered, 7));
    assert!(bench.taken().changes.is_empty());
}

#[test]
fn a_record_of_an_answer_is_an_answer_where_every_other_sign_was_lost() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.see(Event::Newchannel(channel(&claim.channel_id, 0)));
    bench.see(hangup(&claim.channel_id, 16));
    bench.see(record(&claim.channel_id, Disposition::Answered, 3));
    assert_eq!(end(&bench.out), Some((Outcome::Answered, Some(3), false)));
}

#[test]
fn a_call_that_outlives_its_transferred_first_leg_is_billed_by_our_clock() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    let second = Channel { linkedid: claim.channel_id.clone(), ..channel("second", UP) };
    bench.see(Event::Newchannel(second));
    bench.pass(Duration::from_secs(10));
    bench.see(record(&claim.channel_id, Disposition::Answered, 10));
    bench.see(hangup(&claim.channel_id, 16));
    assert_eq!(end(&bench.out), None, "the second leg talks on");
    bench.pass(Duration::from_secs(20));
    bench.see(hangup("second", 16));
    assert_eq!(end(&bench.taken()), Some((Outcome::Answered, Some(30), false)));
    bench.see(record(&claim.channel_id, Disposition::Answered, 10));
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

#[test]
fn a_report_of_the_dialplan_is_a_note_on_its_call() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.taken();
    let id = claim.call.id.to_string();
    bench.see(report("elsewhere", &[("CallId", &id), ("Note", "pressed"), ("Digit", "5")]));
    bench.see(report(&claim.channel_id, &[("Note", "of its channel")]));
    let out = bench.taken();
    assert_eq!(told(&out), [(EventKind::Note, "Note: pressed; Digit: 5"), (EventKind::Note, "Note: of its channel")]);
}

#[test]
fn a_report_about_a_call_that_is_not_live_goes_to_the_store() {
    let mut bench = Bench::new();
    let call = CallId::new();
    bench.see(report("elsewhere", &[("callid", &call.to_string()), ("Note", "late")]));
    assert_eq!(bench.out.notes.len(), 1);
    assert_eq!((bench.out.notes[0].call, bench.out.notes[0].client_id), (call, None));
    assert_eq!(bench.out.notes[0].text, "Note: late");
    bench.taken();
    bench.see(report("elsewhere", &[("CallId", "no id")]));
    bench.see(report("elsewhere", &[("Note", "of no call")]));
    assert!(bench.out.notes.is_empty() && bench.out.changes.is_empty());
}

#[test]
fn a_channel_reports_nothing_about_another_clients_call() {
    let mut bench = Bench::new();
    let (mine, mut theirs) = (bench.begin(None), live(CallId::new(), 1, None, None));
    theirs.claim.call.client_id = 8;
    let call = theirs.claim.call.id.to_string();
    bench.tracker.begin(theirs.claim.attempt, theirs, bench.now);
    bench.answer(&mine);
    bench.taken();
    bench.see(report(&mine.channel_id, &[("CallId", &call), ("Note", "x")]));
    assert!(told(&bench.out).is_empty());
}

#[test]
fn a_dialplan_that_loops_leaves_a_hundred_notes_and_no_more() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.taken();
    for _ in 0..250 {
        bench.see(report(&claim.channel_id, &[("Note", "again")]));
    }
    assert_eq!(told(&bench.out).len(), 100);
}

#[test]
fn a_wish_hangs_up_at_once_and_again_until_the_call_is_gone() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.see(Event::Newchannel(channel(&claim.channel_id, 0)));
    assert!(bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out));
    assert_eq!(bench.taken().hangups, [format!("PJSIP/{}", claim.channel_id)]);
    assert!(bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out), "it is read again");
    assert!(bench.taken().hangups.is_empty());
    bench.pass(Duration::from_secs(2));
    bench.tracker.tick(bench.now, &mut bench.out);
    assert_eq!(bench.taken().hangups.len(), 1);
    bench.see(hangup(&claim.channel_id, 16));
    bench.see(response(&claim, false, 1));
    let out = bench.taken();
    assert_eq!(end(&out), Some((Outcome::Canceled, None, false)), "a canceled call is not tried again");
    assert_eq!(out.settled, [claim.call.id]);
}

#[test]
fn a_wish_ahead_of_its_channel_hangs_up_when_that_appears() {
    let mut bench = Bench::new();
    let claim = bench.begin(Some("channel-1"));
    assert!(bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out));
    assert!(bench.taken().hangups.is_empty(), "a client's own id may be the beginning of another call's");
    bench.see(Event::Newchannel(channel("channel-1", 0)));
    assert_eq!(bench.taken().hangups, ["PJSIP/channel-1"]);
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
fn a_call_whose_first_leg_was_transferred_away_is_hung_up_by_its_other_legs() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.see(Event::Newchannel(Channel { linkedid: claim.channel_id.clone(), ..channel("second", UP) }));
    bench.see(hangup(&claim.channel_id, 16));
    bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out);
    assert_eq!(bench.out.hangups, ["PJSIP/second"]);
}

#[test]
fn a_recording_begins_with_the_answer_and_ends_with_its_channel() {
    let mut bench = Bench::new();
    let claim = bench.begin_with(None, Some("/recordings/a.wav"));
    // The response overtakes everything else, so that the channel's name comes with it.
    bench.see(response(&claim, true, 4));
    let out = bench.taken();
    assert_eq!(out.recordings.len(), 1);
    assert_eq!(out.recordings[0].1, format!("PJSIP/{}", claim.channel_id));
    bench.see(Event::Newstate(channel(&claim.channel_id, UP)));
    assert!(bench.taken().recordings.is_empty(), "once");
    let started = EventKind::RecordingStarted;
    bench.tracker.mixmonitor_result(claim.attempt, started, "/recordings/a.wav".into(), bench.now, &mut bench.out);
    bench.see(hangup(&claim.channel_id, 16));
    let out = bench.taken();
    let path = "/recordings/a.wav";
    assert_eq!(told(&out), [(started, path), (EventKind::RecordingStopped, path)]);
    assert_eq!(end(&out).map(|(outcome, ..)| outcome), Some(Outcome::Answered));
}

#[test]
fn a_recording_that_fails_is_told_and_the_call_goes_on() {
    let mut bench = Bench::new();
    let claim = bench.begin_with(None, Some("/recordings/a.wav"));
    bench.answer(&claim);
    bench.taken();
    let failed = EventKind::RecordingFailed;
    bench.tracker.mixmonitor_result(claim.attempt, failed, "Permission denied".into(), bench.now, &mut bench.out);
    assert_eq!(told(&bench.taken()), [(failed, "Permission denied")]);
    assert_eq!(bench.tracker.len(), 1);
    bench.see(hangup(&claim.channel_id, 16));
    assert!(told(&bench.out).is_empty(), "what never ran does not stop");
}

#[test]
fn a_channel_id_that_another_call_has_makes_the_call_wait() {
    let mut bench = Bench::new();
    let claim = bench.begin(Some("channel-12"));
    // Another call's events, under what would be our id.
    bench.see(Event::Newstate(channel("channel-12", UP)));
    bench.see(response(&claim, false, 0));
    assert!(bench.taken().changes.is_empty());
    bench.pass_and_end_graces(Duration::from_millis(500));
    assert!(bench.taken().request_snapshot, "only the live channels can tell");
    bench.look(&[channel("channel-1234", UP)]);
    let out = bench.taken();
    assert!(out.changes.is_empty(), "it has not failed");
    assert_eq!(out.withdrawn[0].claim.attempt, claim.attempt);
    assert_eq!(out.withdrawn[0].due, Some(bench.now.wall.plus(Duration::from_secs(5))));
    assert!(bench.tracker.is_empty());
}

#[test]
fn a_channel_id_that_is_freed_while_we_look_makes_the_call_wait_too() {
    let mut bench = Bench::new();
    let claim = bench.begin(Some("channel-12"));
    bench.see(response(&claim, false, 0));
    bench.see(hangup("channel-1234", 16));
    assert_eq!(bench.out.withdrawn.len(), 1);
}

#[test]
fn a_refusal_for_another_reason_fails_the_call() {
    let mut bench = Bench::new();
    let claim = bench.begin(Some("channel-12"));
    bench.see(response(&claim, false, 0));
    bench.pass_and_end_graces(Duration::from_millis(500));
    bench.look(&[channel("unlike", UP)]);
    assert_eq!(end(&bench.out).map(|(outcome, ..)| outcome), Some(Outcome::Failed));
    assert!(bench.out.withdrawn.is_empty());
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

#[test]
fn one_in_doubt_is_unknown_with_the_evidence_beside_it() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.see(Event::Newchannel(channel(&claim.channel_id, 0)));
    bench.tracker.connection_lost(bench.now);
    bench.look(&[]);
    assert_eq!(end(&bench.out), None, "its channel may appear behind the first look");
    bench.look(&[]);
    assert_eq!(end(&bench.out).map(|(outcome, _, again)| (outcome, again)), Some((Outcome::Unknown, false)));
    let told = told(&bench.out);
    assert!(told[0].1.contains("the last event of it was Newchannel at 1970-01-01T00:16:40Z"), "{told:?}");
}

/// Its Hangup was missed with the connection, and its permit must not be held for as long as a call may live.
#[test]
fn a_late_call_record_takes_no_dead_call_out_of_doubt() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.tracker.connection_lost(bench.now);
    bench.look(&[]);
    bench.see(record(&claim.channel_id, Disposition::Answered, 8));
    bench.look(&[]);
    assert_eq!(end(&bench.out), Some((Outcome::Answered, Some(8), false)));
}

#[test]
fn a_server_that_does_not_come_back_holds_its_calls_for_an_hour() {
    let mut bench = Bench::new();
    let (answered, begun) = (bench.begin(None), bench.begin(None));
    bench.answer(&answered);
    bench.pass(Duration::from_secs(8));
    let lost_at = bench.now.wall;
    bench.taken();
    for _ in 0..59 {
        bench.tracker.connection_lost(bench.now);
        bench.pass(Duration::from_secs(60));
        bench.tracker.tick(bench.now, &mut bench.out);
    }
    assert_eq!((bench.tracker.len(), end(&bench.out)), (2, None));
    bench.pass(Duration::from_secs(60));
    bench.tracker.tick(bench.now, &mut bench.out);
    assert!(bench.tracker.is_empty());
    let mut ends: Vec<_> =
        bench.out.changes.iter().filter(|change| matches!(change.what, What::Ended { .. })).collect();
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
        bench.tracker.connection_lost(bench.now);
        bench.pass(Duration::from_secs(3_000));
        bench.look(&[channel(&claim.channel_id, UP)]);
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

#[test]
fn a_wish_from_before_a_crash_hangs_up_what_the_first_look_finds() {
    let mut bench = Bench::new();
    let live = live(CallId::new(), 1, Some("channel-1"), None);
    let claim = live.claim.clone();
    bench.tracker.resume(claim.attempt, live, bench.now);
    bench.tracker.request_end(claim.call.id, bench.now, &mut bench.out);
    assert!(bench.taken().hangups.is_empty());
    bench.look(&[channel("channel-1", RINGING)]);
    assert_eq!(bench.taken().hangups, ["PJSIP/channel-1"]);
}

#[test]
fn an_answered_call_is_recorded_when_a_crash_kept_it_from_that_and_not_twice() {
    for (begun, recordings) in [(false, 1), (true, 0)] {
        let mut bench = Bench::new();
        let attempt = Attempt::resumed(None, Some(Millis(1)));
        let live = Live { recording_begun: begun, attempt, ..live(CallId::new(), 1, None, Some("/recordings/a.wav")) };
        let claim = live.claim.clone();
        bench.tracker.resume(claim.attempt, live, bench.now);
        bench.look(&[channel(&claim.channel_id, UP)]);
        assert_eq!(bench.taken().recordings.len(), recordings);
        bench.see(hangup(&claim.channel_id, 16));
        let stopped = told(&bench.out).iter().filter(|(kind, _)| *kind == EventKind::RecordingStopped).count();
        assert_eq!(stopped, usize::from(begun), "what runs since before the crash stops too");
    }
}
