//! Tests that events say what a dashboard shows, and that a watcher can choose which ones it is sent.

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tonic::Code;
use tonic::metadata::MetadataValue;
use trunkline::pb::call_service_client::CallServiceClient;
use trunkline::pb::{CallEvent, CallEventType, QueueStatus, WatchCallsRequest};

use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;

fn sandbox() -> (Server, Api, Api) {
    let server = Options::default().arg("--sandbox").arg("--sandbox-speed").arg("20").start();
    let (client, admin) = (Api::sandbox(&server), Api::admin(&server));
    (server, client, admin)
}

/// Makes an item for a person who has this number.
fn item_for(contact_number: i64, channel: &str) -> Value {
    let mut item = item("server1", channel, "1");
    item["contact_number"] = contact_number.into();
    item
}

/// Watches over gRPC until an event is the last one of interest.
async fn watched(
    server: &Server,
    key: &str,
    request: WatchCallsRequest,
    is_last: impl Fn(&CallEvent) -> bool,
) -> Vec<CallEvent> {
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    let mut request = tonic::Request::new(request);
    request.metadata_mut().insert("x-api-key", MetadataValue::try_from(key).expect("a key"));
    let mut stream = grpc.watch_calls(request).await.expect("a stream").into_inner();
    let mut seen = Vec::new();
    let watching = async {
        loop {
            let event = stream.next().await.expect("an open stream").expect("a message").event.expect("an event");
            seen.push(event);
            if seen.last().is_some_and(&is_last) {
                return;
            }
        }
    };
    tokio::time::timeout(wait::PATIENCE, watching).await.expect("the last event");
    seen
}

/// Watches from the beginning until this queue is completed.
async fn until_completed(server: &Server, key: &str, queue: i64, request: WatchCallsRequest) -> Vec<CallEvent> {
    let completed = |event: &CallEvent| event.queue_id == queue && event.queue_status() == QueueStatus::Completed;
    watched(server, key, WatchCallsRequest { after: Some(0), ..request }, completed).await
}

