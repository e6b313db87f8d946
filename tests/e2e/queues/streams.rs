//! Tests streams of items over gRPC: each item is stored once, whatever fails.

use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt as _;
use trunkline::pb::queue_service_client::QueueServiceClient;
use trunkline::pb::stream_items_request::Part;
use trunkline::pb::{OriginateAction, QueueItem, StreamBegin, StreamItemsRequest, StreamItemsResponse, StreamedItems};

use super::{ANSWERS, NEVER_HANGS_UP, get, item, on_postgres, sandbox, update};
use crate::support::api::Api;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

const DIDS: [&str; 3] = ["+1", "+2", "+3"];

/// A stream to a server, and its answers.
struct Stream {
    to: mpsc::Sender<StreamItemsRequest>,
    from: Streaming<StreamItemsResponse>,
}

impl Stream {
    async fn open(server: &Server, client: &Api) -> Self {
        let mut grpc = QueueServiceClient::connect(server.url("")).await.expect("a channel");
        let (to, items) = mpsc::channel(4);
        let mut request = Request::new(ReceiverStream::new(items));
        request.metadata_mut().insert("x-api-key", client.key().parse().expect("a key"));
        Self { to, from: grpc.stream_items(request).await.expect("a stream").into_inner() }
    }

    /// Begins the stream and returns how many items are stored already.
    async fn begin(server: &Server, client: &Api, queue_id: i64) -> (Self, i64) {
        let mut stream = Self::open(server, client).await;
        let dids = DIDS.map(str::to_owned).to_vec();
        let begin = StreamBegin { stream_id: "load-1".into(), queue_id: Some(queue_id), dids, ..Default::default() };
        stream.to.send(StreamItemsRequest { part: Some(Part::Begin(begin)) }).await.expect("a server");
        let answer = stream.from.message().await.expect("an answer").expect("an answer");
        assert_eq!(answer.queue_id, queue_id);
        (stream, answer.stored)
    }

    async fn send(&self, position: i64, items: Vec<QueueItem>) {
        self.to.send(message(position, items)).await.expect("a server");
    }

    /// Reads until this many items are stored.
    async fn until_stored(&mut self, stored: i64) {
        while self.from.message().await.expect("an answer").expect("an answer").stored < stored {}
    }

    /// Reads until the stream is refused.
    async fn refusal(&mut self) -> Status {
        loop {
            match self.from.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ended without an error"),
                Err(status) => return status,
            }
        }
    }
}

fn message(position: i64, items: Vec<QueueItem>) -> StreamItemsRequest {
    StreamItemsRequest { part: Some(Part::Items(StreamedItems { position, items })) }
}

/// Makes the `number`th item, which contains its number.
fn numbered(number: i64) -> QueueItem {
    let action = OriginateAction {
        action: "Originate".into(),
        channel: Some(ANSWERS.into()),
        application: Some("Wait".into()),
        data: Some("1".into()),
        ..OriginateAction::default()
    };
    QueueItem {
        asterisk_server_code: "server1".into(),
        action: Some(action),
        contact_number: Some(number),
        ..QueueItem::default()
    }
}

fn some(from: i64, to: i64) -> Vec<QueueItem> {
    (from..to).map(numbered).collect()
}

/// Makes a queue that dials nothing, so that the items streamed into it stay there for the test.
async fn paused_queue(client: &Api) -> i64 {
    let queue = client.insert(1, vec![item(NEVER_HANGS_UP)]).await;
    update(client, queue, json!({ "queue_status": "paused" })).await;
    queue
}

