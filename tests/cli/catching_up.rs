//! Streams that catch up from the store, and clients that do not read them.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use trunkline::domain::event_kind::EventKind;
use trunkline::domain::time::Millis;
use trunkline::store::events::{self, NewEvent};
use trunkline::store::{self, Tx};

use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait::{self, PATIENCE};
use crate::support::wire::{read_until, sent_from, source};

/// More than the server keeps in memory.
const EVENTS: usize = 20_000;

/// Starts a server whose event log has many events of its client, none of which is in the server's memory.
async fn with_long_log(options: Options) -> (Server, Api) {
    let mut server = options.start();
    let client = Api::sandbox(&server);
    let queue_id = client.insert(1, vec![item("server1", "PJSIP/1234567890@endpoint1", "1")]).await;
    client.wait_until_completed(queue_id).await;
    server.kill();
    let db = store::open(&format!("sqlite://{}", server.data_dir().join("trunkline.db").display())).unwrap();
    let mut tx: Tx = db.begin().await.unwrap();
    let event = NewEvent::of_queue(EventKind::QueueUpdated, 1, queue_id, Millis(1_800_000_000_000));
    for _ in 0..EVENTS / 1000 {
        let detail = Some("a detail that is as long as those of most events are".to_owned());
        let events = vec![NewEvent { detail, ..event.clone() }; 1000];
        events::append(&mut tx, events).await.unwrap();
    }
    tx.commit().await.unwrap();
    drop(db);
    server.restart();
    let client = client.at(&server);
    (server, client)
}

fn watch(key: &str) -> String {
    format!("GET /calling/api/v1/calls/watch?after=0 HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n\r\n")
}

async fn last_event(client: &Api) -> String {
    let queue_id = client.insert(9, vec![item("server1", "PJSIP/1234567890@endpoint1", "1")]).await;
    format!("\"queue_id\":{queue_id}")
}

#[tokio::test]
async fn streams_that_no_one_reads_keep_no_other_client_from_its_events() {
    let (server, client) = with_long_log(Options::default().arg("--sandbox")).await;
    let mut unread = Vec::new();
    for _ in 0..100 {
        unread.push(sent_from(source(2), server.address(), watch(client.key()).as_bytes()).await);
    }
    let new = json!({ "name": "other", "account_code": "other", "servers": ["server1"] });
    let other = Api::admin(&server).post("admin/clients", new).await.data();
    let other = Api::new(&server, other["api_key"].as_str().unwrap());
    let last = last_event(&other).await;
    // It passes over every event of the first client.
    let mut read = sent_from(source(3), server.address(), watch(other.key()).as_bytes()).await;
    assert!(read_until(&mut read, &last).await.is_some());
    // The streams of the first client wait for one another.
    drop(unread);
    let last = last_event(&client).await;
    let mut own = sent_from(source(3), server.address(), watch(client.key()).as_bytes()).await;
    assert!(events_up_to(&mut own, &last).await > EVENTS);
}

/// Counts the events of a stream up to the first one that contains `last`.
async fn events_up_to(stream: &mut TcpStream, last: &str) -> usize {
    let (mut text, mut count) = (Vec::new(), 0);
    let counting = async {
        loop {
            assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "the stream ended");
            let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else { continue };
            let rest = text.split_off(end + 1);
            for line in String::from_utf8_lossy(&text).lines() {
                count += usize::from(line.starts_with("data: {"));
                if line.contains(last) {
                    return count;
                }
            }
            text = rest;
        }
    };
    timeout(PATIENCE, counting).await.expect("the last event")
}

#[tokio::test]
async fn a_stream_that_is_left_unread_ends_and_can_be_resumed() {
    let options = Options::default().arg("--sandbox").env("TRUNKLINE_WRITE_TIMEOUT", "1");
    let (server, client) = with_long_log(options).await;
    // HTTP/2 lets a client leave one stream unread while it reads the others: a window of 65,535 bytes, and no more.
    let mut connection = sent_from(source(2), server.address(), crate::support::wire::PREFACE).await;
    connection.write_all(&headers_of_watch(client.key())).await.unwrap();
    wait::until_async("the server gives up the stream", async || {
        let metrics = reqwest::get(server.url("/metrics")).await.unwrap().text().await.unwrap();
        metrics.contains("trunkline_streams_stalled_total 1").then_some(())
    })
    .await;
    let open = client.get("queues/getmasterqueues").await;
    assert_eq!(open.status, 200);
    let metrics = reqwest::get(server.url("/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\ntrunkline_watchers 0\n"), "{metrics}");
}

/// Returns the HEADERS frame of a request to watch over REST, on stream 1.
fn headers_of_watch(key: &str) -> Vec<u8> {
    let mut block = Vec::new();
    // Each header is a literal that is not indexed, without Huffman coding.
    for (name, value) in [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/calling/api/v1/calls/watch?after=0"),
        ("x-api-key", key),
    ] {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("a short text"));
            block.extend(text.as_bytes());
        }
    }
    let [.., b, c] = u32::try_from(block.len()).unwrap().to_be_bytes();
    // END_STREAM and END_HEADERS.
    let mut frame = vec![0, b, c, 1, 0x05, 0, 0, 0, 1];
    frame.extend(block);
    frame
}
