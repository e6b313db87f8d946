//! Reports of the dialplan.

use super::*;

#[test]
fn a_report_of_the_dialplan_is_a_note_on_its_call() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.take();
    let id = claim.call.id.to_string();
    bench.see(report("elsewhere", &[("CallId", &id), ("Note", "pressed"), ("Digit", "5")]));
    bench.see(report(&claim.channel_id, &[("Note", "of its channel")]));
    let out = bench.take();
    assert_eq!(told(&out), [(EventKind::Note, "Note: pressed; Digit: 5"), (EventKind::Note, "Note: of its channel")]);
}

#[test]
fn a_report_about_a_call_that_is_not_live_goes_to_the_store() {
    let mut bench = Bench::new();
    let call = CallId::new();
    bench.see(report("elsewhere", &[("callid", &call.to_string()), ("Note", "late")]));
    assert_eq!(bench.out.group.notes.len(), 1);
    assert_eq!((bench.out.group.notes[0].call, bench.out.group.notes[0].client_id), (call, None));
    assert_eq!(bench.out.group.notes[0].text, "Note: late");
    bench.take();
    bench.see(report("elsewhere", &[("CallId", "no id")]));
    bench.see(report("elsewhere", &[("Note", "of no call")]));
    assert!(bench.out.group.notes.is_empty() && bench.out.group.changes.is_empty());
}

#[test]
fn a_channel_reports_nothing_about_another_clients_call() {
    let mut bench = Bench::new();
    let (mine, mut theirs) = (bench.begin(None), claim(CallId::new(), 1, None));
    theirs.call.client_id = 8;
    let call = theirs.call.id.to_string();
    bench.tracker.begin(live(begun(theirs, None, bench.now)), bench.now);
    bench.answer(&mine);
    bench.take();
    bench.see(report(&mine.channel_id, &[("CallId", &call), ("Note", "x")]));
    assert!(told(&bench.out).is_empty());
}

#[test]
fn a_dialplan_that_loops_leaves_a_hundred_notes_and_no_more() {
    let mut bench = Bench::new();
    let claim = bench.begin(None);
    bench.answer(&claim);
    bench.take();
    for _ in 0..250 {
        bench.see(report(&claim.channel_id, &[("Note", "again")]));
    }
    assert_eq!(told(&bench.out).len(), 100);
}