async fn a_stream_that_is_cut_by_a_kill_stores_each_item_once(mut server: Server) {
    const ITEMS: i64 = 20_000;
    const EACH: i64 = 300;
    let client = Api::sandbox(&server);
    let queue = paused_queue(&client).await;
    let (mut stream, stored) = Stream::begin(&server, &client, queue).await;
    assert_eq!(stored, 0);
    let to = stream.to.clone();
    let sender = tokio::spawn(async move {
        let mut position = 0;
        // This fails when the server is gone.
        while position < ITEMS && to.send(message(position, some(position, position + EACH))).await.is_ok() {
            position += EACH;
        }
    });
    stream.until_stored(ITEMS / 4).await;
    server.restart();
    drop(stream);
    sender.await.expect("a sender");

    let client = Api::sandbox(&server);
    let (stream, mut position) = Stream::begin(&server, &client, queue).await;
    assert!((ITEMS / 4..ITEMS).contains(&position), "{position} were stored before the kill");
    while position < ITEMS {
        let to = (position + EACH).min(ITEMS);
        stream.send(position, some(position, to)).await;
        position = to;
    }
    let Stream { to, mut from } = stream;
    drop(to);
    let mut last = 0;
    while let Some(answer) = from.message().await.expect("an answer") {
        last = answer.stored;
    }
    assert_eq!(last, ITEMS);

    assert_eq!(get(&client, queue).await["total_calls"], ITEMS + 1);
    for (index, call) in client.calls(queue).await.iter().skip(1).enumerate() {
        assert_eq!(call["contact_number"], index, "the items are not stored once and in order");
        assert_eq!(call["did"], DIDS[index % DIDS.len()], "the dids do not rotate over the whole stream");
        assert!(call.get("batch_id").is_none());
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_by_a_kill_stores_each_item_once_on_sqlite() {
    let (server, _) = sandbox("1");
    a_stream_that_is_cut_by_a_kill_stores_each_item_once(server).await;
}

#[tokio::test]
async fn a_stream_that_is_cut_by_a_kill_stores_each_item_once_on_postgresql() {
    let Some(mut postgres) = Postgres::start() else { return };
    let server = on_postgres(&postgres.create_database()).start();
    a_stream_that_is_cut_by_a_kill_stores_each_item_once(server).await;
}

#[tokio::test]
async fn of_two_streams_of_one_id_the_later_goes_on_and_the_earlier_is_aborted() {
    let (server, client) = sandbox("1");
    let queue = paused_queue(&client).await;
    let (mut earlier, _) = Stream::begin(&server, &client, queue).await;
    earlier.send(0, some(0, 10)).await;
    earlier.until_stored(10).await;
    let (mut later, stored) = Stream::begin(&server, &client, queue).await;
    assert_eq!(stored, 10);
    earlier.send(10, some(10, 20)).await;
    assert_eq!(earlier.refusal().await.code(), Code::Aborted);
    later.send(10, some(10, 30)).await;
    later.until_stored(30).await;
    assert_eq!(get(&client, queue).await["total_calls"], 31);
}

#[tokio::test]
async fn a_message_with_a_broken_rule_is_not_stored_nor_is_what_follows_but_all_before_it_is() {
    let (server, client) = sandbox("1");
    let queue = paused_queue(&client).await;
    let (mut stream, _) = Stream::begin(&server, &client, queue).await;
    let mut bad = some(10, 13);
    bad[1].time_zone = Some("Mars".into());
    bad[2].action = None;
    stream.send(0, some(0, 10)).await;
    stream.send(10, bad).await;
    let refused = stream.refusal().await;
    assert_eq!(refused.code(), Code::InvalidArgument);
    let details = refused.get_details_bad_request().expect("details");
    let fields: Vec<&str> = details.field_violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["items.items[1].time_zone", "items.items[2].action"]);
    assert_eq!(get(&client, queue).await["total_calls"], 11);
    let (_, stored) = Stream::begin(&server, &client, queue).await;
    assert_eq!(stored, 10);
}

#[tokio::test]
async fn a_resumed_stream_that_sends_before_the_first_answer_skips_what_is_stored() {
    let (server, client) = sandbox("1");
    let queue = paused_queue(&client).await;
    let (mut first, _) = Stream::begin(&server, &client, queue).await;
    first.send(0, some(0, 10)).await;
    first.until_stored(10).await;
    drop(first);

    let mut blind = Stream::open(&server, &client).await;
    let dids = DIDS.map(str::to_owned).to_vec();
    let begin = StreamBegin { stream_id: "load-1".into(), queue_id: Some(queue), dids, ..StreamBegin::default() };
    blind.to.send(StreamItemsRequest { part: Some(Part::Begin(begin)) }).await.expect("a server");
    for (from, to) in [(0, 4), (4, 8), (8, 13), (13, 20)] {
        blind.send(from, some(from, to)).await;
    }
    blind.until_stored(20).await;
    assert_eq!(get(&client, queue).await["total_calls"], 21);
    for (index, call) in client.calls(queue).await.iter().skip(1).enumerate() {
        assert_eq!(call["contact_number"], index, "the items are not stored once and in order");
        assert_eq!(call["did"], DIDS[index % DIDS.len()]);
    }
    // An item that this connection has stored itself is a mistake when it comes again.
    blind.send(15, some(15, 25)).await;
    assert_eq!(blind.refusal().await.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_stream_begins_its_queue_paused_and_one_that_is_only_validated_stores_nothing() {
    let (server, client) = sandbox("20");
    let open = async |validate_only: bool| {
        let mut stream = Stream::open(&server, &client).await;
        let begin = StreamBegin {
            stream_id: "night".into(),
            paused: true,
            name: Some("Night".into()),
            validate_only,
            ..StreamBegin::default()
        };
        stream.to.send(StreamItemsRequest { part: Some(Part::Begin(begin)) }).await.expect("a server");
        let answer = stream.from.message().await.expect("an answer").expect("an answer");
        (stream, answer)
    };
    let (mut trial, answer) = open(true).await;
    assert_eq!((answer.queue_id, answer.stored), (0, 0));
    trial.send(0, some(0, 10)).await;
    trial.send(10, some(10, 15)).await;
    trial.until_stored(15).await;
    let mut bad = some(15, 16);
    bad[0].asterisk_server_code = "nowhere".into();
    trial.send(15, bad).await;
    assert_eq!(trial.refusal().await.code(), Code::InvalidArgument);
    assert_eq!(client.get("queues/getmasterqueues").await.data()["count"], 0);

    let (mut stream, answer) = open(false).await;
    assert_eq!(answer.stored, 0);
    stream.send(0, some(0, 5)).await;
    stream.until_stored(5).await;
    super::let_the_lane_go_round(&client, 9).await;
    let queue = get(&client, answer.queue_id).await;
    assert_eq!((&queue["queue_status"], &queue["counts"]["queued"]), (&json!("paused"), &json!(5)));
    assert_eq!(queue["name"], "Night");
}

#[tokio::test]
async fn what_is_no_stream_is_refused() {
    let (server, client) = sandbox("1");
    let queue = paused_queue(&client).await;
    let mut unbegun = Stream::open(&server, &client).await;
    unbegun.send(0, some(0, 1)).await;
    assert_eq!(unbegun.refusal().await.code(), Code::InvalidArgument);
    for (position, items) in [(7, some(0, 1)), (0, Vec::new()), (0, some(0, 1001))] {
        let (mut stream, _) = Stream::begin(&server, &client, queue).await;
        stream.send(position, items).await;
        assert_eq!(stream.refusal().await.code(), Code::InvalidArgument);
    }
    let mut elsewhere = Stream::open(&server, &client).await;
    let begin = StreamBegin { stream_id: "other".into(), queue_id: Some(4711), ..StreamBegin::default() };
    elsewhere.to.send(StreamItemsRequest { part: Some(Part::Begin(begin)) }).await.expect("a server");
    assert_eq!(elsewhere.refusal().await.code(), Code::NotFound);
    assert_eq!(get(&client, queue).await["total_calls"], 1);
}

#[tokio::test]
async fn a_stream_ends_with_the_key_that_it_was_begun_with() {
    let (server, client) = sandbox("1");
    let admin = Api::admin(&server);
    let id = admin.get("admin/clients").await.data()["results"][0]["client_id"].as_i64().expect("a client");
    let key = admin.post(&format!("admin/clients/{id}/keys"), json!({})).await.data();
    let holder = Api::new(&server, key["api_key"].as_str().expect("a key"));
    let queue = paused_queue(&client).await;
    let (mut stream, _) = Stream::begin(&server, &holder, queue).await;
    admin.delete(&format!("admin/clients/{id}/keys/{}", key["key_id"].as_str().expect("an id"))).await.data();
    let mut position = 0;
    // Keys and clients are checked twice a second.
    let refused = loop {
        if stream.to.send(message(position, some(position, position + 1))).await.is_err() {
            break stream.refusal().await;
        }
        match stream.from.message().await {
            Ok(_) => position += 1,
            Err(status) => break status,
        }
    };
    assert_eq!(refused.code(), Code::Unauthenticated);
}
