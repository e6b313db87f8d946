//! Tests numbers: however a number is written, it is the same number, and what is not a number is refused at its field.

use serde_json::{Value, json};

use super::{INSERT, QUICK, Setup, batch, quick, to};
use crate::support::wait;

/// The spellings of one number on a server with country code 49 and national prefix 0.
const GERMAN: [&str; 7] = [
    "+49 (0)30 23125-018",
    "0049 30 23125018",
    "01149 30 23125018",
    "030 23125018",
    "+49.30.23125.018",
    "\u{202a}+49\u{a0}30\u{a0}23125018\u{202c}",
    "493023125018",
];

/// The spellings of one number on any server.
const AMERICAN: [&str; 4] = ["+1 202.555.0143", "001 202 555 0143", "0111 202-555-0143", "12025550143"];

/// What is not a number anywhere.
const NOT_NUMBERS: [&str; 11] = [
    "12025550143.0",
    "9.19877E+11",
    "٤٩٣٠٢٣١٢٥٠١٨",
    "\u{ff11}2025550143",
    "882;phone-context=+1",
    "%38%38%32123456",
    "w19005551234",
    "x88212345678",
    "4930,1",
    "+049 30 23125018",
    "++493023125018",
];

fn german() -> Value {
    json!({ "country_code": "49", "national_prefix": "0" })
}

fn with_contact(number: &Value) -> Value {
    let mut item = to("1234567801");
    item["contact_number"] = number.clone();
    item
}

#[tokio::test]
async fn a_listed_number_cannot_be_dialed_in_any_spelling() {
    let setup = Setup::start().await;
    setup.admin.patch("admin/servers/server1", german()).await.data();
    setup.drain().await;
    let mut batch_id = 0;
    for (spellings, canonical) in [(GERMAN.as_slice(), "493023125018"), (&AMERICAN, "12025550143")] {
        for (index, listed) in spellings.iter().enumerate() {
            let entry = json!({ "numbers": [{ "number": listed }] });
            assert_eq!(setup.client.post("clients/do-not-call", entry).await.data()["added_count"], 1, "{listed}");
            let entries = setup.client.get("clients/do-not-call").await.data();
            let stored = entries["results"][0]["number"].as_str().expect("a number").to_owned();
            let national = *listed == "030 23125018";
            assert_eq!(stored, if national { "03023125018" } else { canonical }, "{listed}");
            // Each spelling of an entry meets all spellings of a call.
            for dialed in spellings {
                let refused = setup.client.post(QUICK, quick(dialed)).await;
                refused.error(403, "PERMISSION_DENIED");
                assert_eq!(refused.body["errors"][0]["field"], "number1", "{dialed}, {listed} is listed");
                let mut second = quick("1234567801");
                second["number2"] = json!(dialed);
                let refused = setup.client.post(QUICK, second).await;
                refused.error(403, "PERMISSION_DENIED");
                assert_eq!(refused.body["errors"][0]["field"], "number2", "{dialed}, {listed} is listed");
            }
            batch_id += 1;
            let items: Vec<Value> = spellings.iter().map(|dialed| with_contact(&json!(dialed))).collect();
            let answer = setup.client.post(INSERT, batch(batch_id, items)).await.data();
            assert_eq!(answer["warnings"].as_array().map(Vec::len), Some(spellings.len()), "{listed}: {answer}");
            // It is taken off in another spelling, which has to be one that needs no country to be known.
            let other = if national { "(030) 23125018" } else { spellings[(index + 1) % 3] };
            let path = format!("clients/do-not-call/{}", other.replace('+', "%2B").replace('/', ""));
            setup.client.delete(&path).await.data();
        }
    }
    let allowed = setup.client.post(QUICK, quick(GERMAN[0])).await.data();
    assert!(allowed["call_id"].is_string(), "nothing is listed any more");
}

