//! Tests the contract's section "JSON": which bodies are accepted, and the errors of those that are not.

use http::Method;
use serde_json::json;

use crate::support::{App, INSERT};

/// Makes a batch with one item, whose fields begin with the text `item`.
fn with_item(fields: &str) -> String {
    format!(r#"{{"batch_id": 1, "data": [{{"asterisk_server_code": "server1", {fields}}}]}}"#)
}

#[tokio::test]
async fn large_integers_survive_both_ways_as_numbers_and_as_digits() {
    let app = App::new();
    for batch_id in ["9007199254740993", "\"9007199254740993\"", "9223372036854775807", "-9223372036854775808"] {
        let answer = app.insert(format!(r#"{{"queue_id": {batch_id}, "batch_id": {batch_id}, "data": []}}"#)).await;
        let number: i64 = batch_id.trim_matches('"').parse().unwrap();
        assert_eq!((app.batch().queue_id, app.batch().batch_id), (Some(number), Some(number)));
        assert_eq!(answer.json()["data"]["batch_id"], json!(number));
    }
    let queue = &app.get("/calling/api/queues/getmasterqueues").await.json()["data"]["results"][0];
    assert_eq!((&queue["queue_id"], &queue["batches"]), (&json!(9_007_199_254_740_993_i64), &json!([i64::MAX])));
}

#[tokio::test]
async fn null_is_the_same_as_leaving_a_field_out() {
    let app = App::new();
    let answer = app
        .insert(
            r#"{"queue_id": null, "batch_id": 1, "dids": null, "data": [
                {"asterisk_server_code": null, "action": null, "retry": null, "create_recording": null,
                 "deadline": null, "contact_number": null},
                {"asterisk_server_code": "s", "action": {"Action": null, "Channel": "c", "Timeout": null,
                 "variables": {"A": "1", "B": null}}}]}"#,
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (nulls, plain) = (app.batch(), App::new());
    let answer = plain
        .insert(
            r#"{"batch_id": 1, "data": [{}, {"asterisk_server_code": "s",
                "action": {"Channel": "c", "variables": {"A": "1"}}}]}"#,
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(nulls, plain.batch());
}