fn of_type(events: &[CallEvent], kind: CallEventType) -> Vec<&CallEvent> {
    events.iter().filter(|event| event.r#type() == kind).collect()
}

#[tokio::test]
async fn the_events_of_a_call_say_what_a_dashboard_shows_of_it() {
    let (server, client, admin) = sandbox();
    let channel = "PJSIP/4912345@endpoint1";
    let queue = client.insert(1, vec![item_for(4_930_123_456, channel)]).await;
    let events = until_completed(&server, client.key(), queue, WatchCallsRequest::default()).await;
    let of_call: Vec<&CallEvent> = events.iter().filter(|event| event.call_id.is_some()).collect();
    assert!(of_call.len() >= 4, "{events:?}");
    for event in &of_call {
        assert_eq!((event.asterisk_server_code.as_deref(), event.client_id), (Some("server1"), None), "{event:?}");
        // They are said once for each attempt and at the end, so that the stream grows little.
        let says = matches!(event.r#type(), CallEventType::Dialing | CallEventType::Ended);
        let expected = says.then_some((4_930_123_456, channel));
        assert_eq!(event.contact_number.zip(event.channel.as_deref()), expected, "{event:?}");
    }
    let call = client.get(&format!("calls/{}", of_call[0].call_id())).await.data();
    let end = of_type(&events, CallEventType::Ended)[0];
    assert!(call["billable_seconds"].is_i64(), "{call}");
    let timeline = call["timeline"].as_array().expect("a timeline");
    let shown = timeline.iter().find(|event| event["type"] == "ended").expect("the end");
    for (said, field) in [(end.duration, "duration"), (end.billable_seconds, "billable_seconds")] {
        assert!(said.is_some(), "{end:?}");
        assert_eq!(shown[field], json!(said), "over REST: {shown}");
    }
    assert_eq!(call["duration"], json!(end.duration), "{call}");
    let completed = events.last().expect("an event");
    assert_eq!((completed.detail.as_deref(), completed.asterisk_server_code.as_ref()), (Some("completed"), None));
    let counts = completed.counts.expect("counts");
    assert_eq!((counts.completed, counts.queued, counts.answered), (1, 0, 0), "{completed:?}");

    let seen = until_completed(&server, admin.key(), queue, WatchCallsRequest::default()).await;
    let client_id = seen[0].client_id.expect("an administrator sees whose events they are");
    assert!(client_id > 0 && seen.iter().all(|event| event.client_id == Some(client_id)), "{seen:?}");
}

#[tokio::test]
async fn a_snapshot_says_what_lives_and_how_many() {
    let (server, client, admin) = sandbox();
    // The first answers and never hangs up.
    let channel = "PJSIP/4906@endpoint1";
    let queue = client.insert(1, vec![item_for(49_306, channel)]).await;
    wait::until_async("the call is answered", async || {
        (client.queue(queue).await["counts"]["answered"] == 1).then_some(())
    })
    .await;
    let is_complete = |event: &CallEvent| event.r#type() == CallEventType::SnapshotComplete;
    for (key, is_admin) in [(client.key(), false), (admin.key(), true)] {
        for (server_code, count) in [(None, 1), (Some("server1"), 1), (Some("elsewhere"), 0)] {
            let asterisk_server_code = server_code.map(str::to_owned);
            let request = WatchCallsRequest { asterisk_server_code, ..Default::default() };
            let seen = watched(&server, key, request, is_complete).await;
            let snapshots = of_type(&seen, CallEventType::Snapshot);
            let complete = seen.last().expect("the end of the snapshot");
            assert_eq!((snapshots.len(), complete.count, &complete.detail), (count, Some(count as i32), &None));
            for live in snapshots {
                assert_eq!(
                    (live.contact_number, live.channel.as_deref(), live.asterisk_server_code.as_deref()),
                    (Some(49_306), Some(channel), Some("server1"))
                );
                assert_eq!(live.client_id.is_some(), is_admin);
                assert!(live.duration.is_some_and(|seconds| (0..60).contains(&seconds)), "{live:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_call_that_was_never_dialed_says_what_it_would_have_dialed() {
    let (server, client, _) = sandbox();
    let mut late = item_for(49_301, "PJSIP/4901@endpoint1");
    late["deadline"] = json!("2020-01-01T00:00:00Z");
    let queue = client.insert(1, vec![late, item_for(49_306, "PJSIP/4906@endpoint1")]).await;
    let quick = json!({
        "asterisk_server_code": "server1", "customer_name": "Eve", "number1": "4901234501", "number2": "4901234502",
        "action": { "Action": "Originate", "Application": "Dial" },
    });
    client.post("queues/insertquickcall", quick).await.data();
    client.put(&format!("queues/updatequeuemaster/{queue}"), json!({ "queue_status": "paused" })).await.data();
    let is_paused = |event: &CallEvent| event.queue_id == queue && event.queue_status() == QueueStatus::Paused;
    let events = watched(&server, client.key(), WatchCallsRequest { after: Some(0), ..Default::default() }, is_paused);
    let events = events.await;
    let expired = of_type(&events, CallEventType::Ended)[0];
    assert_eq!((expired.contact_number, expired.channel.as_deref()), (Some(49_301), Some("PJSIP/4901@endpoint1")));
    assert_eq!((expired.asterisk_server_code.as_deref(), expired.duration), (Some("server1"), None), "{expired:?}");
    let queued = of_type(&events, CallEventType::Queued)[0];
    assert_eq!(queued.channel.as_deref(), Some("PJSIP/4901234501@endpoint1"), "{queued:?}");
    assert_eq!(queued.asterisk_server_code.as_deref(), Some("server1"));
}

#[tokio::test]
async fn every_change_of_a_queue_is_an_event_with_the_queue_after_it() {
    let (server, client, _) = sandbox();
    let made = client.post("queues", json!({ "paused": true })).await.data();
    let queue = made["queue_id"].as_i64().expect("an id");
    let mut batch = json!({ "queue_id": queue, "batch_id": 1 });
    batch["data"] = json!([item("server1", "PJSIP/4901@endpoint1", "1"), item("server1", "PJSIP/4901@endpoint1", "1")]);
    client.post("queues/insertdataincallqueue", batch).await.data();
    let path = format!("queues/{queue}");
    client.patch(&format!("{path}/rules"), json!({ "weight": 2 })).await.data();
    client.post(&format!("{path}/cancel"), json!({})).await.data();
    client.delete(&path).await.data();
    let request = WatchCallsRequest { queue_id: Some(queue), after: Some(0), ..Default::default() };
    let events = watched(&server, client.key(), request, |event| event.detail() == "deleted").await;
    let seen: Vec<_> = of_type(&events, CallEventType::QueueUpdated)
        .into_iter()
        .map(|event| {
            let counts = event.counts.expect("counts");
            (event.detail(), event.queue_status(), counts.queued, counts.canceled)
        })
        .collect();
    let expected = [
        ("created", QueueStatus::Paused, 0, 0),
        ("rules", QueueStatus::Paused, 2, 0),
        ("canceled", QueueStatus::Completed, 2, 0),
        ("deleted", QueueStatus::Completed, 0, 2),
    ];
    assert_eq!(seen, expected);
    for ended in of_type(&events, CallEventType::Ended) {
        let said = (ended.channel.as_deref(), ended.asterisk_server_code.as_deref());
        assert_eq!(said, (Some("PJSIP/4901@endpoint1"), Some("server1")), "{ended:?}");
    }
}

#[tokio::test]
async fn a_watcher_is_sent_what_passes_all_of_its_filters_and_resumes_exactly() {
    let (server, client, _) = sandbox();
    let items = |count: usize| (0..count).map(|_| item("server1", "PJSIP/4901@endpoint1", "1")).collect();
    let queues = [client.insert(1, items(3)).await, client.insert(2, items(4)).await, client.insert(3, items(5)).await];
    for queue in queues {
        client.wait_until_completed(queue).await;
    }
    let all = until_completed(&server, client.key(), queues[2], WatchCallsRequest::default());
    let last = all.await.last().expect("an event").seq;
    let all = watched(&server, client.key(), WatchCallsRequest { after: Some(0), ..Default::default() }, |event| {
        event.seq >= last && event.queue_status() == QueueStatus::Completed
    })
    .await;

    let request = WatchCallsRequest {
        queue_id: Some(queues[0]),
        queue_ids: vec![queues[2]],
        asterisk_server_code: Some("server1".to_owned()),
        types: vec![CallEventType::Dialing.into(), CallEventType::Ended.into()],
        ..Default::default()
    };
    let wanted: Vec<&CallEvent> = all
        .iter()
        .filter(|event| [queues[0], queues[2]].contains(&event.queue_id))
        .filter(|event| matches!(event.r#type(), CallEventType::Dialing | CallEventType::Ended))
        .collect();
    assert_eq!(wanted.len(), 16);
    // The stream is cut after each event, and resumed at its cursor.
    let mut after = 0;
    for event in wanted {
        let request = WatchCallsRequest { after: Some(after), ..request.clone() };
        let next = watched(&server, client.key(), request, |_| true).await.remove(0);
        assert_eq!(&next, event);
        after = next.seq;
    }
    let of_server = WatchCallsRequest { asterisk_server_code: Some("server1".to_owned()), ..Default::default() };
    let of_server = WatchCallsRequest { after: Some(0), ..of_server };
    let first = watched(&server, client.key(), of_server, |_| true).await.remove(0);
    assert_eq!(first.r#type(), CallEventType::Dialing, "a batch belongs to no server");
}

#[tokio::test]
async fn a_watcher_of_a_label_is_sent_all_events_of_its_calls_and_resumes_exactly() {
    let (server, client, admin) = sandbox();
    let labelled = |team: &str, channel: &str| {
        let mut item = item("server1", channel, if channel.contains("4906") { "600" } else { "1" });
        item["labels"] = json!({ "team": team });
        item
    };
    // A phone whose number ends in 06 never hangs up.
    let items = [("a", "PJSIP/4990@endpoint1"), ("b", "PJSIP/4990@endpoint1"), ("a", "PJSIP/4906@endpoint1")];
    let queue = client.insert(1, items.map(|(team, channel)| labelled(team, channel)).to_vec()).await;
    wait::until_async("two calls have ended and one is live", async || {
        let counts = client.queue(queue).await["counts"].clone();
        (counts["completed"] == 2 && counts["answered"] == 1).then_some(())
    })
    .await;
    let calls = client.calls(queue).await;
    let last = calls[2]["call_id"].as_str().expect("an id").to_owned();
    let of_team = |team: &str| WatchCallsRequest { label: Some(format!("team:{team}")), ..Default::default() };
    let from_the_beginning = |team: &str| WatchCallsRequest { after: Some(0), ..of_team(team) };
    let timelines = async |calls: &[&Value]| -> Vec<i64> {
        let mut seqs = Vec::new();
        for call in calls {
            let shown = client.get(&format!("calls/{}", call["call_id"].as_str().expect("an id"))).await.data();
            seqs.extend(
                shown["timeline"].as_array().expect("a list").iter().map(|event| event["seq"].as_i64().unwrap()),
            );
        }
        seqs.sort_unstable();
        seqs
    };
    let of_a = timelines(&[&calls[0], &calls[2]]).await;
    for key in [client.key(), admin.key()] {
        let end = *of_a.last().expect("an event");
        let seen = watched(&server, key, from_the_beginning("a"), |event| event.seq == end).await;
        assert_eq!(seen.iter().map(|event| event.seq).collect::<Vec<_>>(), of_a);
        let mut after = 0;
        for event in &seen {
            let request = WatchCallsRequest { after: Some(after), ..of_team("a") };
            assert_eq!(&watched(&server, key, request, |_| true).await[0], event);
            after = event.seq;
        }
        let is_complete = |event: &CallEvent| event.r#type() == CallEventType::SnapshotComplete;
        let live = watched(&server, key, of_team("a"), is_complete).await;
        assert_eq!(live.iter().filter_map(|event| event.call_id.as_deref()).collect::<Vec<_>>(), [&last]);
        assert_eq!(watched(&server, key, of_team("b"), is_complete).await[0].count, Some(0));
    }
}

#[tokio::test]
async fn filters_that_name_nothing_are_refused() {
    let (server, client, _) = sandbox();
    let queue = client.insert(1, vec![item("server1", "PJSIP/4901@endpoint1", "1")]).await;
    client.get(&format!("calls/watch?queue_ids={queue}&queue_ids=4711")).await.error(404, "NOT_FOUND");
    for (query, field) in [
        ("types=ended&types=snapshot", "types[1]"),
        ("types=heartbeat", "types[0]"),
        ("label=team", "label"),
        ("label=Team:a", "label"),
        ("asterisk_server_code=%20&types=ended&types=ended", "types[1]"),
    ] {
        let answer = client.get(&format!("calls/watch?{query}")).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    let mut grpc = CallServiceClient::connect(server.url("")).await.expect("a channel");
    for request in [
        WatchCallsRequest { types: vec![99], ..Default::default() },
        WatchCallsRequest { asterisk_server_code: Some(String::new()), ..Default::default() },
        WatchCallsRequest { queue_ids: vec![queue; 101], ..Default::default() },
    ] {
        let mut request = tonic::Request::new(request);
        request.metadata_mut().insert("x-api-key", MetadataValue::try_from(client.key()).expect("a key"));
        let refused = grpc.watch_calls(request).await.map_or_else(|refused| refused.code(), |_| Code::Ok);
        assert_eq!(refused, Code::InvalidArgument);
    }
}
