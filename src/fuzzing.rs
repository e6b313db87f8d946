//! Entries for the fuzz targets in `fuzz/` to parsers that are private otherwise. This is no interface for other uses.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use prost_reflect::MessageDescriptor;
use serde::{Serialize, de::DeserializeOwned};

use crate::api::auth::{ApiKey, KeyKind};
use crate::api::fields::{self, Check};
use crate::api::rest::{self, params::Params, read};
use crate::api::{Error, FieldViolation};
use crate::cli::import::{columns::Columns, rows::Rows};
use crate::pb;

/// A request that was read from HTTP.
#[derive(Debug)]
pub struct Request {
    /// The request as the server writes messages.
    pub json: String,
    /// The rules of its fields that it breaks.
    pub violations: Vec<FieldViolation>,
}

/// The request messages that [`request`] reads: with lists and maps, with a time, with a mask, and a cursor.
pub const REQUESTS: [&str; 5] =
    ["InsertBatchRequest", "CreateQuickCallRequest", "UpdateServerRequest", "AddDoNotCallRequest", "WatchCallsRequest"];

/// Reads one of [`REQUESTS`] from the parts of an HTTP request.
///
/// # Errors
/// Returns the answer to a request that cannot be read.
pub fn request(message: &str, query: &str, last_event_id: Option<&[u8]>, body: &[u8]) -> Result<Request, Error> {
    match message {
        "InsertBatchRequest" => typed::<pb::InsertBatchRequest>(message, query, last_event_id, body),
        "CreateQuickCallRequest" => typed::<pb::CreateQuickCallRequest>(message, query, last_event_id, body),
        "UpdateServerRequest" => typed::<pb::UpdateServerRequest>(message, query, last_event_id, body),
        "AddDoNotCallRequest" => typed::<pb::AddDoNotCallRequest>(message, query, last_event_id, body),
        "WatchCallsRequest" => typed::<pb::WatchCallsRequest>(message, query, last_event_id, body),
        _ => Err(Error::internal(format!("no message {message}"))),
    }
}

fn typed<Req: DeserializeOwned + Serialize + Check>(
    message: &str,
    query: &str,
    last_event_id: Option<&[u8]>,
    body: &[u8],
) -> Result<Request, Error> {
    let input = descriptor(message)?;
    let mut params = Params::read(&input, [], Some(query))?;
    if let Some(id) = last_event_id {
        let id = HeaderValue::from_bytes(id).map_err(|_| Error::invalid("Last-Event-ID", "is no header"))?;
        params.resume(&HeaderMap::from_iter([(http::HeaderName::from_static("last-event-id"), id)]))?;
    }
    let (request, _) = read::message::<Req>(&input, params, body)?;
    let json = rest::message(&request).map_err(Error::internal)?;
    let violations = match fields::check(&request) {
        Err(Error::InvalidArgument(violations)) => violations,
        Ok(()) | Err(_) => Vec::new(),
    };
    Ok(Request { json, violations })
}

fn descriptor(message: &str) -> Result<MessageDescriptor, Error> {
    let name = format!("trunkline.v1.{message}");
    pb::DESCRIPTORS.get_message_by_name(&name).ok_or_else(|| Error::internal(format!("no message {name}")))
}

/// A CSV file that was read as `trunkline import` reads it.
#[derive(Debug)]
pub struct Imported {
    /// How many calls the first reading found, which only counts and checks.
    pub count: u64,
    /// The batches that are sent, each with its offset, and with the line and the content of each call.
    pub batches: Vec<(u64, Vec<(u64, pb::QueueItem)>)>,
}

/// Reads a CSV file as `trunkline import --server s` does, with other fields set to templates (`--set`), after the first
/// `skip` calls.
///
/// # Errors
/// Returns what is wrong with the file: a text for the headings, up to 50 for its lines.
pub fn import(csv: &[u8], delimiter: u8, set: &BTreeMap<&str, &str>, skip: u64) -> Result<Imported, Vec<String>> {
    let one = |error: &dyn std::fmt::Display| vec![error.to_string()];
    let open = || Rows::new(csv, delimiter).map_err(|error| one(&error));
    let set: Vec<_> = set.iter().map(|(field, text)| ((*field).to_owned(), (*text).to_owned())).collect();
    let mut rows = open()?;
    let columns = Columns::new(rows.headers(), Some("s"), &[], &set, &[]).map_err(|error| one(&error))?;
    let count = rows.count(&columns)?;
    let batches = open()?.batches(&columns, skip).map(|batch| {
        let batch = batch.map_err(|error| one(&error))?;
        Ok((batch.offset, batch.lines.into_iter().zip(batch.items).collect()))
    });
    Ok(Imported { count, batches: batches.collect::<Result<_, Vec<String>>>()? })
}

/// Writes the key of these parts, with its checksum.
#[must_use]
pub fn key(kind: KeyKind, key_id: &str, secret: &str) -> String {
    ApiKey::text(kind, key_id, secret)
}
