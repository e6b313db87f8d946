//! Tests which channel variables reach Asterisk: those that its own code reads are refused at insert and at dial.

use serde_json::{Value, json};

use super::change;
use crate::admin::{INSERT, QUICK, Setup, batch, node_name, quick, to};
use crate::support::api::{Api, client_of_asterisk, item};
use crate::support::asterisk::{Asterisk, Version};
use crate::support::server::Server;
use crate::support::wait;

/// The variables of the review's cases, with the values that did harm there.
const HOSTILE: [(&str, &str); 13] = [
    ("MONITOR_EXEC", "touch /tmp/pwned"),
    ("MONITOR_FILENAME", "^{SHELL(touch /tmp/pwned)}"),
    ("MONITOR_OPTIONS", "r(/tmp/pwned)"),
    ("CONNECTED_LINE_SEND_SUB", "outbound,19005551212,1"),
    ("REDIRECTING_SEND_SUB", "outbound,19005551212,1"),
    ("__FORWARD_CONTEXT", "outbound"),
    ("__TRANSFER_CONTEXT", "outbound"),
    ("__GOTO_ON_BLINDXFR", "outbound^19005551212^1"),
    ("BRIDGE_FEATURES", "TtKkXx"),
    ("TOUCH_MIXMONITOR", "x.wav,b,id;#"),
    ("BRIDGE_PLAY_SOUND", "http://127.0.0.1:9999/a.wav"),
    ("QUEUE_PRIO", "2147483647"),
    ("SIPADDHEADER01", "P-Asserted-Identity: <sip:+448001111111@x>"),
];

fn with(name: &str, value: &Value) -> Value {
    let mut item = to("1234567890");
    item["action"][name] = value.clone();
    item
}

async fn refused(setup: &Setup, item: Value, status: u16, field: &str) {
    let answer = setup.client.post(INSERT, batch(1, vec![to("1234567890"), item])).await;
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
}

#[tokio::test]
async fn a_variable_that_asterisk_reads_is_refused_at_its_field_and_nothing_is_stored() {
    let setup = Setup::start().await;
    for policy in [json!({}), json!({ "variables": ["*"] }), json!({ "variables": ["M*", "CUST_*", "_*"] })] {
        setup.patch(json!({ "policy": policy })).await;
        for (name, value) in HOSTILE {
            for name in [name.to_owned(), format!("__{name}"), name.to_lowercase()] {
                refused(&setup, with("variables", &json!({ &name: value })), 403, "data[1].action.variables").await;
                let text = json!(format!("CUST_ID=1,{name}=1"));
                refused(&setup, with("Variable", &text), 403, "data[1].action.Variable").await;
            }
        }
    }
    setup.patch(json!({ "policy": {} })).await;
    let mut call = quick("1234567890");
    call["action"]["variables"] = json!({ "QUEUE_PRIO": "1" });
    let message = setup.client.post(QUICK, call).await.error(403, "PERMISSION_DENIED");
    assert!(message.contains("QUEUE_PRIO changes what Asterisk does"), "{message}");
    assert_eq!(setup.client.get("queues/getmasterqueues").await.data()["count"], 0);
}

