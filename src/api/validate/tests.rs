//! What a request makes of a call's plan.

use std::collections::{BTreeMap, HashMap};

use super::{Rules, ServerRules, batch, quick};
use crate::domain::limits::ClientLimits;
use crate::domain::originate::{Plan, Target};
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
        queues: 0,
        created_at: 0,
        updated_at: 0,
    };
    let server = ServerRules {
        dial_template: "PJSIP/{number}@endpoint1".to_owned(),
        recording_dirs: vec!["/recordings".to_owned()],
    };
    let servers = HashMap::from([("server1".to_owned(), server)]);
    Rules { client, policy: Policy::default(), limits: ClientLimits::default(), servers }
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

fn plan_of(item: QueueItem, dids: &[&str]) -> Plan {
    let dids = dids.iter().map(|did| (*did).to_owned()).collect();
    let item = QueueItem { asterisk_server_code: "server1".to_owned(), ..item };
    let request = InsertBatchRequest { batch_id: Some(1), dids, data: vec![item], ..InsertBatchRequest::default() };
    batch::batch(&request, &rules(), Vec::new(), Millis::now()).unwrap().calls.remove(0).plan
}

#[test]
fn the_caller_id_is_the_actions_else_the_items_else_the_next_did() {
    let with = |own: Option<&str>, items: Option<&str>| {
        let action = OriginateAction { caller_id: own.map(str::to_owned), ..action() };
        let item = QueueItem { action: Some(action), caller_id: items.map(str::to_owned), ..QueueItem::default() };
        plan_of(item, &["+3"]).caller_id.unwrap()
    };
    assert_eq!(with(Some("A <1>"), Some("B <2>")), "A <1>");
    assert_eq!(with(None, Some("B <2>")), "B <2>");
    assert_eq!(with(None, None), "+3");
}

#[test]
fn variables_come_as_the_guides_text_or_as_an_object_which_wins() {
    let object = BTreeMap::from([("B".to_owned(), "own, with a comma".to_owned())]);
    let action = OriginateAction { variable: Some("A=1,B=2".to_owned()), variables: object, ..action() };
    let plan = plan_of(QueueItem { action: Some(action), ..QueueItem::default() }, &[]);
    let expected = [("A", "1"), ("B", "own, with a comma")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(plan.variables, BTreeMap::from(expected));
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
        create_recording: None,
    };
    let plan = quick::quick_call(&request, None, &rules()).unwrap().call.plan;
    let dial = Target::Application { name: "Dial".to_owned(), data: "PJSIP/456@endpoint1,30".to_owned() };
    assert_eq!((plan.channel.as_str(), plan.target), ("PJSIP/123@endpoint1", dial));
    assert_eq!(plan.caller_id.as_deref(), Some("\"John Doe\" <+789>"));
    assert!(plan.recording.is_some(), "quick calls are recorded unless they say otherwise");
}