#[tokio::test]
async fn a_number_that_is_listed_while_its_call_waits_is_not_dialed() {
    let setup = Setup::start().await;
    setup.admin.patch("admin/servers/server1", german()).await.data();
    setup.drain().await;
    let mut dial = to("1234567801");
    dial["action"]["Application"] = json!("Dial");
    dial["action"]["Data"] = json!("PJSIP/1234567802@endpoint1&PJSIP/030-23125018@endpoint1,30");
    let items = vec![to("030-23125018"), with_contact(&json!("030 23125018")), dial, to("01149-3023125018")];
    let queue = setup.client.insert(1, items).await;
    let entry = json!({ "numbers": [{ "number": "+49 (0)30 23125018" }] });
    setup.admin.post("admin/do-not-call", entry).await.data();
    let node = super::node_name(&setup.admin).await;
    setup.admin.post(&format!("admin/nodes/{node}/resume"), json!({})).await.data();
    setup.client.wait_until_completed(queue).await;
    for call in setup.client.calls(queue).await {
        assert_eq!((&call["status"], &call["attempts"]), (&json!("canceled"), &json!(0)), "{call}");
    }
}

#[tokio::test]
async fn what_is_not_a_number_is_refused_at_its_field() {
    let setup = Setup::start().await;
    setup.drain().await;
    let refused = async |answer: crate::support::api::Answer, field: &str, number: &str| {
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], field, "{number}: {}", answer.body);
        assert_eq!(answer.body["errors"].as_array().map(Vec::len), Some(1), "{number}: {}", answer.body);
    };
    for number in NOT_NUMBERS {
        let mut second = quick("1234567801");
        second["number2"] = json!(number);
        refused(setup.client.post(QUICK, quick(number)).await, "number1", number).await;
        refused(setup.client.post(QUICK, second).await, "number2", number).await;
        let items = vec![to("1234567801"), with_contact(&json!(number))];
        refused(setup.client.post(INSERT, batch(1, items)).await, "data[1].contact_number", number).await;
        let entry = json!({ "numbers": [{ "number": "4930123" }, { "number": number }] });
        refused(setup.client.post("clients/do-not-call", entry).await, "numbers[1].number", number).await;
        let prefixes = json!({ "denied_prefixes": ["44", number] });
        refused(setup.admin.put("admin/policy", prefixes).await, "denied_prefixes[1]", number).await;
    }
    // Without quotes, JSON knows them as numbers.
    for number in ["12025550143.0", "9.19877E+11"] {
        let body = format!(
            r#"{{"batch_id": 1, "data": [{}]}}"#,
            with_contact(&json!("N")).to_string().replace("\"N\"", number)
        );
        let http = reqwest::Client::new().post(setup.client.url(INSERT)).header("X-API-KEY", setup.client.key());
        let answer = http.header("Content-Type", "application/json").body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 400, "{number}");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["errors"][0]["field"], "data[0].contact_number", "{body}");
    }
    let queues = setup.client.get("queues/getmasterqueues").await.data();
    assert_eq!(queues["count"], 0, "a refused request stores nothing");
    assert_eq!(setup.client.get("clients/do-not-call").await.data()["count"], 0);
}

#[tokio::test]
async fn a_service_code_is_refused_unless_the_server_lists_it() {
    let setup = Setup::start().await;
    setup.admin.patch("admin/servers/server1", german()).await.data();
    setup.drain().await;
    let number = "*31#+493023125018";
    let refused = setup.client.post(QUICK, quick(number)).await;
    refused.error(400, "INVALID_ARGUMENT");
    assert_eq!(refused.body["errors"][0]["field"], "number1", "{}", refused.body);

    setup.admin.patch("admin/servers/server1", json!({ "service_codes": ["*31#"] })).await.data();
    setup.client.post(QUICK, quick(number)).await.data();
    setup.client.post("clients/do-not-call", json!({ "numbers": [{ "number": "030 23125018" }] })).await.data();
    let listed = setup.client.post(QUICK, quick(number)).await;
    listed.error(403, "PERMISSION_DENIED");
    assert_eq!(listed.body["errors"][0]["field"], "number1", "{}", listed.body);
}

