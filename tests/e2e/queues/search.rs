//! Tests the search for calls over REST and gRPC.

use serde_json::{Value, json};
use tonic::Request;
use trunkline::pb;
use trunkline::pb::call_service_client::CallServiceClient;

use super::{ANSWERS, BUSY, INSERT, NEVER_HANGS_UP, batch, get, item, sandbox, update};
use crate::admin::{QUICK, Setup};
use crate::support::api::Api;
use crate::support::wait;

/// Returns one field of each call that a query finds, read in pages of `size`.
async fn found(client: &Api, query: &str, field: &str, size: usize) -> Vec<Value> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("calls?page_size={size}&page_token={token}&{query}")).await.data();
        assert_eq!(page["page_size"], size);
        let results = page["results"].as_array().expect("a list");
        found.extend(results.iter().map(|call| call[field].clone()));
        match page["next_page_token"].as_str() {
            Some(next) => token = next.to_owned(),
            None => return found,
        }
    }
}

/// Makes an item with a contact number, which names it in this test.
fn numbered(channel: &str, number: Value, more: Value) -> Value {
    let mut item = item(channel);
    item["contact_number"] = number;
    for (name, value) in more.as_object().expect("fields") {
        match name.as_str() {
            "ActionID" | "ChannelId" => item["action"][name] = value.clone(),
            _ => item[name] = value.clone(),
        }
    }
    item
}

#[tokio::test]
async fn calls_of_all_queues_are_found_by_each_filter_newest_first() {
    let (_server, client) = sandbox("20");
    let labels = json!({ "team": "a:b", "tier": "1" });
    let first = client
        .insert(
            1,
            vec![
                numbered(ANSWERS, json!(1), json!({ "project": "spring", "labels": labels })),
                numbered(BUSY, json!(2), json!({ "project": "spring", "ActionID": "order-7" })),
                numbered(NEVER_HANGS_UP, json!(3), json!({ "ChannelId": "channel-1" })),
            ],
        )
        .await;
    let second = client
        .insert(
            2,
            vec![
                numbered(BUSY, json!(4), json!({ "labels": { "team": "a" } })),
                numbered("PJSIP/1234567890@carrier2", json!("+49 30 23125018"), json!({})),
            ],
        )
        .await;
    wait::until_async("one call is live and all others have ended", async || {
        let (one, two) = (get(&client, first).await["counts"].clone(), get(&client, second).await["counts"].clone());
        let ended = one["completed"] == 1 && one["failed"] == 1 && two["completed"] == 1 && two["failed"] == 1;
        (ended && one["answered"] == 1).then_some(())
    })
    .await;
    let german = 493_023_125_018_i64;
    let calls = client.calls(first).await;
    let busy = calls.iter().find(|call| call["contact_number"] == 2).expect("the busy call").clone();
    let (id, channel) = (busy["call_id"].as_str().expect("an id"), busy["channel_id"].as_str().expect("a channel"));
    let at = busy["started_at"].as_str().expect("a time");
    let text = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    for (query, numbers) in [
        (String::new(), vec![german, 4, 3, 2, 1]),
        ("contact_number=2".to_owned(), vec![2]),
        (format!("contact_number={}", text("+49 30 23125018")), vec![german]),
        (format!("contact_number={german}"), vec![german]),
        (format!("call_id_prefix={id}"), vec![2]),
        (format!("call_id_prefix={}", id.replace('-', "")), vec![2]),
        // The first digits change once in 50 days.
        (format!("call_id_prefix={}", &id[..4]), vec![german, 4, 3, 2, 1]),
        ("call_id_prefix=0000".to_owned(), vec![]),
        ("action_id=order-7".to_owned(), vec![2]),
        (format!("channel_id={channel}"), vec![2]),
        ("channel_id=channel-1".to_owned(), vec![3]),
        ("project=spring".to_owned(), vec![2, 1]),
        ("project=autumn".to_owned(), vec![]),
        (format!("label={}", text("team:a:b")), vec![1]),
        ("label=team:a".to_owned(), vec![4]),
        ("status=failed".to_owned(), vec![4, 2]),
        ("status=answered".to_owned(), vec![3]),
        ("status=queued".to_owned(), vec![]),
        ("outcome=busy".to_owned(), vec![4, 2]),
        ("outcome=busy&project=spring".to_owned(), vec![2]),
        ("asterisk_server_code=server1".to_owned(), vec![german, 4, 3, 2, 1]),
        ("asterisk_server_code=server9".to_owned(), vec![]),
        ("trunk=carrier2".to_owned(), vec![german]),
        (format!("queue_id={second}"), vec![german, 4]),
        (format!("queue_id={first}&status=failed"), vec![2]),
        (format!("started_from={at}&contact_number=2"), vec![2]),
        (format!("started_to={at}&contact_number=2"), vec![]),
        ("created_from=2020-01-01T00:00:00Z&created_to=2099-01-01T00:00:00Z".to_owned(), vec![german, 4, 3, 2, 1]),
        ("created_to=2020-01-01T00:00:00Z".to_owned(), vec![]),
        ("created_from=2099-01-01T00:00:00Z".to_owned(), vec![]),
        ("ended_from=2020-01-01T00:00:00Z".to_owned(), vec![german, 4, 2, 1]),
        ("ended_to=2020-01-01T00:00:00Z".to_owned(), vec![]),
    ] {
        let expected: Vec<Value> = numbers.into_iter().map(Value::from).collect();
        for size in [1, 2, 100] {
            let found = found(&client, &query, "contact_number", size).await;
            assert_eq!(found, expected, "{query} in pages of {size}");
        }
    }
    let labelled = client.get("calls?label=tier:1").await.data()["results"][0].clone();
    assert_eq!(labelled["labels"], labels, "a call shows its labels");
    let single = client.get(&format!("calls/{}", labelled["call_id"].as_str().expect("an id"))).await.data();
    assert_eq!(single["labels"], labels);
    let timeline = single["timeline"].as_array().expect("events");
    let labelled: Vec<_> = timeline.iter().filter(|event| event.get("labels").is_some()).collect();
    assert_eq!(labelled.len(), 1, "one event says the labels: {timeline:?}");
    assert_eq!((&labelled[0]["type"], &labelled[0]["labels"]), (&json!("dialing"), &labels));
    assert!(busy.get("labels").is_none(), "a call without labels has no such field");
}

