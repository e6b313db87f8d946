//! Sends a message that is known by its descriptor alone, and reads which fields the answer refuses.

use bytes::{Buf as _, BufMut as _};
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, Value};
use reqwest::Method;
use serde_json::{Map, json};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use trunkline::api::rest::ENDPOINTS;

use super::cases::{Case, name_of};
use crate::sandbox::Sandbox;

/// The server, and who asks it.
pub struct Wire {
    http: reqwest::Client,
    url: String,
    channel: Channel,
    client_key: String,
    admin_key: String,
}

impl Wire {
    pub async fn connect(sandbox: &Sandbox) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: sandbox.server.url(""),
            channel: sandbox.channel().await,
            client_key: sandbox.api.key().to_owned(),
            admin_key: sandbox.server.admin_key(),
        }
    }

    fn key(&self, method: &MethodDescriptor) -> &str {
        if method.parent_service().name() == "AdminService" { &self.admin_key } else { &self.client_key }
    }

    /// The fields that REST refuses; None where REST cannot express the request.
    pub async fn rest(&self, method: &MethodDescriptor, case: &Case) -> Option<Vec<String>> {
        let rpc = format!("{}/{}", method.parent_service().full_name(), method.name());
        let endpoint = ENDPOINTS.iter().find(|endpoint| endpoint.rpc == rpc)?;
        let request = complete(method, case, endpoint.path);
        let mut path = endpoint.path.to_owned();
        let (mut query, mut body) = (Vec::new(), Map::new());
        for field in method.input().fields() {
            let place = format!("{{{}}}", field.name());
            let in_path = endpoint.path.contains(&place);
            if !in_path && !request.has_field(&field) {
                continue;
            }
            let value = json_of(&field, &request.get_field(&field));
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if in_path {
                if text.is_empty() {
                    return None;
                }
                path = path.replace(&place, &encoded(&text));
            } else if endpoint.has_body {
                body.insert(field.json_name().to_owned(), value);
            } else if let Some(elements) = value.as_array() {
                let text =
                    |element: &serde_json::Value| element.as_str().map_or_else(|| element.to_string(), str::to_owned);
                query.extend(elements.iter().map(|element| (field.json_name().to_owned(), text(element))));
            } else {
                // An empty parameter is an absent one.
                query.push((field.json_name().to_owned(), Some(text).filter(|text| !text.is_empty())?));
            }
        }
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let url = format!("{}{path}?{}", self.url, query.join("&"));
        let verb = Method::from_bytes(endpoint.verb.as_str().as_bytes()).unwrap();
        let mut sent = self.http.request(verb, url).header("x-api-key", self.key(method));
        if endpoint.has_body {
            sent = sent.json(&body);
        }
        let answer = sent.send().await.unwrap();
        // The body of an answer that is a stream has no end.
        if answer.status() != 400 {
            assert!(!answer.status().is_server_error(), "{}: {}", case.what, answer.status());
            return Some(Vec::new());
        }
        let answer: serde_json::Value = answer.json().await.unwrap();
        let errors = answer["errors"].as_array().unwrap();
        Some(errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect())
    }

    /// The fields that gRPC refuses.
    pub async fn grpc(&self, method: &MethodDescriptor, case: &Case) -> Vec<String> {
        let rpc = format!("{}/{}", method.parent_service().full_name(), method.name());
        let rest_path = ENDPOINTS.iter().find(|endpoint| endpoint.rpc == rpc).map_or("", |endpoint| endpoint.path);
        let request = complete(method, case, rest_path);
        let path: PathAndQuery = format!("/{rpc}").parse().unwrap();
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        let keyed = |message| {
            let mut request = tonic::Request::new(message);
            request.metadata_mut().insert("x-api-key", self.key(method).parse().unwrap());
            request
        };
        let status = if method.is_client_streaming() {
            let messages = tokio_stream::iter(stream_of(&request));
            let mut sent = tonic::Request::new(messages);
            sent.metadata_mut().insert("x-api-key", self.key(method).parse().unwrap());
            let answers = client.streaming(sent, path, Raw).await;
            match answers {
                Err(status) => Some(status),
                Ok(answers) => {
                    let mut answers = answers.into_inner();
                    loop {
                        match answers.message().await {
                            Ok(Some(_)) => {}
                            Ok(None) => break None,
                            Err(status) => break Some(status),
                        }
                    }
                }
            }
        } else if method.is_server_streaming() {
            client.server_streaming(keyed(request.encode_to_vec()), path, Raw).await.err()
        } else {
            client.unary(keyed(request.encode_to_vec()), path, Raw).await.err()
        };
        let Some(status) = status else { return Vec::new() };
        assert!(!matches!(status.code(), Code::Internal | Code::Unknown), "{}: {status:?}", case.what);
        if status.code() != Code::InvalidArgument {
            return Vec::new();
        }
        let details = status.get_error_details();
        let refused = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
        refused.into_iter().map(|violation| violation.field).collect()
    }
}

