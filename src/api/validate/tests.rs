//! What a request makes of a call's spec.

use std::collections::{BTreeMap, HashMap};

use super::{Rules, ServerRules, batch, quick};
use crate::api::Error;
use crate::domain::did::DidPolicy;
use crate::domain::limits::{ClientLimits, Limits};
use crate::domain::originate::{OriginateSpec, Target};
use crate::domain::policy::Policy;
use crate::domain::time::Millis;
use crate::pb::{CreateQuickCallRequest, InsertBatchRequest, OriginateAction, QueueItem};
use crate::store::clients::Client;

fn rules() -> Rules {
    let client = Client {
        id: 1,
        name: "tests".to_owned(),
        account_code: "acme".to_owned(),
        disabled: false,
        limits: "{}".to_owned(),
        policy: "{}".to_owned(),
        created_at: 0,
        updated_at: 0,
    };
    let server = ServerRules {
        dial_template: "PJSIP/{number}@endpoint1".to_owned(),
        recording_dirs: vec!["/recordings".to_owned()],
        ..ServerRules::default()
    };
    let servers = HashMap::from([("server1".to_owned(), server)]);
    let (limits, queue) = (ClientLimits::default(), Limits::default());
    Rules { client, policy: Policy::default(), limits, servers, queue }
}

fn action() -> OriginateAction {
    OriginateAction {
        action: "Originate".to_owned(),
        channel: Some("PJSIP/1@endpoint1".to_owned()),
        application: Some("Wait".to_owned()),
        data: Some("1".to_owned()),
        ..OriginateAction::default()
    }
}

fn spec_of(item: QueueItem, dids: &[&str]) -> OriginateSpec {
    let dids = dids.iter().map(|did| (*did).to_owned()).collect();
    let item = QueueItem { asterisk_server_code: "server1".to_owned(), ..item };
    let request = InsertBatchRequest { batch_id: Some(1), dids, data: vec![item], ..InsertBatchRequest::default() };
    batch::batch(&request, &rules(), Vec::new(), Millis::now()).unwrap().calls.remove(0).spec
}

#[test]
fn the_caller_id_is_the_actions_else_the_items_else_the_next_did() {
    let with = |own: Option<&str>, items: Option<&str>| {
        let action = OriginateAction { caller_id: own.map(str::to_owned), ..action() };
        let item = QueueItem { action: Some(action), caller_id: items.map(str::to_owned), ..QueueItem::default() };
        spec_of(item, &["+3"]).caller_id.unwrap()
    };
    assert_eq!(with(Some("A <1>"), Some("B <2>")), "A <1>");
    assert_eq!(with(None, Some("B <2>")), "B <2>");
    assert_eq!(with(None, None), "+3");
}

