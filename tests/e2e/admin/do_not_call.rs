//! Tests `do-not-call`: the platform's list and a client's list.

use serde_json::{Value, json};

use super::{INSERT, QUICK, Setup, batch, quick, to};

#[tokio::test]
async fn a_number_is_listed_however_it_is_written_and_once() {
    let setup = Setup::start().await;
    for (api, path) in [(&setup.admin, "admin/do-not-call"), (&setup.client, "clients/do-not-call")] {
        let numbers =
            json!({ "numbers": [{ "number": "+49 (151) 2345", "reason": "asked" }, { "number": "491512345" }] });
        assert_eq!(api.post(path, numbers.clone()).await.data(), json!({ "added_count": 1 }));
        assert_eq!(api.post(path, numbers).await.data(), json!({ "added_count": 0 }));
        let listed = api.get(path).await.data();
        assert_eq!((&listed["count"], &listed["results"][0]["number"]), (&json!(1), &json!("491512345")));
        assert_eq!(listed["results"][0]["reason"], "asked");
        assert!(listed["results"][0]["added_at"].is_string());
        for (number, count) in [("0049 151 2345", 1), ("491512346", 0)] {
            let found = api.get(&format!("{path}?number={}", number.replace(' ', "%20"))).await.data();
            assert_eq!(
                (&found["count"], found["results"].as_array().unwrap().len()),
                (&json!(count), count),
                "{number}"
            );
        }
        let beyond = api.get(&format!("{path}?number=491512345&page=2")).await.data();
        assert_eq!((&beyond["count"], &beyond["results"]), (&json!(1), &json!([])));
        assert_eq!(
            api.get(&format!("{path}?number=bob")).await.error(400, "INVALID_ARGUMENT"),
            "number: must not contain letters, but contains `b`"
        );
        for (bad, field) in [
            (json!({ "numbers": [] }), "numbers"),
            (json!({ "numbers": [{ "number": "12" }] }), "numbers[0].number"),
            (json!({ "numbers": [{ "number": "alice" }] }), "numbers[0].number"),
            (json!({ "numbers": [{}] }), "numbers[0].number"),
        ] {
            let answer = api.post(path, bad).await;
            answer.error(400, "INVALID_ARGUMENT");
            assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
        }
        api.delete(&format!("{path}/49-151-2345")).await.data();
        api.delete(&format!("{path}/491512345")).await.error(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_call_to_a_listed_number_is_stored_as_canceled_with_a_warning() {
    let setup = Setup::start().await;
    setup.drain().await;
    let numbers = |number: &str| json!({ "numbers": [{ "number": number }] });
    setup.admin.post("admin/do-not-call", numbers("491512345")).await.data();
    setup.client.post("clients/do-not-call", numbers("1234567802")).await.data();
    let mut for_contact = to("1234567899");
    for_contact["contact_number"] = json!(491_512_345);
    let mut second_leg = to("1234567801");
    second_leg["action"]["Application"] = json!("Dial");
    second_leg["action"]["Data"] = json!("PJSIP/1@endpoint2&PJSIP/+491512345@endpoint2,30");
    let items = vec![to("1234567801"), for_contact, to("1234567802"), second_leg];
    let answer = setup.client.post(INSERT, batch(1, items.clone())).await.data();
    let warnings = json!([
        "data[1]: 491512345 is on the do-not-call list, the call is canceled",
        "data[2]: 1234567802 is on the do-not-call list, the call is canceled",
        "data[3]: 491512345 is on the do-not-call list, the call is canceled",
    ]);
    assert_eq!(answer["warnings"], warnings);
    assert_eq!(answer["inserted_count"], 4);

    let queue = answer["queue_id"].as_i64().expect("an id");
    let calls = setup.client.calls(queue).await;
    let statuses: Vec<&Value> = calls.iter().map(|call| &call["status"]).collect();
    assert_eq!(statuses, ["queued", "canceled", "canceled", "canceled"]);
    let call = setup.client.get(&format!("calls/{}", calls[1]["call_id"].as_str().expect("an id"))).await.data();
    assert_eq!((&call["outcome"], &call["attempts"]), (&json!("canceled"), &json!(0)));
    let event = &call["timeline"][0];
    assert_eq!((&event["type"], &event["detail"]), (&json!("ended"), &json!("on the do-not-call list")));
    let counts = setup.client.queue(queue).await["counts"].clone();
    assert_eq!((&counts["queued"], &counts["canceled"]), (&json!(1), &json!(3)));
    let replayed = setup.client.post(INSERT, batch(1, items)).await.data();
    assert_eq!(replayed["warnings"], warnings, "a replay is answered like the first request");
}

#[tokio::test]
async fn a_quick_call_to_a_listed_number_is_403_at_its_field() {
    let setup = Setup::start().await;
    setup.client.post("clients/do-not-call", json!({ "numbers": [{ "number": "+491512345" }] })).await.data();
    let mut second = quick("1234567801");
    second["number2"] = json!("491512345");
    let mut channel = quick("1234567801");
    channel["action"]["Channel"] = json!("PJSIP/491512345@endpoint1");
    let mut data = quick("1234567801");
    data["action"]["Application"] = json!("Dial");
    data["action"]["Data"] = json!("PJSIP/491512345@endpoint2,30");
    for (call, field) in
        [(quick("491512345"), "number1"), (second, "number2"), (channel, "action.Channel"), (data, "action.Data")]
    {
        let answer = setup.client.post(QUICK, call).await;
        answer.error(403, "PERMISSION_DENIED");
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
        assert_eq!(answer.body["errors"][0]["message"], "491512345 is on the do-not-call list");
    }
    assert_eq!(setup.client.get("queues/getmasterqueues").await.data()["count"], 0);
}