/// A stream begins with a message that is right, so that its second one is looked at.
fn stream_of(request: &DynamicMessage) -> Vec<Vec<u8>> {
    if request.has_field_by_name("begin") {
        return vec![request.encode_to_vec()];
    }
    let begin = trunkline::pb::StreamBegin { stream_id: "rules".to_owned(), ..Default::default() };
    let part = Some(trunkline::pb::stream_items_request::Part::Begin(begin));
    let begin = trunkline::pb::StreamItemsRequest { part };
    vec![begin.encode_to_vec(), request.encode_to_vec()]
}

/// The request of a case, with what its path needs beside the field in question. What is inside all bounds is kept from
/// changing anything by a mask that cannot be.
fn complete(method: &MethodDescriptor, case: &Case, path: &str) -> DynamicMessage {
    let mut request = case.request.clone();
    for field in method.input().fields() {
        let is_meant = case.paths.iter().any(|path| path == field.json_name());
        let in_path = path.contains(&format!("{{{}}}", field.name()));
        if in_path && !is_meant && !request.has_field(&field) {
            let value = match (field.kind(), field.name()) {
                (Kind::Int64, _) => Value::I64(1),
                (_, "call_id") => Value::String("00000000-0000-0000-0000-000000000000".to_owned()),
                (_, "number") => Value::String("12345".to_owned()),
                _ => Value::String("server1".to_owned()),
            };
            request.set_field(&field, value);
        }
        if field.name() == "update_mask" && !case.is_outside && !request.has_field(&field) {
            request.set_field(&field, Value::List(vec![Value::String("nothing".to_owned())]));
        }
    }
    request
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// A field's value as REST has it.
fn json_of(field: &FieldDescriptor, value: &Value) -> serde_json::Value {
    let kind = match field.kind() {
        Kind::Message(entry) if field.is_map() => entry.map_entry_value_field().kind(),
        kind => kind,
    };
    json_value(&kind, value)
}

fn json_value(kind: &Kind, value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(value) => json!(value),
        Value::I32(value) => json!(value),
        Value::I64(value) => json!(value),
        Value::F64(value) => json!(value),
        Value::String(value) => json!(value),
        Value::EnumNumber(number) => json!(name_of(kind.as_enum().unwrap(), *number).unwrap_or("nonsense".to_owned())),
        Value::Message(message) => {
            let fields = message.fields().map(|(field, value)| (field.json_name().to_owned(), json_of(&field, value)));
            fields.collect::<Map<_, _>>().into()
        }
        Value::List(values) => values.iter().map(|value| json_value(kind, value)).collect(),
        Value::Map(entries) => {
            let entries =
                entries.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), json_value(kind, value)));
            entries.collect::<Map<_, _>>().into()
        }
        other => panic!("no request has {other:?}"),
    }
}

/// Messages as the bytes that they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        message.advance(message.remaining());
        Ok(Some(()))
    }
}