#[tokio::test]
async fn an_administrator_opens_a_variable_by_its_exact_name_alone() {
    let setup = Setup::start().await;
    setup.patch(json!({ "policy": { "variables": ["CUST_*", "QUEUE_PRIO"] } })).await;
    setup.drain().await;
    setup.client.insert(1, vec![with("variables", &json!({ "QUEUE_PRIO": "5", "CUST_NAME": "Ann" }))]).await;
    for name in ["__QUEUE_PRIO", "queue_prio", "QUEUE_MAX_PENALTY", "CAMPAIGN"] {
        refused(&setup, with("variables", &json!({ name: "1" })), 403, "data[1].action.variables").await;
    }
    for (grant, why) in [
        ("QUEUE_*", "one by one"),
        ("MONITOR_EXEC", "cannot be granted to any client"),
        ("SHELL(id)", "must be the name of a channel variable"),
        ("CHANNEL(language)", "must be the name of a channel variable"),
        ("__TRUNKLINE_CALL_ID", "set by Trunkline"),
    ] {
        let policy = json!({ "policy": { "variables": ["CUST_*", grant] } });
        let answer = setup.admin.patch(&setup.client_path(), policy).await;
        assert_eq!(answer.status.as_u16(), 400, "{}", answer.body);
        let error = &answer.body["errors"][0];
        assert_eq!(error["field"], "policy.variables[1]", "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(why)), "{error}");
    }
}

#[tokio::test]
async fn more_variables_than_asterisk_takes_are_refused() {
    let setup = Setup::start().await;
    let many = |count: usize| Value::Object((0..count).map(|index| (format!("V{index}"), json!("1"))).collect());
    refused(&setup, with("variables", &many(200)), 400, "data[1].action.variables").await;
    refused(&setup, with("variables", &many(101)), 400, "data[1].action.variables").await;
    let text: Vec<String> = (0..101).map(|index| format!("V{index}=1")).collect();
    refused(&setup, with("Variable", &json!(text.join(","))), 400, "data[1].action.Variable").await;
    setup.drain().await;
    setup.client.insert(1, vec![with("variables", &many(100))]).await;
}

/// Replaces the variables of the queue's waiting calls, past all checks.
fn store_variables(server: &Server, queue: i64, variables: &Value) {
    let sql = "UPDATE calls SET plan = json_set(plan, '$.variables', json(";
    change(server, &format!("{sql}'{variables}')) WHERE queue_id = {queue}"));
}

#[tokio::test]
async fn a_stored_variable_that_may_not_be_set_is_refused_before_dialing() {
    let setup = Setup::start().await;
    setup.drain().await;
    let many: Value = Value::Object((0..101).map(|index| (format!("V{index}"), json!("1"))).collect());
    let cases = [
        (json!({ "MONITOR_EXEC": "id" }), "variable MONITOR_EXEC makes Asterisk run commands"),
        (json!({ "__transfer_context": "outbound" }), "variable __transfer_context changes what Asterisk does"),
        (json!({ "__TRUNKLINE_CALL_ID": "1" }), "variable __TRUNKLINE_CALL_ID is set by Trunkline"),
        (json!({ "SHELL(id)": "1" }), "`SHELL(id)` is not the name of a channel variable"),
        (many, "has 101 channel variables; at most 100 are allowed"),
    ];
    let mut queues = Vec::new();
    for (batch_id, (variables, why)) in (1..).zip(cases) {
        let queue = setup.client.insert(batch_id, vec![to("1234567890")]).await;
        store_variables(&setup.server, queue, &variables);
        queues.push((queue, why));
    }
    setup.admin.post(&format!("admin/nodes/{}/resume", node_name(&setup.admin).await), json!({})).await.data();
    for (queue, why) in queues {
        setup.client.wait_until_completed(queue).await;
        let call = setup.client.calls(queue).await.remove(0);
        assert_eq!((&call["status"], &call["outcome"]), (&json!("failed"), &json!("rejected")), "{call}");
        assert_eq!(call["attempts"], 0, "{call}");
        let call = setup.client.get(&format!("calls/{}", call["call_id"].as_str().expect("an id"))).await.data();
        assert!(call["timeline"].to_string().contains(why), "{why} in {call}");
    }
}

#[tokio::test]
async fn asterisk_gets_every_variable_that_may_be_set_and_no_other() {
    let Some(asterisk) = Asterisk::start(Version::V22) else { return };
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let admin = Api::admin(&server);
    let node = node_name(&admin).await;
    let mut hostile = item("ast", "Local/20@talk/n", "20");
    hostile["action"]["variables"] = json!({ "MONITOR_EXEC": "id", "X_SEND_SUB": "talk,20,1" });
    let answer = client.post(INSERT, batch(1, vec![hostile])).await;
    assert_eq!(answer.status.as_u16(), 403, "{}", answer.body);

    admin.post(&format!("admin/nodes/{node}/drain"), json!({})).await.data();
    wait::until_async("the node has released its server", async || {
        let node = admin.get("admin/nodes").await.data()["results"][0].clone();
        node["servers"].as_array().expect("a list").is_empty().then_some(())
    })
    .await;
    let changed = client.insert(2, vec![item("ast", "Local/20@talk/n", "20")]).await;
    store_variables(&server, changed, &json!({ "MONITOR_EXEC": "id" }));
    let mut fullest = item("ast", "Local/20@talk/n", "20");
    fullest["action"]["variables"] = (0..100).map(|index| (format!("V{index}"), json!(format!("<{index}>")))).collect();
    fullest["action"]["ActionID"] = json!("call-uuid-1234");
    fullest["action"]["OtherChannelId"] = json!("other-1");
    let body = json!({ "batch_id": 3, "dids": ["+1999"], "data": [fullest] });
    client.post(INSERT, body).await.data();
    admin.post(&format!("admin/nodes/{node}/resume"), json!({})).await.data();

    client.wait_until_completed(changed).await;
    assert_eq!(client.calls(changed).await[0]["outcome"], "rejected");
    let originates = asterisk.witness().wait_for_originates(1);
    let variables = asterisk.cli(&format!("core show channel {}", originates[0].channel));
    for index in 0..100 {
        assert!(variables.contains(&format!("V{index}=<{index}>")), "V{index} in {variables}");
    }
    assert!(variables.contains("TRUNKLINE_ACTION_ID=call-uuid-1234"), "{variables}");
    asterisk.cli("channel request hangup all");
    asterisk.wait_until_idle();
    assert_eq!(asterisk.witness().originates().len(), 1, "the changed call was never sent");
}
