//! Tests the guide's requests, byte for byte, and its paths.

use http::Method;
use serde_json::json;
use trunkline::pb::{OriginateAction, QueueStatus, Timestamp};

use crate::support::App;

const NEW_QUEUE: &str = include_str!("../data/guide/insertdataincallqueue_new.json");
const EXISTING_QUEUE: &str = include_str!("../data/guide/insertdataincallqueue_existing.json");
const QUICK_CALL: &str = include_str!("../data/guide/insertquickcall.json");

/// Returns every form in which the guide's clients may write a path.
fn forms(path: &str) -> [String; 4] {
    ["/calling/api/v1/", "/calling/api/"]
        .map(|base| [format!("{base}{path}"), format!("{base}{path}/")])
        .concat()
        .try_into()
        .unwrap()
}

#[tokio::test]
async fn the_example_of_a_new_queue_works_at_every_form_of_its_path() {
    for path in forms("queues/insertdataincallqueue") {
        let app = App::new();
        let answer = app.post(&path, NEW_QUEUE).await;
        let body = r#"{"message":"Queue data inserted successfully","status":"success","data":{"queue_id":123,"inserted_count":1,"batch_id":12345}}"#;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, body), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn every_field_of_the_example_reaches_the_service() {
    let app = App::new();
    app.insert(NEW_QUEUE).await;
    let batch = app.batch();
    assert_eq!((batch.queue_id, batch.batch_id), (None, Some(12345)));
    assert_eq!(batch.dids, ["+1234567890", "+0987654321"]);
    let item = &batch.data[0];
    assert_eq!(item.asterisk_server_code, "server1");
    assert_eq!(item.caller_id.as_deref(), Some("Your Company <1001>"));
    assert_eq!((item.retry, item.create_recording), (3, true));
    assert_eq!(item.recording_path.as_deref(), Some("/recordings/call_123.wav"));
    assert_eq!(item.mix_monitor_command.as_deref(), Some("MixMonitor /recordings/call_123.wav"));
    assert_eq!((item.contact_number, item.project.as_deref()), (Some(1_234_567_890), Some("campaign_2024")));
    assert_eq!(item.deadline, Some(Timestamp { seconds: 1_735_689_599, nanos: 0 }));
    let expected = OriginateAction {
        action: "Originate".to_owned(),
        action_id: Some("call-uuid-1234".to_owned()),
        channel: Some("PJSIP/1234567890@endpoint1".to_owned()),
        application: Some("Dial".to_owned()),
        data: Some("PJSIP/0987654321@endpoint2,30".to_owned()),
        caller_id: Some("Your Company <1001>".to_owned()),
        account: Some("your_account_code".to_owned()),
        r#async: Some(true),
        channel_id: Some("channel-123".to_owned()),
        ..OriginateAction::default()
    };
    assert_eq!(item.action.as_ref(), Some(&expected));
}

#[tokio::test]
async fn the_example_of_an_existing_queue_names_it() {
    let app = App::new();
    assert_eq!(app.insert(EXISTING_QUEUE).await.status, 200);
    assert_eq!((app.batch().queue_id, app.batch().batch_id), (Some(123), Some(12346)));
}

#[tokio::test]
async fn the_quick_call_example_works_with_the_commas_at_its_ends() {
    for path in forms("queues/insertquickcall") {
        let app = App::new();
        let answer = app.post(&path, QUICK_CALL).await;
        let body = r#"{"message":"Quick call inserted successfully","status":"success","data":{"call_id":"call-uuid-1234","queue_id":124}}"#;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, body), "{path}");
        let call = app.recorder.quick_call.lock().unwrap().clone().unwrap();
        assert_eq!((call.customer_name.as_str(), call.create_recording), ("John Doe", Some(true)));
    }
}

#[tokio::test]
async fn updating_a_queue_takes_its_id_from_the_path() {
    for path in forms("queues/updatequeuemaster/9007199254740993") {
        let app = App::new();
        let body = r#"{"queue_status": "paused", "retry": true, "retry_count": 3, "retry_gap": 300}"#;
        let answer = app.send(app.request(Method::PUT, &path, body)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["data"]["queue_id"], json!(9_007_199_254_740_993_i64));
        let update = app.recorder.update.lock().unwrap().unwrap();
        assert_eq!((update.queue_id, update.queue_status()), (9_007_199_254_740_993, QueueStatus::Paused));
        assert_eq!((update.retry, update.retry_count, update.retry_gap), (Some(true), Some(3), Some(300)));
    }
}

#[tokio::test]
async fn lists_take_their_page_from_the_query() {
    for path in forms("queues/getmasterqueues") {
        let answer = App::new().get(&format!("{path}?page=2&page_size=50")).await.json();
        assert_eq!((&answer["data"]["page"], &answer["data"]["page_size"]), (&json!(2), &json!(50)));
        assert_eq!(answer["message"], "Queues fetched successfully");
    }
    for path in forms("queues/getqueues") {
        let app = App::new();
        let answer = app.get(&format!("{path}?master_queue_id=123&status=no-such&status=queued")).await;
        assert_eq!(answer.status, 400);
        let answer = app.get(&format!("{path}?master_queue_id=123&status=queued")).await;
        let data = json!({"results": [], "count": 0, "page": 0, "page_size": 0});
        assert_eq!(answer.json()["data"], data);
        assert_eq!(app.recorder.list.lock().unwrap().clone().unwrap().master_queue_id, Some(123));
    }
}

#[tokio::test]
async fn the_connection_can_be_tested() {
    for path in forms("clients/test-connection") {
        let answer = App::new().get(&path).await.json();
        assert_eq!((&answer["status"], &answer["data"]["name"]), (&json!("success"), &json!("sandbox")));
    }
}

#[tokio::test]
async fn a_path_parameter_is_decoded() {
    let answer = App::new().get("/calling/api/calls/a%2Fb%20c").await;
    assert_eq!(answer.json()["data"]["call_id"], "a/b c");
}