#[tokio::test]
async fn pages_go_on_where_they_were_while_calls_are_inserted() {
    let (_server, client) = sandbox("1");
    let queue = client.insert(1, (0..4).map(|number| numbered(ANSWERS, json!(number), json!({}))).collect()).await;
    update(&client, queue, json!({ "queue_status": "paused" })).await;
    for (batch_id, query) in [(2, String::new()), (3, format!("queue_id={queue}"))] {
        let numbers = |page: &Value| -> Vec<i64> {
            let results = page["results"].as_array().expect("a list");
            results.iter().map(|call| call["contact_number"].as_i64().expect("a number")).collect()
        };
        let all = found(&client, &query, "contact_number", 100).await.len();
        let first = client.get(&format!("calls?page_size={}&{query}", all - 2)).await.data();
        let token = first["next_page_token"].as_str().expect("there is another page");
        client.post(INSERT, batch(batch_id, Some(queue), vec![numbered(BUSY, json!(9), json!({}))])).await.data();
        let second = client.get(&format!("calls?page_size=2&page_token={token}&{query}")).await.data();
        assert_eq!(numbers(&second), [1, 0], "{query}");
        assert_eq!(second.get("next_page_token"), None, "{query}: it is the last page");
        assert_eq!(found(&client, &query, "contact_number", 1).await.len(), all + 1);
    }
}

