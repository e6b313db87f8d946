//! Turns an HTTP request into the typed request of a service method.

use std::future::Future;
use std::time::Duration;

use axum::RequestExt as _;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::api::Error;
use crate::api::rest::endpoint::Endpoint;
use crate::api::rest::params::Params;
use crate::api::rest::read;
use crate::pb::DESCRIPTORS;

/// The largest body, in bytes, after decompression.
pub const MAX_BODY: usize = 8 * 1024 * 1024;

/// The longest time from the first header of a request to its answer, unless the answer is a stream.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Ends work that takes longer than [`REQUEST_TIMEOUT`], including the time that the body takes to arrive.
pub async fn within_deadline<T>(work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let done = tokio::time::timeout(REQUEST_TIMEOUT, work).await;
    done.unwrap_or_else(|_| Err(Error::DeadlineExceeded.into()))
}

/// Reads path, query and body as the method's request, with the HTTP headers as metadata and the HTTP extensions.
pub async fn read<Req: DeserializeOwned>(
    endpoint: &Endpoint,
    mut request: Request,
) -> Result<tonic::Request<Req>, Status> {
    let path: RawPathParams = request.extract_parts().await.map_err(unreadable_path)?;
    let (mut parts, body) = request.into_parts();
    let input = DESCRIPTORS
        .get_message_by_name(endpoint.input)
        .ok_or_else(|| Error::internal(format!("no message {}", endpoint.input)))?;
    let mut params = Params::read(&input, &path, parts.uri.query())?;
    if endpoint.streams {
        params.resume(&parts.headers)?;
    }
    let body = if endpoint.has_body { json_body(&parts, body).await? } else { Bytes::new() };
    let (message, warnings) = read::message::<Req>(&input, params, &body)?;
    parts.extensions.insert(warnings);
    let metadata = MetadataMap::from_headers(parts.headers);
    Ok(tonic::Request::from_parts(metadata, parts.extensions, message))
}

fn unreadable_path(rejection: RawPathParamsRejection) -> Error {
    Error::Malformed(format!("the path cannot be read: {rejection}"))
}

async fn json_body(parts: &Parts, body: Body) -> Result<Bytes, Error> {
    let headers = &parts.headers;
    // A gzip body is already decompressed, and its header removed.
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(Error::UnsupportedMediaType("Content-Encoding must be gzip or absent"));
    }
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY) {
        return Err(Error::BodyTooLarge { limit: MAX_BODY });
    }
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if is_too_large(error.as_ref()) => return Err(Error::BodyTooLarge { limit: MAX_BODY }),
        Err(error) => return Err(Error::Malformed(format!("the body cannot be read: {error}"))),
    };
    if !body.is_empty() && !is_json(headers) {
        return Err(Error::UnsupportedMediaType("Content-Type must be application/json"));
    }
    Ok(body)
}

fn is_too_large(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::to_str);
    let Some(Ok(content_type)) = content_type else { return false };
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}