#[tokio::test]
async fn a_whole_number_may_be_written_as_a_fraction() {
    let app = App::new();
    let answer = app.insert(r#"{"batch_id": 12345.0, "data": [{"retry": 3.0}, {"retry": 3e0}, {"retry": "3"}]}"#).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let batch = app.batch();
    assert_eq!((batch.batch_id, batch.data[0].retry, batch.data[1].retry, batch.data[2].retry), (Some(12345), 3, 3, 3));
    let beyond_exact = r#"{"batch_id": 9007199254740993.0}"#;
    assert!(app.insert(beyond_exact).await.violation().starts_with("batch_id: expected an integer of 64 bits"));
}

#[tokio::test]
async fn null_is_no_element_of_a_list() {
    let app = App::new();
    let answer = app.insert(r#"{"batch_id": 1, "data": [null]}"#).await;
    assert_eq!(answer.violation(), "data[0]: expected an object, got null");
    let answer = app.insert(r#"{"batch_id": 1, "dids": ["+1", null]}"#).await;
    assert_eq!(answer.violation(), "dids[1]: expected a string, got null");
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_named_at_its_field() {
    let app = App::new();
    for (body, message) in [
        (with_item(r#""retry": "many""#), "data[0].retry: expected an integer, got a string"),
        (with_item(r#""retry": 1.5"#), "data[0].retry: expected an integer from -2147483648 to 2147483647, got 1.5"),
        (
            with_item(r#""retry": 3000000000"#),
            "data[0].retry: expected an integer from -2147483648 to 2147483647, got 3000000000",
        ),
        (with_item(r#""retry": true"#), "data[0].retry: expected an integer, got a boolean"),
        (with_item(r#""contact_number": 1e40"#), "data[0].contact_number: expected an integer of 64 bits, got 1e+40"),
        (with_item(r#""contact_number": []"#), "data[0].contact_number: expected an integer, got a list"),
        (with_item(r#""create_recording": "yes""#), "data[0].create_recording: expected true or false, got a string"),
        (with_item(r#""project": 5"#), "data[0].project: expected a string, got a number"),
        (with_item(r#""action": "Originate""#), "data[0].action: expected an object, got a string"),
        (with_item(r#""action": {"ChannelId": 5}"#), "data[0].action.ChannelId: expected a string, got a number"),
        (with_item(r#""action": {"channel_id": 5}"#), "data[0].action.ChannelId: expected a string, got a number"),
        (
            with_item(r#""action": {"variables": {"A": 1}}"#),
            "data[0].action.variables.A: expected a string, got a number",
        ),
        (with_item(r#""action": {"variables": "A=1"}"#), "data[0].action.variables: expected an object, got a string"),
        (with_item(r#""deadline": "soon""#), "data[0].deadline: expected an RFC 3339 time, got \"soon\""),
        (
            with_item(r#""deadline": 1735689599"#),
            "data[0].deadline: expected an RFC 3339 time in a string, got a number",
        ),
        (r#"{"data": {}}"#.to_owned(), "data: expected a list, got an object"),
        (r#"{"batch_id": {}}"#.to_owned(), "batch_id: expected an integer, got an object"),
    ] {
        let answer = app.insert(body).await;
        assert_eq!(answer.violation(), message);
    }
    assert!(app.recorder.batch.lock().unwrap().is_none(), "a part of it reached the service");
}

#[tokio::test]
async fn an_enum_takes_its_own_names_only() {
    let app = App::new();
    for status in ["unspecified", "IN_PROGRESS", "inprogress", ""] {
        let body = format!(r#"{{"queue_status": "{status}"}}"#);
        let answer = app.send(app.request(Method::PUT, "/calling/api/queues/updatequeuemaster/1", body)).await;
        let expected = format!("queue_status: expected one of in-progress, paused, completed, got \"{status}\"");
        assert_eq!(answer.violation(), expected);
    }
    let answer = app.get("/calling/api/queues/getqueues?master_queue_id=1&status=unspecified").await;
    assert!(answer.violation().starts_with("status: expected one of queued, dialing, ringing,"));
}

#[tokio::test]
async fn an_unknown_field_is_refused_with_the_nearest_name() {
    let app = App::new();
    for (body, message) in [
        (with_item(r#""action": {"Timeot": 5}"#), r#"data[0].action.Timeot: unknown field, did you mean "Timeout"?"#),
        (with_item(r#""deadlin": 5"#), r#"data[0].deadlin: unknown field, did you mean "deadline"?"#),
        (r#"{"batchId": 5}"#.to_owned(), r#"batchId: unknown field, did you mean "batch_id"?"#),
    ] {
        assert_eq!(app.insert(body).await.violation(), message);
    }
}

#[tokio::test]
async fn a_field_that_is_there_twice_is_refused() {
    let app = App::new();
    assert_eq!(app.insert(r#"{"batch_id": 1, "batch_id": 2}"#).await.violation(), "batch_id: is given more than once");
    let answer = app.insert(with_item(r#""action": {"Channel": "a", "Channel": "b"}"#)).await;
    assert_eq!(answer.violation(), "data[0].action.Channel: is given more than once");
    let body = r#"{"queue_id": 5, "retry": true}"#;
    let answer = app.send(app.request(Method::PUT, "/calling/api/queues/updatequeuemaster/5", body)).await;
    assert_eq!(answer.violation(), "queue_id: is given in the path or query already");
}

#[tokio::test]
async fn the_top_level_is_an_object() {
    let app = App::new();
    for (body, got) in [("[]", "a list"), ("5", "a number"), ("null", "null"), ("\"data\"", "a string")] {
        assert_eq!(app.insert(body).await.violation(), format!("the body: expected an object, got {got}"));
    }
}

#[tokio::test]
async fn what_is_no_json_is_refused_with_line_and_column() {
    let app = App::new();
    for (body, message) in [
        ("{\"batch_id\": 1", "EOF while parsing an object at line 1 column 14"),
        ("{\n  \"batch_id\": x}", "expected value at line 2 column 15"),
        ("{'batch_id': 1}", "key must be a string at line 1 column 2"),
        ("{\"batch_id\": 1} // one", "trailing characters at line 1 column 17"),
        ("{\"batch_id\": 1} {}", "trailing characters at line 1 column 17"),
        ("{\"batch_id\": 01}", "invalid number at line 1 column 15"),
        ("not json", "expected ident at line 1 column 2"),
    ] {
        let answer = app.insert(body).await;
        let expected = format!("the body is not valid JSON: {message}");
        assert_eq!(answer.error(400, "INVALID_ARGUMENT"), expected, "{body}");
        assert_eq!(answer.json()["errors"], json!([]));
    }
    let answer = app.insert(&b"{\"batch_id\": \"\xff\"}"[..]).await;
    assert!(answer.error(400, "INVALID_ARGUMENT").contains("line 1 column"));
}

#[tokio::test]
async fn trailing_commas_do_not_hide_another_fault() {
    let app = App::new();
    let answer = app.insert(r#"{"batch_id": 1, "data": [{"retry": "x",},],}"#).await;
    assert_eq!(answer.violation(), "data[0].retry: expected an integer, got a string");
    let answer = app.insert(r#"{"batch_id": 1,, "data": [],}"#).await;
    assert!(answer.error(400, "INVALID_ARGUMENT").contains("line 1 column"));
}

#[tokio::test]
async fn a_deeply_nested_body_is_refused_and_not_followed() {
    let app = App::new();
    let body = "[".repeat(200_000);
    assert_eq!(app.insert(format!("{{\"data\": {body}")).await.status, 400);
}

#[tokio::test]
async fn a_time_without_an_offset_is_utc_with_a_warning() {
    let app = App::new();
    let body = r#"{"batch_id": 1, "data": [
        {"deadline": "2030-01-01T00:00:00"}, {"deadline": "2030-01-01T00:00:00Z"}, {"deadline": "2030-01-01 00:00:00"},]}"#;
    let answer = app.insert(body).await;
    let warnings =
        json!(["data[0].deadline: has no offset, taken as UTC", "data[2].deadline: has no offset, taken as UTC"]);
    assert_eq!(answer.json()["data"]["warnings"], warnings);
    let data = app.batch().data;
    assert_eq!((data[0].deadline, data[2].deadline), (data[1].deadline, data[1].deadline));
}

#[tokio::test]
async fn query_parameters_are_checked_all_at_once() {
    let app = App::new();
    let answer = app.get("/calling/api/queues/getmasterqueues?page=x&pagesize=5&page_size=5&page_size=6").await;
    answer.error(400, "INVALID_ARGUMENT");
    assert_eq!(
        answer.json()["errors"],
        json!([
            {"field": "page", "message": "expected an integer, got \"x\""},
            {"field": "pagesize", "message": "unknown parameter, did you mean \"page_size\"?"},
            {"field": "page_size", "message": "is given more than once"},
        ])
    );
    assert_eq!(app.get("/calling/api/queues/getmasterqueues?page=&page_size=").await.status, 200);
    let answer = app.post(&format!("{INSERT}?dry_run=1"), "{}").await;
    assert!(answer.violation().starts_with("dry_run: unknown parameter"));
    let answer = app.send(app.request(Method::PUT, "/calling/api/queues/updatequeuemaster/abc", "{}")).await;
    assert_eq!(answer.violation(), "queue_id: expected an integer, got \"abc\"");
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object() {
    let app = App::new();
    let mut request = app.request(Method::POST, INSERT, "");
    request.headers_mut().remove("content-type");
    assert_eq!(app.send(request).await.status, 200);
    assert_eq!(app.batch().batch_id, None);
}
