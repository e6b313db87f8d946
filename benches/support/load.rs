//! Makes a queue with any number of calls by streaming them in.

use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use trunkline::pb::queue_service_client::QueueServiceClient;
use trunkline::pb::stream_items_request::Part;
use trunkline::pb::{OriginateAction, QueueItem, StreamBegin, StreamItemsRequest, StreamedItems};

use crate::support::api::{Api, item};
use crate::support::server::Server;

/// How many items are in one message.
const EACH: i64 = 1000;

/// Makes a paused queue with one live call and returns its id.
pub async fn paused_queue(client: &Api) -> i64 {
    // The call never hangs up, so that the queue does not complete.
    let queue = client.insert(1, vec![item("server1", "PJSIP/1234567806@endpoint1", "1")]).await;
    client.put(&format!("queues/updatequeuemaster/{queue}"), json!({ "queue_status": "paused" })).await.data();
    queue
}

/// Streams items into a queue until it has `calls`, or until `enough` of them are stored. It continues where an earlier
/// stream was cut.
pub async fn stream(server: &Server, client: &Api, queue: i64, calls: i64, enough: Option<i64>) {
    let items = calls - 1;
    let mut grpc = QueueServiceClient::connect(server.url("")).await.expect("a channel");
    let (to, messages) = mpsc::channel(4);
    let mut request = Request::new(ReceiverStream::new(messages));
    request.metadata_mut().insert("x-api-key", client.key().parse().expect("a key"));
    let mut answers = grpc.stream_items(request).await.expect("a stream").into_inner();
    let begin = StreamBegin {
        stream_id: "load".into(),
        queue_id: Some(queue),
        dids: vec!["+1".into(), "+2".into()],
        ..Default::default()
    };
    to.send(StreamItemsRequest { part: Some(Part::Begin(begin)) }).await.expect("a server");
    let mut stored = answers.message().await.expect("an answer").expect("an answer").stored;
    let from = stored;
    tokio::spawn(async move {
        let mut position = from;
        while position < items {
            let end = (position + EACH).min(items);
            let part = Some(Part::Items(StreamedItems { position, items: (position..end).map(numbered).collect() }));
            if to.send(StreamItemsRequest { part }).await.is_err() {
                return;
            }
            position = end;
        }
    });
    while enough.is_none_or(|enough| stored < enough) {
        match answers.message().await.expect("an answer") {
            Some(answer) => stored = answer.stored,
            None => break,
        }
    }
}

/// Returns the contact number of an item. They are spread as real ones are, so that an index over them is not filled in
/// order.
pub const fn number(item: i64) -> i64 {
    item * 7_919 % 10_000_019
}

fn numbered(number: i64) -> QueueItem {
    let action = OriginateAction {
        action: "Originate".into(),
        channel: Some("PJSIP/1234567890@endpoint1".into()),
        application: Some("Dial".into()),
        data: Some("PJSIP/0987654321@endpoint2,30".into()),
        ..OriginateAction::default()
    };
    QueueItem {
        asterisk_server_code: "server1".into(),
        action: Some(action),
        contact_number: Some(self::number(number)),
        project: Some("campaign_2024".into()),
        ..QueueItem::default()
    }
}
