//! Sends requests of a few megabytes that would become gigabytes in memory. They are refused before that.

use bytes::{BufMut as _, BytesMut};

use crate::support::api::Api;
use crate::support::server::{Options, Server};

/// By how many MB such a request may let the server grow: the body itself, its copies, and what of it may be read.
const MOST: u64 = 150;

/// Returns the most memory that the server has had, in MB.
fn peak(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number") / 1024
}

async fn refused(server: &Server, content_type: &str, path: &str, body: impl Into<reqwest::Body>) -> String {
    let client = Api::sandbox(server);
    let request = reqwest::Client::new().post(server.url(path)).header("x-api-key", client.key());
    let answer = request.header("content-type", content_type).body(body).send().await.expect("an answer");
    let message = answer.headers().get("grpc-message").map(|text| text.to_str().expect("a text").replace("%20", " "));
    let text = answer.text().await.expect("a body");
    message.unwrap_or(text)
}

#[tokio::test]
async fn a_request_with_millions_of_elements_does_not_fill_the_memory() {
    let server = Options::default().arg("--sandbox").start();
    let before = peak(&server);
    let insert = "/calling/api/v1/queues/insertdataincallqueue";
    let list = |element: &str, count: usize| vec![element; count].join(",");
    for (body, expected) in [
        (format!(r#"{{"batch_id":1,"data":[{}]}}"#, list("{}", 150_000)), "data: must hold at most 10000 elements"),
        (format!(r#"{{"batch_id":1,"data":[{}]}}"#, list("{}", 2_600_000)), "at most 200000 elements in all"),
        (format!(r#"{{"batch_id":1,"unknown":[{}]}}"#, list("0", 3_900_000)), "at most 200000 elements in all"),
        (
            format!(r#"{{"batch_id":1,"data":[{{"action":{{"variables":{{{}}}}}}}]}}"#, list(r#""a":"""#, 800_000)),
            "200000",
        ),
    ] {
        let text = refused(&server, "application/json", insert, body).await;
        assert!(text.contains(expected), "{text}");
    }
    let message = [&[0x10, 0x01][..], &[0x22, 0x00].repeat(8_000_000)].concat();
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len().try_into().expect("a length"));
    frame.put_slice(&message);
    let rpc = "/trunkline.v1.QueueService/InsertBatch";
    let text = refused(&server, "application/grpc-web+proto", rpc, frame.freeze()).await;
    assert_eq!(text, "data: must hold at most 10000 elements");
    let grown = peak(&server) - before;
    assert!(grown < MOST, "the server has grown by {grown} MB");
}