#[tokio::test]
async fn a_search_that_cannot_be_is_400_at_its_field() {
    let (_server, client) = sandbox("1");
    let queue = client.insert(1, vec![item(ANSWERS), item(ANSWERS)]).await;
    let page = client.get(&format!("calls?page_size=1&queue_id={queue}")).await.data();
    let token = page["next_page_token"].as_str().expect("there is another page").to_owned();
    for (query, field) in [
        ("page_size=0".to_owned(), "page_size"),
        ("page_size=1001".to_owned(), "page_size"),
        ("page_token=x".to_owned(), "page_token"),
        (format!("page_token={token}"), "page_token"),
        (format!("page_token={token}&queue_id={queue}&status=failed"), "page_token"),
        ("call_id_prefix=xyz".to_owned(), "call_id_prefix"),
        ("call_id_prefix=-".to_owned(), "call_id_prefix"),
        (format!("call_id_prefix={}", "0".repeat(33)), "call_id_prefix"),
        ("contact_number=tomorrow".to_owned(), "contact_number"),
        ("label=team".to_owned(), "label"),
        ("label=Team:a".to_owned(), "label"),
        ("project=a%00b".to_owned(), "project"),
        ("asterisk_server_code=a%00b".to_owned(), "asterisk_server_code"),
        ("status=gone".to_owned(), "status"),
        ("created_from=tomorrow".to_owned(), "created_from"),
        ("ended_to=2026-01-01".to_owned(), "ended_to"),
        ("queue_id=0".to_owned(), "queue_id"),
        ("nonsense=1".to_owned(), "nonsense"),
    ] {
        let answer = client.get(&format!("calls?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.body["errors"][0]["field"], field, "{query}: {}", answer.body);
    }
    client.get("calls?queue_id=99999").await.error(404, "NOT_FOUND");
    // The length of a page may change from one to the next.
    let rest = client.get(&format!("calls?page_token={token}&page_size=7&queue_id={queue}")).await.data();
    assert_eq!(rest["results"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_client_finds_its_own_calls_and_an_administrator_those_of_all_or_of_one() {
    let setup = Setup::start().await;
    setup.drain().await;
    let created = json!({ "name": "other", "account_code": "other", "servers": ["server1"] });
    let created = setup.admin.post("admin/clients", created).await.data();
    let other = Api::new(&setup.server, created["api_key"].as_str().expect("a key"));
    let other_id = created["client_id"].as_i64().expect("an id");
    let labelled = |number: i64| numbered(ANSWERS, json!(number), json!({ "labels": { "team": "a" }, "project": "p" }));
    setup.client.insert(1, vec![labelled(1), labelled(2)]).await;
    let queue = other.insert(1, vec![labelled(1)]).await;
    let own = setup.client_id;
    for query in ["", "label=team:a", "project=p", "status=queued", "asterisk_server_code=server1", "trunk=endpoint1"] {
        let of = async |api: &Api, query: String| found(api, &query, "contact_number", 1).await;
        assert_eq!(of(&setup.client, query.to_owned()).await, [2, 1], "{query}");
        assert_eq!(of(&other, query.to_owned()).await, [1], "{query}");
        assert_eq!(of(&setup.admin, query.to_owned()).await, [1, 2, 1], "{query}");
        assert_eq!(of(&setup.admin, format!("{query}&client_id={own}")).await, [2, 1], "{query}");
        assert_eq!(of(&setup.admin, format!("{query}&client_id={other_id}")).await, [1], "{query}");
        assert_eq!(found(&setup.admin, query, "client_id", 9).await, [other_id, own, own], "{query}");
    }
    assert_eq!(found(&setup.client, &format!("client_id={own}"), "client_id", 9).await, [Value::Null, Value::Null]);
    setup.client.get(&format!("calls?client_id={other_id}")).await.error(403, "PERMISSION_DENIED");
    setup.client.get(&format!("calls?queue_id={queue}")).await.error(404, "NOT_FOUND");
    setup.admin.get("calls?client_id=99999").await.error(404, "NOT_FOUND");
    let theirs = other.calls(queue).await[0]["call_id"].as_str().expect("an id").to_owned();
    assert!(found(&setup.client, &format!("call_id_prefix={theirs}"), "call_id", 9).await.is_empty());
    assert_eq!(found(&setup.admin, &format!("call_id_prefix={theirs}"), "call_id", 9).await, [json!(theirs)]);
    let token = setup.client.get("calls?page_size=1").await.data()["next_page_token"].clone();
    let token = token.as_str().expect("there is another page").to_owned();
    let reused = other.get(&format!("calls?page_token={token}")).await;
    assert_eq!(reused.body["errors"][0]["field"], "page_token", "a token of one client is none of another's");
}

#[tokio::test]
async fn grpc_finds_the_same_calls_by_a_national_number_of_the_servers_country() {
    let setup = Setup::start().await;
    setup.drain().await;
    let german = json!({ "country_code": "49", "national_prefix": "0" });
    setup.admin.patch("admin/servers/server1", german).await.data();
    let number = |text: &str| numbered(ANSWERS, json!(text), json!({}));
    setup.client.insert(1, vec![number("030 23125018"), number("+49 30 23125018"), number("+1 202 555 0143")]).await;
    let mut calls = CallServiceClient::connect(setup.server.url("")).await.expect("a channel");
    for key in [setup.client.key().to_owned(), setup.server.admin_key()] {
        let (mut found, mut page_token) = (Vec::new(), None);
        loop {
            let mut request = Request::new(pb::ListCallsRequest {
                page_size: Some(1),
                page_token,
                contact_number: Some(3_023_125_018),
                contact_number_national: Some(true),
                ..Default::default()
            });
            request.metadata_mut().insert("x-api-key", key.parse().expect("a key"));
            let page = calls.list_calls(request).await.expect("a page").into_inner();
            found.extend(page.results.into_iter().map(|call| call.contact_number));
            page_token = page.next_page_token;
            if page_token.is_none() {
                break;
            }
        }
        assert_eq!(found, [Some(493_023_125_018); 2]);
    }
    let text = found(&setup.client, "contact_number=030%2023125018", "contact_number", 100).await;
    assert_eq!(text, [json!(493_023_125_018_i64), json!(493_023_125_018_i64)]);
}

#[tokio::test]
async fn labels_are_checked_at_their_fields_and_nothing_is_stored() {
    let (_server, client) = sandbox("1");
    let many: Value =
        (0..17).map(|number| (format!("k{number}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    let quick = |labels: &Value| {
        json!({
            "asterisk_server_code": "server1", "customer_name": "x", "number1": "1234567890", "labels": labels,
            "action": { "Action": "Originate", "Application": "Wait", "Data": "1" },
        })
    };
    for (labels, below) in [
        (json!({ "Team": "a" }), ".Team"),
        (json!({ "": "a" }), "."),
        (json!({ "a b": "a" }), ".a b"),
        (json!({ "team": "a\nb" }), ".team"),
        (json!({ "team": "${SHELL(id)}" }), ".team"),
        (json!({ "team": "x".repeat(256) }), ".team"),
        (json!({ "team": 1 }), ".team"),
        (json!({ "a.b": "1", "a-b": "2" }), ""),
        (many, ""),
    ] {
        let labelled = numbered(ANSWERS, json!(1), json!({ "labels": labels }));
        let whole = json!({ "batch_id": 1, "labels": labels, "data": [item(ANSWERS)] });
        for (path, body, field) in [
            (INSERT, batch(1, None, vec![labelled]), format!("data[0].labels{below}")),
            (INSERT, whole, format!("labels{below}")),
            (QUICK, quick(&labels), format!("labels{below}")),
        ] {
            let answer = client.post(path, body).await;
            assert_eq!(answer.status, 400, "{labels}");
            assert_eq!(answer.body["errors"][0]["field"], field.as_str(), "{}", answer.body);
        }
    }
    let variables: Vec<String> = (0..100).map(|number| format!("V{number}=1")).collect();
    let mut full = numbered(ANSWERS, json!(1), json!({ "labels": { "team": "a" } }));
    full["action"]["Variable"] = json!(variables.join(","));
    let answer = client.post(INSERT, batch(1, None, vec![full])).await;
    assert_eq!(answer.body["errors"][0]["field"], "data[0].labels", "{}", answer.body);
    assert_eq!(client.get("calls").await.data()["results"], json!([]));
    assert_eq!(client.get("queues/getmasterqueues").await.data()["count"], 0);
}

#[tokio::test]
async fn a_queue_keeps_the_labels_of_the_request_that_created_it_and_is_found_by_them() {
    let (_server, client) = sandbox("20");
    let new = |batch_id: i64, labels: Value| json!({ "batch_id": batch_id, "labels": labels, "data": [item(ANSWERS)] });
    let first = client.post(INSERT, new(1, json!({ "team": "a" }))).await.data()["queue_id"].clone();
    let second = client.post(INSERT, new(2, json!({ "team": "b" }))).await.data()["queue_id"].clone();
    client.insert(3, vec![item(ANSWERS)]).await;
    assert_eq!(client.post(INSERT, new(1, json!({ "team": "a" }))).await.data()["queue_id"], first, "it is a replay");
    client.post(INSERT, new(1, json!({ "team": "c" }))).await.error(409, "ALREADY_EXISTS");
    for (query, ids) in [("label=team:a", json!([first])), ("label=team:b", json!([second])), ("label=x:y", json!([]))]
    {
        let found = client.get(&format!("queues/getmasterqueues?{query}")).await.data();
        let results = found["results"].as_array().expect("a list");
        assert_eq!(results.iter().map(|queue| queue["queue_id"].clone()).collect::<Vec<_>>(), *ids.as_array().unwrap());
        assert_eq!(found["count"], results.len());
    }
    assert_eq!(get(&client, first.as_i64().expect("an id")).await["labels"], json!({ "team": "a" }));
    let calls = client.calls(first.as_i64().expect("an id")).await;
    assert_eq!(calls[0].get("labels"), None, "a queue's labels are not those of its calls");
    let mut added = new(4, json!({ "team": "a" }));
    added["queue_id"] = first;
    let answer = client.post(INSERT, added).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["errors"][0]["field"]),
        (400, &json!("labels")),
        "{}",
        answer.body
    );
    let wrong = client.get("queues/getmasterqueues?label=team").await;
    assert_eq!((wrong.status.as_u16(), &wrong.body["errors"][0]["field"]), (400, &json!("label")));
}
