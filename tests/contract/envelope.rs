//! Tests the contract's section "Envelope": one form for every success and every error, and the same errors over gRPC.

use std::collections::BTreeSet;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;
use trunkline::pb;
use trunkline::pb::queue_service_client::QueueServiceClient;

use crate::sandbox::{Sandbox, dials, names, with};

const INSERT: &str = "/calling/api/v1/queues/insertdataincallqueue";

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn every_fault_has_the_error_body_whatever_the_path() {
    let sandbox = Sandbox::start();
    let json = ("content-type", "application/json");
    sandbox
        .send_as("", Method::GET, "/calling/api/v1/queues/getmasterqueues", &[], "")
        .await
        .error(401, "UNAUTHENTICATED");
    sandbox.send(Method::GET, "/calling/api/v1/admin/clients", &[], "").await.error(403, "PERMISSION_DENIED");
    sandbox.send(Method::GET, "/nowhere", &[], "").await.error(404, "NOT_FOUND");
    sandbox.send(Method::DELETE, INSERT, &[], "").await.error(405, "UNIMPLEMENTED");
    let encoded = [json, ("content-encoding", "gzip")];
    // This body is small while compressed and too large afterwards.
    sandbox
        .send(Method::POST, INSERT, &encoded, gzip(&vec![b' '; 8 * 1024 * 1024 + 1]))
        .await
        .error(413, "OUT_OF_RANGE");
    sandbox.send(Method::POST, INSERT, &[("content-type", "text/xml")], "<a/>").await.error(415, "INVALID_ARGUMENT");
    sandbox.send(Method::POST, INSERT, &[json], "{").await.error(400, "INVALID_ARGUMENT");
    sandbox.send(Method::POST, INSERT, &encoded, "{}").await.error(400, "INVALID_ARGUMENT");
    sandbox.send(Method::GET, "/calling/api/v1/calls/%FF", &[], "").await.error(400, "INVALID_ARGUMENT");
    sandbox
        .send(Method::POST, "/trunkline.v1.QueueService/InsertBatch", &[json], "{}")
        .await
        .error(415, "INVALID_ARGUMENT");
}

#[tokio::test]
async fn a_success_is_message_status_and_data_and_over_grpc_the_bare_message() {
    let sandbox = Sandbox::start();
    let reply = sandbox.insert(json!({"batch_id": 1, "data": [dials("4900")]})).await;
    assert_eq!(names(&reply.body), BTreeSet::from(["data", "message", "status"]));
    assert_eq!(
        (&reply.body["message"], &reply.body["status"]),
        (&json!("Queue data inserted successfully"), &json!("success"))
    );

    let mut queues = QueueServiceClient::new(sandbox.channel().await);
    let listed = queues.list_queues(sandbox.grpc(pb::ListQueuesRequest::default())).await.unwrap().into_inner();
    assert_eq!(json!(listed.results[0].queue_id), reply.data()["queue_id"]);
}

#[tokio::test]
async fn the_same_fault_over_grpc_has_the_same_code_and_field_paths() {
    let sandbox = Sandbox::start();
    let rest = sandbox.insert(json!({"data": [{"asterisk_server_code": "server9"}, {}]})).await;
    let items = vec![
        pb::QueueItem { asterisk_server_code: "server9".to_owned(), ..Default::default() },
        pb::QueueItem::default(),
    ];
    let batch = pb::InsertBatchRequest { data: items, ..Default::default() };
    let mut queues = QueueServiceClient::new(sandbox.channel().await);
    let grpc = queues.insert_batch(sandbox.grpc(batch)).await.unwrap_err();
    assert_eq!((grpc.code(), grpc.message()), (Code::InvalidArgument, rest.error(400, "INVALID_ARGUMENT")));
    let details = grpc.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let violations: Vec<Value> =
        violations.iter().map(|it| json!({"field": it.field, "message": it.description})).collect();
    assert_eq!(json!(violations), rest.body["errors"]);
    assert_eq!(
        rest.fields(),
        [
            "batch_id",
            "data[0].asterisk_server_code",
            "data[0].action",
            "data[1].asterisk_server_code",
            "data[1].action"
        ]
    );
}

#[tokio::test]
async fn fifty_broken_rules_are_listed_and_a_value_of_the_wrong_type_alone() {
    let sandbox = Sandbox::start();
    let item = with(with(dials("4900"), &["retry"], json!(-1)), &["contact_number"], json!(-1));
    let reply = sandbox.insert(json!({"batch_id": 1, "data": vec![item.clone(); 40]})).await;
    assert_eq!((reply.error(400, "INVALID_ARGUMENT"), reply.fields().len()), ("data[0].retry: must be 0 to 100", 50));
    assert_eq!(reply.fields()[..2], ["data[0].retry", "data[0].contact_number"]);

    let wrong = with(item.clone(), &["project"], json!(17));
    let reply = sandbox.insert(json!({"batch_id": 1, "data": [item, wrong]})).await;
    assert_eq!(reply.error(400, "INVALID_ARGUMENT"), "data[1].project: expected a string, got a number");
    assert_eq!(reply.fields(), ["data[1].project"]);
}
