//! What is said of a value that breaks each kind of rule.

use std::collections::BTreeMap;

use super::*;
use crate::domain::dial::text::EVALUATED;
use crate::pb;

/// The broken rules of a request, as `field: message`.
fn broken(request: &impl Check) -> Vec<String> {
    match check(request) {
        Ok(()) => Vec::new(),
        Err(Error::InvalidArgument(list)) => {
            list.into_iter().map(|one| format!("{}: {}", one.field, one.message)).collect()
        }
        Err(other) => panic!("{other:?}"),
    }
}

fn item() -> pb::QueueItem {
    let action = pb::OriginateAction { action: "Originate".into(), ..Default::default() };
    pb::QueueItem { asterisk_server_code: "server1".into(), action: Some(action), ..Default::default() }
}

fn batch(item: pb::QueueItem) -> pb::InsertBatchRequest {
    pb::InsertBatchRequest { batch_id: Some(1), data: vec![item], ..Default::default() }
}

#[test]
fn what_is_right_breaks_nothing() {
    assert_eq!(broken(&batch(item())), [""; 0]);
    assert_eq!(broken(&pb::ListQueuesRequest::default()), [""; 0]);
    assert_eq!(broken(&pb::ListServersRequest {}), [""; 0]);
}

#[test]
fn a_number_out_of_its_range_is_told_the_range_and_the_unit() {
    let rules = pb::SetQueueRulesRequest {
        queue_id: 0,
        priority: Some(10),
        weight: Some(0),
        calls_per_second: Some(f64::NAN),
        retry_rules: vec![pb::RetryRule {
            outcome: pb::CallOutcome::Busy.into(),
            delay: Some(604_801),
            backoff: Some(0.5),
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(
        broken(&rules),
        [
            "queue_id: required",
            "priority: must be 0 to 9",
            "weight: must be 1 to 100",
            "calls_per_second: must be above 0 and at most 10000",
            "retry_rules[0].delay: must be 0 to 604800 seconds",
            "retry_rules[0].backoff: must be 1 to 10",
        ]
    );
    let limits = pb::ClientLimits {
        requests_per_second: Some(f64::INFINITY),
        calls_per_second: Some(0.0),
        max_live_calls: Some(-1),
        ..Default::default()
    };
    let request = pb::UpdateClientRequest { client_id: 1, limits: Some(limits), ..Default::default() };
    assert_eq!(
        broken(&request),
        [
            "limits.requests_per_second: must be above 0",
            "limits.calls_per_second: must be above 0",
            "limits.max_live_calls: must be at least 1",
        ]
    );
}

#[test]
fn what_is_missing_is_required_at_any_depth() {
    let nothing = pb::InsertBatchRequest { data: vec![pb::QueueItem::default(), item()], ..Default::default() };
    assert_eq!(
        broken(&nothing),
        ["batch_id: required", "data[0].asterisk_server_code: required", "data[0].action: required"]
    );
    let mut unnamed = item();
    unnamed.action = Some(pb::OriginateAction::default());
    unnamed.retry_rules = vec![pb::RetryRule { jitter: Some(2.0), ..Default::default() }];
    assert_eq!(
        broken(&batch(unnamed)),
        ["data[0].retry_rules[0].jitter: must be 0 to 1", "data[0].retry_rules[0].outcome: required",]
    );
    assert_eq!(broken(&pb::SetKillSwitchRequest::default()), ["engaged: required"]);
}

#[test]
fn a_text_is_held_to_its_length_and_to_what_asterisk_reads_as_a_text() {
    let told = |project: &str| {
        let told = broken(&batch(pb::QueueItem { project: Some(project.to_owned()), ..item() }));
        told.iter().map(|one| one.strip_prefix("data[0].project: ").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(told(&"é".repeat(255)), [""; 0]);
    assert_eq!(told("costs $5, {not} a $(variable)"), [""; 0]);
    assert_eq!(told(""), ["must not be empty"]);
    assert_eq!(told(&"é".repeat(256)), ["has more than 255 characters"]);
    assert_eq!(told(&"x".repeat(981)), ["has more than 255 characters"], "the tighter limit is the one to name");
    assert_eq!(told(&"\u{10348}".repeat(250)), ["is 1000 bytes long; at most 980 are allowed"]);
    assert_eq!(told("a\nb"), ["must not contain CR, LF or NUL"]);
    assert_eq!(told("${EXTEN}"), ["must not contain `${` or `$[`"]);
    assert_eq!(told(&format!("$[1+1]{}", "x".repeat(255))), ["has more than 255 characters", EVALUATED]);
    let mut wide = item();
    wide.action.as_mut().unwrap().channel_id = Some("é".repeat(65));
    assert_eq!(broken(&batch(wide)), ["data[0].action.ChannelId: has more than 128 bytes"]);
}

#[test]
fn a_text_of_few_values_characters_or_digits_is_told_which() {
    let mut other = item();
    other.action.as_mut().unwrap().action = "Hangup".into();
    assert_eq!(broken(&batch(other)), ["data[0].action.Action: must be \"Originate\""]);
    let server = pb::CreateServerRequest { code: "a b".into(), ..Default::default() };
    assert_eq!(broken(&server)[0], "code: must be letters, digits, `.`, `_` and `-`");
    assert_eq!(broken(&pb::GetCallRequest { call_id: "7".into() }), ["call_id: must be a UUID"]);
    for (number, told) in [
        ("+49 (151) 23-45.6", vec![]),
        ("", vec!["number: required"]),
        ("12", vec!["number: must be 3 to 15 digits"]),
        ("1234567890123456", vec!["number: must be 3 to 15 digits"]),
        ("00123456789012345", vec![]),
        ("123x", vec!["number: must not contain letters, but contains `x`"]),
    ] {
        assert_eq!(broken(&pb::RemoveDoNotCallRequest { number: number.into(), client_id: None }), told, "{number}");
    }
}

#[test]
fn a_time_is_one_that_a_calendar_holds() {
    let time = |seconds, nanos| Some(pb::Timestamp { seconds, nanos });
    assert_eq!(
        broken(&pb::CreateKeyRequest { client_id: 1, expires_at: time(1, 999_999_999), ..Default::default() }),
        [""; 0]
    );
    assert_eq!(
        broken(&pb::CreateKeyRequest { client_id: 1, expires_at: time(1, -1), ..Default::default() }),
        ["expires_at: 1 s and -1 ns since 1970 are not a valid time"]
    );
}

#[test]
fn an_enum_takes_its_own_numbers_and_a_list_no_number_twice() {
    let request = pb::ListQueuesRequest { kind: Some(0), queue_status: Some(9), ..Default::default() };
    assert_eq!(
        broken(&request),
        ["kind: must be bulk or quick", "queue_status: must be in-progress, paused or completed"]
    );
    let rule = pb::RetryRule { outcome: pb::CallOutcome::Answered.into(), ..Default::default() };
    let ruled = pb::QueueItem { retry_rules: vec![rule], ..item() };
    assert_eq!(
        broken(&batch(ruled)),
        ["data[0].retry_rules[0].outcome: must be busy, no-answer, congestion or failed"]
    );
    let window = pb::CallingWindow { days: vec![1, 8, 1], from: "09:00".into(), to: "10:00".into() };
    let windows = pb::CallingWindows { windows: vec![window], ..Default::default() };
    let request = pb::SetQueueRulesRequest { queue_id: 1, windows: Some(windows), ..Default::default() };
    assert_eq!(
        broken(&request),
        [
            "windows.windows[0].days[1]: must be monday, tuesday, wednesday, thursday, friday, saturday or sunday",
            "windows.windows[0].days[2]: is there already",
        ]
    );
}

#[test]
fn a_list_is_told_how_many_it_may_hold_and_its_elements_are_checked_each() {
    for (count, told) in
        [(0, "data: must hold 1 to 1000 items, and holds 0"), (1001, "data: must hold 1 to 1000 items, and holds 1001")]
    {
        let request = pb::InsertBatchRequest {
            batch_id: Some(1),
            data: vec![pb::QueueItem::default(); count],
            ..Default::default()
        };
        assert_eq!(broken(&request), [told]);
    }
    let request = pb::SetPlatformPolicyRequest {
        denied_prefixes: vec!["+44".into(), String::new(), "sip".into()],
        ..Default::default()
    };
    assert_eq!(
        broken(&request),
        [
            "denied_prefixes[1]: must be 1 to 15 digits",
            "denied_prefixes[2]: must not contain letters, but contains `s`"
        ]
    );
    let request = pb::SetPlatformPolicyRequest { denied_prefixes: vec!["sip".into(); 10_001], ..Default::default() };
    assert_eq!(broken(&request), ["denied_prefixes: must hold at most 10000 items, and holds 10001"]);
}

#[test]
fn the_values_of_a_map_are_checked_at_their_names() {
    let mut named = item();
    let variables = [("A", "1"), ("B", "a\rb"), ("C", ""), ("D", "${X}")];
    named.action.as_mut().unwrap().variables =
        BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(
        broken(&batch(named)),
        [
            "data[0].action.variables.B: must not contain CR, LF or NUL",
            "data[0].action.variables.D: must not contain `${` or `$[`",
        ]
    );
}

#[test]
fn the_parts_of_a_oneof_are_checked_at_their_own_paths() {
    let begin = pb::StreamBegin { queue_id: Some(0), ..Default::default() };
    let part = Some(pb::stream_items_request::Part::Begin(begin));
    assert_eq!(
        broken(&pb::StreamItemsRequest { part }),
        ["begin.stream_id: required", "begin.queue_id: must be at least 1"]
    );
}

#[test]
fn checking_stops_at_fifty_violations() {
    let request = pb::InsertBatchRequest {
        batch_id: Some(1),
        data: vec![pb::QueueItem { retry: -1, contact_number: Some(-1), ..item() }; 1000],
        ..Default::default()
    };
    let told = broken(&request);
    assert_eq!((told.len(), told[49].as_str()), (50, "data[24].contact_number: must be 0 to 1000000000000000"));
}
