//! Who may connect, how often, and how long a client may take.

use std::net::SocketAddr;

use futures_util::stream;
use reqwest::Client;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::api::{Api, item};
use crate::support::server::{Options, Server};
use crate::support::wait;
use crate::support::wire::{
    PREFACE, connect_from, is_served, is_served_from, open_many_files, read_to_end, read_until, sent_from, source,
};

/// The server's own view of a series, asked for from an address that nothing else uses.
async fn metric(server: &Server, series: &str) -> Option<f64> {
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let text = read_to_end(&mut sent_from(source(99), server.address(), request).await).await;
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

async fn until_closed(server: &Server, reason: &str) {
    let series = format!("trunkline_connections_closed_total{{reason=\"{reason}\"}}");
    wait::until_async(&series, async || metric(server, &series).await.filter(|count| *count >= 1.0)).await;
}

/// A connection whose stream of events is open, so that it has a request in progress.
async fn watching(from: u8, server: &Server, key: &str) -> TcpStream {
    let request = format!("GET /calling/api/v1/calls/watch HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n\r\n");
    let mut stream = sent_from(source(from), server.address(), request.as_bytes()).await;
    read_until(&mut stream, "snapshot-complete").await.expect("a stream");
    stream
}

#[tokio::test]
async fn a_request_that_is_never_complete_is_cut_off() {
    let server = Options::default().env("TRUNKLINE_HEADER_TIMEOUT", "1").start();
    let half = &b"GET /healthz HTTP/1.1\r\nHost: loc"[..];
    for begun in [b"", half, &PREFACE[..10]] {
        let received = read_to_end(&mut sent_from(source(1), server.address(), begun).await).await;
        assert_eq!(received, b"", "{begun:?}");
    }
    // Each byte by itself is in time.
    let mut slow = connect_from(source(1), server.address()).await;
    let dripping = async {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(100));
        for byte in half.iter().cycle() {
            tick.tick().await;
            if slow.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(wait::PATIENCE, dripping).await.expect("it is cut off, too");
    until_closed(&server, "header-timeout").await;
    assert!(is_served_from(source(1), server.address()).await);
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_and_one_with_a_stream_is_not() {
    let server = Options::default().arg("--sandbox").env("TRUNKLINE_IDLE_TIMEOUT", "1").start();
    let client = Api::sandbox(&server);
    let mut stream = watching(1, &server, client.key()).await;
    // The stream is older than both of them.
    let mut http1 = connect_from(source(1), server.address()).await;
    assert!(is_served(&mut http1).await);
    assert_eq!(read_to_end(&mut http1).await, b"");
    let mut http2 = sent_from(source(1), server.address(), PREFACE).await;
    let frames = read_to_end(&mut http2).await;
    let goaway = 7;
    assert!(kinds_of_frames(&frames).contains(&goaway), "an HTTP/2 client is told: {frames:?}");
    until_closed(&server, "idle-timeout").await;
    client.insert(1, vec![item("server1", "PJSIP/1234567890@endpoint1", "1")]).await;
    assert!(read_until(&mut stream, "batch-inserted").await.is_some(), "the stream goes on");
}

/// Returns the type of each frame of HTTP/2.
fn kinds_of_frames(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = *bytes {
        kinds.push(kind);
        let length = 9 + u32::from_be_bytes([0, a, b, c]) as usize;
        bytes = bytes.get(length..).unwrap_or_default();
    }
    kinds
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_is_cut_off() {
    let server = Options::default().env("TRUNKLINE_WRITE_TIMEOUT", "1").start();
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // Much more than the buffers of both ends hold.
    let unread = sent_from(source(1), server.address(), &request.repeat(400)).await;
    until_closed(&server, "write-timeout").await;
    drop(unread);
}

#[tokio::test]
async fn a_grpc_body_that_never_ends_is_given_up() {
    let server = Options::default().env("TRUNKLINE_BODY_TIMEOUT", "1").start();
    let never = reqwest::Body::wrap_stream(stream::pending::<Result<Vec<u8>, std::io::Error>>());
    let http2 = Client::builder().http2_prior_knowledge().build().unwrap();
    let request = http2
        .post(server.url("/trunkline.v1.AdminService/ListClients"))
        .header("x-api-key", server.admin_key())
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(never);
    let answer = request.send().await.unwrap();
    assert_eq!(
        answer.headers().get("grpc-status").map(reqwest::header::HeaderValue::as_bytes),
        Some(&b"4"[..]),
        "{answer:?}"
    );
    assert_eq!(metric(&server, "trunkline_slow_bodies_total").await, Some(1.0));
}

#[tokio::test]
async fn a_source_has_a_limit_and_other_sources_are_served() {
    let server = Options::default().env("TRUNKLINE_MAX_CONNECTIONS_PER_SOURCE", "3").start();
    let key = server.admin_key();
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(watching(2, &server, &key).await);
    }
    assert!(!is_served_from(source(2), server.address()).await, "each of its connections has a request in progress");
    assert!(is_served_from(source(3), server.address()).await);
    let refused = "trunkline_connections_refused_total{limit=\"max_connections_per_source\"}";
    assert_eq!(metric(&server, refused).await, Some(1.0));
    streams.pop();
    wait::until_async("the place is free", async || is_served_from(source(2), server.address()).await.then_some(()))
        .await;
}

#[tokio::test]
async fn a_trusted_proxy_may_open_more_connections_than_a_source() {
    let server = Options::default()
        .env("TRUNKLINE_MAX_CONNECTIONS_PER_SOURCE", "2")
        .env("TRUNKLINE_TRUSTED_PROXIES", "127.0.0.2")
        .start();
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(watching(2, &server, &server.admin_key()).await);
    }
    assert!(is_served_from(source(2), server.address()).await);
}

#[tokio::test]
async fn the_limit_on_all_connections_closes_those_without_requests_first() {
    let server = Options::default()
        .env("TRUNKLINE_MAX_CONNECTIONS", "4")
        .env("TRUNKLINE_MAX_CONNECTIONS_PER_SOURCE", "4")
        .env("TRUNKLINE_HEADER_TIMEOUT", "3600")
        .start();
    let mut idle = connect_from(source(2), server.address()).await;
    assert!(is_served(&mut idle).await);
    let mut streams = Vec::new();
    for last in 3..6 {
        streams.push(watching(last, &server, &server.admin_key()).await);
    }
    assert!(is_served_from(source(6), server.address()).await);
    assert_eq!(read_to_end(&mut idle).await, b"", "it has made room");
    streams.push(watching(7, &server, &server.admin_key()).await);
    assert!(!is_served_from(source(8), server.address()).await);
}

/// The usual limit of a service. The server raises the soft limit, which is even less here, to the hard one.
fn few_files() -> Options {
    Options::default().within(["prlimit", "--nofile=256:1024"]).env("TRUNKLINE_HEADER_TIMEOUT", "3600")
}

#[tokio::test]
async fn half_sent_requests_shut_no_one_out_of_a_server_that_may_open_few_files() {
    open_many_files();
    let server = few_files().start();
    let mut used = connect_from(source(2), server.address()).await;
    assert!(is_served(&mut used).await);
    let half = b"POST /calling/api/v1/queues/insertquickcall HTTP/1.1\r\nHost: localhost\r\nX-API-";
    let mut open = Vec::new();
    for number in 0..1500_u16 {
        open.push(sent_from(source(2 + u8::from(number % 2 == 0)), server.address(), half).await);
    }
    for from in [source(2), source(3), source(4)] {
        assert!(is_served_from(from, server.address()).await, "{from}");
    }
    assert!(is_served(&mut used).await, "a connection that is in use was left alone");
    assert!(Client::new().get(server.url("/readyz")).send().await.unwrap().status().is_success());
    let connections = metric(&server, "trunkline_connections").await.unwrap();
    // 96 of each source, and this one's own.
    assert!((190.0..=200.0).contains(&connections), "{connections}");
    assert!(!server.output().text().contains("cannot accept"), "{}", server.output().text());
}

#[tokio::test]
async fn a_server_with_few_files_says_so_if_it_is_asked_for_more_connections() {
    let server = few_files().env("TRUNKLINE_MAX_CONNECTIONS", "5000").start();
    assert!(server.output().text().contains("it is 768 until the limit is raised"), "{}", server.output().text());
}

#[tokio::test]
async fn the_metrics_port_counts_with_the_other_one() {
    let server = Options::default()
        .env("TRUNKLINE_METRICS_LISTEN", "127.0.0.1:0")
        .env("TRUNKLINE_MAX_CONNECTIONS_PER_SOURCE", "2")
        .start();
    let metrics: SocketAddr = wait::until("it says where metrics are", || {
        let text = server.output().text();
        let (_, rest) = text.split_once("metrics on ")?;
        rest.split(|c: char| c.is_whitespace() || c == '"').next()?.parse().ok()
    });
    let mut streams = Vec::new();
    for _ in 0..2 {
        streams.push(watching(2, &server, &server.admin_key()).await);
    }
    assert_eq!(read_to_end(&mut sent_from(source(2), metrics, b"GET /metrics HTTP/1.1\r\n\r\n").await).await, b"");
}

#[tokio::test]
async fn a_client_has_a_limit_on_its_streams() {
    let server = Options::default().arg("--sandbox").env("TRUNKLINE_MAX_STREAMS_PER_CLIENT", "2").start();
    let client = Api::sandbox(&server);
    let mut streams = vec![watching(1, &server, client.key()).await, watching(1, &server, client.key()).await];
    let refused = client.get("calls/watch").await;
    assert_eq!(refused.error(429, "RESOURCE_EXHAUSTED"), "limit max_streams_per_client is reached");
    assert!(refused.retry_after() >= 1);
    assert_eq!(metric(&server, "trunkline_streams_refused_total").await, Some(1.0));
    assert_eq!(client.get("queues/getmasterqueues").await.status, 200, "other requests are not limited");
    watching(1, &server, &server.admin_key()).await;
    let other = Api::admin(&server).post("admin/clients", json!({ "name": "other", "account_code": "o" })).await.data();
    watching(1, &server, other["api_key"].as_str().unwrap()).await;
    streams.pop();
    let again = format!("GET /calling/api/v1/calls/watch HTTP/1.1\r\nHost: x\r\nX-API-KEY: {}\r\n\r\n", client.key());
    wait::until_async("the client's next stream is admitted", async || {
        let mut stream = sent_from(source(1), server.address(), again.as_bytes()).await;
        read_until(&mut stream, "\r\n\r\n").await.filter(|head| head.starts_with("HTTP/1.1 200")).map(|_| ())
    })
    .await;
}
