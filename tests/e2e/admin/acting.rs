//! Lets an administrator act for a client: insert, list and change what is the client's.

use serde_json::{Value, json};

use super::{INSERT, Setup};
use crate::support::api::item;

fn batch(batch_id: i64, client_id: &Value) -> Value {
    let data = vec![item("server1", "PJSIP/1234567806@endpoint1", "1")];
    json!({ "batch_id": batch_id, "client_id": client_id, "data": data })
}

#[tokio::test]
async fn an_administrator_inserts_and_changes_what_is_a_clients_and_the_audit_says_so() {
    let setup = Setup::start().await;
    let (admin, client) = (&setup.admin, &setup.client);
    let id = json!(setup.client_id);
    let message = admin.post(INSERT, batch(1, &Value::Null)).await.error(403, "PERMISSION_DENIED");
    assert_eq!(message, "client_id: required with an administrator's key");
    assert_eq!(admin.post(INSERT, batch(1, &json!(4711))).await.error(404, "NOT_FOUND"), "client 4711 not found");

    let made = admin.post(INSERT, batch(1, &id)).await.data();
    let again = client.post(INSERT, batch(1, &Value::Null)).await;
    assert_eq!(again.data(), made, "the client's own batch with this id is a replay");
    let queue = made["queue_id"].as_i64().expect("a queue");
    let path = format!("queues/updatequeuemaster/{queue}");
    admin.put(&path, json!({ "queue_status": "paused" })).await.data();
    admin.put(&format!("queues/{queue}/rules"), json!({ "priority": 3 })).await.data();
    let call = client.calls(queue).await[0]["call_id"].as_str().expect("a call").to_owned();
    admin.post(&format!("calls/{call}/cancel"), json!({})).await.data();
    let number = json!({ "client_id": id, "numbers": [{ "number": "+49 151 2345" }] });
    admin.post("clients/do-not-call", number).await.data();
    assert_eq!(client.get("clients/do-not-call").await.data()["count"], 1);
    admin.delete(&format!("clients/do-not-call/491512345?client_id={id}")).await.data();
    let quick = json!({
        "client_id": id, "asterisk_server_code": "server1", "customer_name": "Ada", "number1": "4930123401",
        "action": { "Action": "Originate", "Application": "Wait", "Data": "1" },
    });
    let quick = admin.post("queues/insertquickcall", quick).await.data();

    let entries = admin.get("admin/audit?page_size=7").await.data()["results"].as_array().expect("a list").clone();
    let noted: Vec<(&str, &str)> = entries
        .iter()
        .rev()
        .map(|entry| (entry["action"].as_str().expect("an action"), entry["target"].as_str().expect("a target")))
        .collect();
    let (queue, call) = (format!("queues/{queue}"), format!("calls/{call}"));
    let list = format!("clients/{id}/do-not-call");
    let placed = format!("calls/{}", quick["call_id"].as_str().expect("a call"));
    let expected = [
        ("InsertBatch", &queue),
        ("UpdateQueue", &queue),
        ("SetQueueRules", &queue),
        ("CancelCall", &call),
        ("AddDoNotCall", &list),
        ("RemoveDoNotCall", &list),
        ("CreateQuickCall", &placed),
    ];
    assert_eq!(noted, expected.map(|(action, target)| (action, target.as_str())));
    let rules = &entries[4];
    assert_eq!((&rules["before"], &rules["after"]), (&json!(r#"{"priority":5}"#), &json!(r#"{"priority":3}"#)));
}

#[tokio::test]
async fn an_administrator_sees_the_queues_of_all_clients_or_of_one() {
    let setup = Setup::start().await;
    let (admin, client) = (&setup.admin, &setup.client);
    let new = json!({ "name": "other", "account_code": "other", "servers": ["server1"] });
    let other = admin.post("admin/clients", new).await.data()["client_id"].clone();
    let own = json!(setup.client_id);
    let first = admin.post(INSERT, batch(1, &own)).await.data()["queue_id"].clone();
    let second = admin.post(INSERT, batch(1, &other)).await.data()["queue_id"].clone();
    let listed = async |query: &str| {
        let page = admin.get(&format!("queues/getmasterqueues{query}")).await.data();
        let queues = page["results"].as_array().expect("a list").clone();
        assert_eq!(page["count"], queues.len());
        queues.iter().map(|queue| (queue["queue_id"].clone(), queue["client_id"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, [(second.clone(), other.clone()), (first.clone(), own.clone())]);
    assert_eq!(listed(&format!("?client_id={own}")).await, [(first.clone(), own.clone())]);
    assert_eq!(listed(&format!("?client_id={other}&kind=bulk")).await, [(second.clone(), other.clone())]);
    assert_eq!(listed("?kind=quick").await, []);
    admin.get("queues/getmasterqueues?client_id=4711").await.error(404, "NOT_FOUND");

    let shown = client.get(&format!("queues/getqueuemaster/{first}")).await.data();
    assert_eq!(shown.get("client_id"), None, "a client's own answers are as they were");
    let shown = admin.get(&format!("queues/getqueuemaster/{second}")).await.data();
    assert_eq!(shown["client_id"], other);
    client.get(&format!("queues/getqueuemaster/{second}")).await.error(404, "NOT_FOUND");
    for foreign in [other.clone(), json!(4711)] {
        let foreign = client.get(&format!("queues/getmasterqueues?client_id={foreign}")).await;
        let message = foreign.error(403, "PERMISSION_DENIED");
        assert_eq!(message, "client_id: only an administrator may name another client");
    }
    client.get(&format!("queues/getmasterqueues?client_id={own}")).await.data();
    client.post(INSERT, batch(2, &other)).await.error(403, "PERMISSION_DENIED");
}

#[tokio::test]
async fn nothing_is_inserted_for_a_disabled_client() {
    let setup = Setup::start().await;
    setup.patch(json!({ "disabled": true })).await;
    let message = setup.admin.post(INSERT, batch(1, &json!(setup.client_id))).await.error(409, "FAILED_PRECONDITION");
    assert_eq!(message, format!("client {} is disabled", setup.client_id));
}