#[tokio::test]
async fn a_contact_number_with_a_leading_zero_is_a_national_number() {
    let setup = Setup::start().await;
    setup.drain().await;
    let number = |call: &Value| call["contact_number"].clone();
    let texts = [json!("030 23125018"), json!("+49 30 23125018"), json!(493_023_125_018_i64), json!("493023125018")];
    let plain = setup.client.insert(1, texts.iter().map(with_contact).collect()).await;
    let shown: Vec<Value> = setup.client.calls(plain).await.iter().map(number).collect();
    let integer = json!(493_023_125_018_i64);
    assert_eq!(shown, [json!(3_023_125_018_i64), integer.clone(), integer.clone(), integer.clone()]);

    setup.admin.patch("admin/servers/server1", german()).await.data();
    let known = setup.client.insert(2, texts.iter().map(with_contact).collect()).await;
    let shown: Vec<Value> = setup.client.calls(known).await.iter().map(number).collect();
    assert_eq!(shown, [integer.clone(), integer.clone(), integer.clone(), integer]);
    for (queue, search, found) in [
        (plain, "030%2023125018", 4),
        (known, "030%2023125018", 4),
        (known, "%2B493023125018", 4),
        (known, "0049-30-23125018", 4),
        (known, "493023125018", 4),
        (plain, "3023125018", 1),
        (known, "3023125018", 0),
    ] {
        let path = format!("queues/getqueues?master_queue_id={queue}&contact_number={search}");
        assert_eq!(setup.client.get(&path).await.data()["count"], found, "{search}");
    }
    let path = format!("queues/getqueues?master_queue_id={known}&contact_number=4930x");
    let refused = setup.client.get(&path).await;
    refused.error(400, "INVALID_ARGUMENT");
    assert_eq!(refused.body["errors"][0]["field"], "contact_number");
}

#[tokio::test]
async fn the_daily_limit_counts_the_numbers_that_ring_and_not_the_contact_number() {
    let setup = Setup::start().await;
    // The lane that begins again reads the limit.
    setup.drain().await;
    setup.patch(json!({ "limits": { "max_calls_per_destination_per_day": 1 } })).await;
    let with_own = |contact: i64| {
        let mut item = to("1234567801");
        item["contact_number"] = json!(contact);
        item
    };
    let mut as_second_leg = to("1234567811");
    as_second_leg["action"]["Application"] = json!("Dial");
    as_second_leg["action"]["Data"] = json!("PJSIP/1234567821@endpoint1&PJSIP/+1-234-567-801@endpoint1,30");
    let items = vec![with_own(1), with_own(2), to("001-234-567-801"), as_second_leg, to("1234567902")];
    let queue = setup.client.insert(1, items).await;
    let node = super::node_name(&setup.admin).await;
    setup.admin.post(&format!("admin/nodes/{node}/resume"), json!({})).await.data();
    wait::until_async("all but two calls wait for another day", async || {
        let counts = setup.client.queue(queue).await["counts"].clone();
        let explained = setup.client.get(&format!("queues/{queue}/explain")).await.data();
        let reasons = explained["reasons"].as_array().expect("a list").clone();
        let limited = reasons.iter().find(|reason| reason["reason"] == "destination-limit");
        (counts["queued"] == 3 && limited.is_some_and(|limited| limited["calls"] == 3)).then_some(())
    })
    .await;
    let attempts: Vec<i64> =
        setup.client.calls(queue).await.iter().map(|call| call["attempts"].as_i64().expect("a number")).collect();
    assert_eq!(attempts.iter().sum::<i64>(), 2, "{attempts:?}");
    assert_eq!(attempts[4], 1, "another number is called");
}