#[test]
fn variables_come_as_the_guides_text_or_as_an_object_which_wins() {
    let object = BTreeMap::from([("B".to_owned(), "own, with a comma".to_owned())]);
    let action = OriginateAction { variable: Some("A=1,B=2".to_owned()), variables: object, ..action() };
    let spec = spec_of(QueueItem { action: Some(action), ..QueueItem::default() }, &[]);
    let expected = [("A", "1"), ("B", "own, with a comma")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(spec.variables, BTreeMap::from(expected));
}

#[test]
fn a_quick_call_makes_its_caller_id_and_its_second_leg_of_its_own_fields() {
    let request = CreateQuickCallRequest {
        asterisk_server_code: "server1".to_owned(),
        customer_name: "John Doe".to_owned(),
        number1: Some("123".to_owned()),
        number2: Some("456".to_owned()),
        did: Some("+789".to_owned()),
        action: Some(OriginateAction {
            action: "Originate".to_owned(),
            application: Some("Dial".to_owned()),
            ..OriginateAction::default()
        }),
        ..CreateQuickCallRequest::default()
    };
    let spec = quick::quick_call(&request, None, &rules(), Millis(0)).unwrap().call.spec;
    let dial = Target::Application { name: "Dial".to_owned(), data: "PJSIP/456@endpoint1,30".to_owned() };
    assert_eq!((spec.channel.as_str(), spec.target), ("PJSIP/123@endpoint1", dial));
    assert_eq!(spec.caller_id.as_deref(), Some("\"John Doe\" <+789>"));
    assert!(spec.recording.is_some(), "quick calls are recorded unless they say otherwise");
}

fn broken<T>(result: Result<T, Error>) -> Vec<String> {
    match result {
        Err(Error::InvalidArgument(list) | Error::PermissionDenied(list)) => {
            list.into_iter().map(|broken| broken.field).collect()
        }
        Err(other) => panic!("{other:?}"),
        Ok(_) => Vec::new(),
    }
}

fn broken_item(item: QueueItem, dids: &[&str], rules: &Rules) -> Vec<String> {
    let dids = dids.iter().map(|did| (*did).to_owned()).collect();
    let request = InsertBatchRequest { batch_id: Some(1), dids, data: vec![item], ..InsertBatchRequest::default() };
    broken(batch::batch(&request, rules, Vec::new(), Millis::now()))
}

fn item(action: OriginateAction) -> QueueItem {
    QueueItem { asterisk_server_code: "server1".to_owned(), action: Some(action), ..QueueItem::default() }
}

fn quick(number1: &str, number2: &str) -> CreateQuickCallRequest {
    CreateQuickCallRequest {
        asterisk_server_code: "server1".to_owned(),
        customer_name: "Ada".to_owned(),
        number1: Some(number1.to_owned()),
        number2: Some(number2.to_owned()),
        did: None,
        action: Some(OriginateAction {
            action: "Originate".to_owned(),
            application: Some("Dial".to_owned()),
            ..OriginateAction::default()
        }),
        ..CreateQuickCallRequest::default()
    }
}

#[test]
fn all_broken_rules_are_told_at_once() {
    let item = QueueItem { asterisk_server_code: "nope".to_owned(), ..item(OriginateAction::default()) };
    assert_eq!(
        broken_item(item, &[], &rules()),
        ["data[0].asterisk_server_code", "data[0].action.Application", "data[0].action.Channel",]
    );
    let command = Some("Record".to_owned());
    let item = QueueItem { asterisk_server_code: String::new(), mix_monitor_command: command, ..QueueItem::default() };
    assert_eq!(
        broken_item(item, &[], &rules()),
        ["data[0].asterisk_server_code", "data[0].mix_monitor_command", "data[0].action"]
    );
    let mut call = quick("", "");
    call.asterisk_server_code = "nope".to_owned();
    call.action = Some(OriginateAction { application: Some("Dial".to_owned()), ..OriginateAction::default() });
    let fields = broken(quick::quick_call(&call, None, &rules(), Millis(0)));
    assert_eq!(fields, ["asterisk_server_code", "number1", "number2"]);
    call.action = Some(OriginateAction::default());
    let fields = broken(quick::quick_call(&call, None, &rules(), Millis(0)));
    assert_eq!(fields, ["asterisk_server_code", "number1", "action.Application"]);
}

#[test]
fn what_is_denied_is_told_at_the_field_that_the_client_sent() {
    let policy = Policy { deny_prefixes: vec!["44900".into()], variables: vec!["LEAD_*".into()], ..Policy::default() };
    let rules = Rules { policy, ..rules() };
    for (call, fields) in [
        (quick("+449001", "456"), vec!["number1"]),
        (quick("123", "449001"), vec!["number2"]),
        (quick("+44-900123", "44-9001"), vec!["number1", "number2"]),
        (quick("+44900123x", "44-9001"), vec!["number1"]),
    ] {
        assert_eq!(broken(quick::quick_call(&call, None, &rules, Millis(0))), fields);
    }
    let mut own = quick("123", "456");
    own.action.as_mut().unwrap().channel = Some("PJSIP/449001@endpoint1".to_owned());
    assert_eq!(broken(quick::quick_call(&own, None, &rules, Millis(0))), ["action.Channel"]);
    let variables = BTreeMap::from([("OTHER".to_owned(), "1".to_owned())]);
    let action = OriginateAction { variable: Some("LEAD_ID=1,MORE=2".to_owned()), variables, ..action() };
    let fields = broken_item(item(action), &[], &rules);
    assert_eq!(fields, ["data[0].action.Variable", "data[0].action.variables"]);
}

#[test]
fn what_grows_on_its_way_to_asterisk_is_measured_as_it_goes_out() {
    // Four bytes each: few characters, and all of a line.
    let wide = |count| "\u{10348}".repeat(count);
    let fields = broken_item(item(action()), &[&"x".repeat(255), &"(".repeat(255), &wide(240)], &rules());
    assert_eq!(fields, [""; 0]);
    assert_eq!(broken_item(item(action()), &[&"x".repeat(256), &wide(244)], &rules()), ["dids[0]", "dids[1]"]);
    let id = OriginateAction { action_id: Some("\u{10348}".repeat(241)), ..action() };
    assert_eq!(broken_item(item(id), &[], &rules()), ["data[0].action.ActionID"]);
    let path = Some(format!("/recordings/{}", "x".repeat(970)));
    let recorded = QueueItem { create_recording: true, recording_path: path, ..item(action()) };
    assert_eq!(broken_item(recorded, &[], &rules()), ["data[0].recording_path"]);
    let mut call = quick("123", "456");
    call.did = Some(wide(240));
    call.customer_name = "A".repeat(80);
    assert_eq!(broken(quick::quick_call(&call, None, &rules(), Millis(0))), ["did"]);
    let forced = Rules { policy: Policy { did_policy: DidPolicy::Force, ..Policy::default() }, ..rules() };
    let named = OriginateAction { caller_id: Some(format!("{} <1>", "A".repeat(80))), ..action() };
    assert_eq!(broken_item(item(named), &[&wide(240)], &forced), ["data[0].action.CallerID"]);
}

#[test]
fn a_recording_keeps_to_its_file_and_needs_its_grant_also_where_none_is_made() {
    for create_recording in [true, false] {
        for (command, fields) in [
            ("MixMonitor /recordings/a.wav,b", vec![]),
            ("MixMonitor /recordings/a.wav,br(/etc/passwd)", vec!["data[0].mix_monitor_command"]),
            ("MixMonitor /recordings/a.wav,b,touch /tmp/x", vec!["data[0].mix_monitor_command"]),
        ] {
            let command = Some(command.to_owned());
            let item = QueueItem { create_recording, mix_monitor_command: command, ..item(action()) };
            assert_eq!(broken_item(item, &[], &rules()), fields);
        }
    }
}

#[test]
fn a_control_character_in_a_name_does_not_reach_the_caller_id() {
    let call = CreateQuickCallRequest { customer_name: "A\u{99}da".to_owned(), ..quick("123", "456") };
    let new = quick::quick_call(&call, None, &rules(), Millis(0)).unwrap();
    assert_eq!(new.call.spec.caller_id.as_deref().map(|text| text.contains("\"Ada\"")), Some(true));
}
