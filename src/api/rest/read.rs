//! Reads a message from parameters and a JSON body: strictly, then with trailing commas, then to find the fault.

use prost_reflect::MessageDescriptor;
use serde::Deserializer;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Track;

use crate::api::rest::nulls::Nulls;
use crate::api::rest::params::Params;
use crate::api::rest::times::ParseWarnings;
use crate::api::rest::{legacy_forms, mask, number_texts, times, trailing_commas, type_errors};
use crate::api::{Error, FieldViolation};
use crate::pb;
use crate::pb::elements::{MOST_IN_ALL, TooMany};

/// Reads the message that `params` and `body` make together, with warnings about values that may not have been meant. An
/// empty body counts as `{}`.
///
/// # Errors
/// Returns [`Error::Malformed`] with line and column if the body is not JSON, else [`Error::InvalidArgument`] with the
/// first field that is unknown or has a value of the wrong type.
pub fn message<Req: DeserializeOwned>(
    input: &MessageDescriptor,
    params: Params,
    body: &[u8],
) -> Result<(Req, ParseWarnings), Error> {
    let body = if body.is_empty() { b"{}" } else { body };
    // Whatever a body consists of, there is a comma between two parts of it.
    if body.iter().filter(|byte| **byte == b',').count() > MOST_IN_ALL {
        return Err(Error::Malformed(TooMany::InAll.to_string()));
    }
    let legacy = legacy_forms::rewritten(input, body);
    let body = legacy.as_deref().map_or(body, str::as_bytes);
    let renamed = number_texts::renamed(input, body);
    let body = renamed.as_deref().map_or(body, str::as_bytes);
    let without_null = mask::without_null(input, &params, body);
    let body = without_null.as_deref().unwrap_or(body);
    let masked = mask::of(input, body)?.map_or_else(|| params.clone(), |fields| params.clone().with_mask(fields));
    let (parsed, assumed_utc) = pb::noticing_assumed_utc(|| typed(masked, body));
    match parsed {
        Ok(message) if !assumed_utc => Ok((message, ParseWarnings::default())),
        Ok(message) => Ok((message, times::warnings(input, body))),
        Err(error) => match trailing_commas::without(body) {
            Some(strict) => message(input, params, strict.as_bytes()),
            None if error.is_data() => Err(data_fault::<Req>(input, params, body)),
            None => Err(not_json(&error)),
        },
    }
}

fn typed<Req: DeserializeOwned>(params: Params, body: &[u8]) -> Result<Req, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let message = Req::deserialize(params.before(Nulls::new(&mut json)))?;
    json.end()?;
    Ok(message)
}

/// Parses the body once more while tracking the path, which would cost too much for a body that is right.
fn data_fault<Req: DeserializeOwned>(input: &MessageDescriptor, params: Params, body: &[u8]) -> Error {
    let value: Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(error) => return not_json(&error),
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let mut track = Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut json, &mut track);
    let Err(error) = read_tracked::<Req, _>(params.clone(), tracked) else {
        return Error::internal("a body was refused and then accepted");
    };
    let violation: FieldViolation = type_errors::describe(input, &value, &track.path(), &error, &params);
    Error::InvalidArgument(vec![violation])
}

fn read_tracked<'de, Req: DeserializeOwned, D: Deserializer<'de>>(params: Params, tracked: D) -> Result<Req, D::Error> {
    Req::deserialize(params.before(Nulls::new(tracked)))
}

fn not_json(error: &serde_json::Error) -> Error {
    Error::Malformed(format!("the body is not valid JSON: {error}"))
}
