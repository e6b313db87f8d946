//! Tests what forms on web pages and PHP send for a field without a value. No sentence of the contract names it, but its
//! clients have always done so.

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, dials, with};

#[tokio::test]
async fn what_means_nothing_is_read_as_absent_and_a_telephone_number_may_be_a_number() {
    let sandbox = Sandbox::start();
    let mut item = dials("4906");
    for field in ["deadline", "project", "caller_id", "contact_number", "time_zone", "recording_path"] {
        item = with(item, &[field], json!(""));
    }
    item["action"]["variables"] = json!([]);
    item["action"]["ActionID"] = json!("");
    let mut queues = Vec::new();
    for (batch_id, queue_id) in [json!(""), json!(0), json!("0"), Value::Null].into_iter().enumerate() {
        let body = json!({ "queue_id": queue_id, "batch_id": batch_id, "data": [item] });
        let made = sandbox.insert(body).await.data().clone();
        assert_eq!(made.get("warnings"), None, "{made}");
        queues.push(made["queue_id"].as_i64().expect("a queue"));
    }
    queues.dedup();
    assert_eq!(queues.len(), 4, "each batch made a queue of its own");
    let call = sandbox.api.calls(queues[0]).await[0].clone();
    for field in ["deadline", "project", "contact_number", "action_id", "time_zone"] {
        assert_eq!(call.get(field), None, "{call}");
    }
    let quick = json!({
        "asterisk_server_code": "server1", "customer_name": "Ada", "number1": 4930123401_i64, "number2": "", "did": "",
        "action": { "Action": "Originate", "Application": "Wait", "Data": 1.to_string() },
    });
    let call =
        sandbox.post("queues/insertquickcall", quick).await.data()["call_id"].as_str().expect("an id").to_owned();
    let call = sandbox.get(&format!("calls/{call}")).await.data().clone();
    assert_eq!(call["channel"], "PJSIP/4930123401@endpoint1");
}

#[tokio::test]
async fn the_separator_of_old_asterisks_is_warned_of() {
    let sandbox = Sandbox::start();
    let with_variable = |text: &str| {
        let mut item = dials("4906");
        item["action"]["Variable"] = json!(text);
        item
    };
    let data = [with_variable("A=1|B=2"), with_variable("A=1,B=x|y"), with_variable("A=1,B=2|C=3")];
    let warnings = sandbox.insert(json!({ "batch_id": 1, "data": data })).await.data()["warnings"].clone();
    let text = |index: usize, name: &str| {
        format!(
            "data[{index}].action.Variable: variables are separated by a comma; the | is a part of the value of {name}"
        )
    };
    assert_eq!(warnings, json!([text(0, "A"), text(2, "B")]));
}
