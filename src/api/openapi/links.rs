//! Where an operation's answer leads: what it made can be asked for, changed and deleted by its id.

use prost_reflect::{Kind, MessageDescriptor, MethodDescriptor};

use crate::api::openapi::node::{Node, Object};
use crate::api::rest::{ENDPOINTS, Endpoint};

/// An id that answers hold under one name and queries take under another.
const ALSO: (&str, &str) = ("queue_id", "master_queue_id");

/// The links of what a POST made; none where it made nothing with an id.
pub fn from(endpoint: &Endpoint, method: &MethodDescriptor) -> Option<Object> {
    if endpoint.verb != http::Method::POST || endpoint.path.contains('{') {
        return None;
    }
    let output = method.output();
    let picked = endpoint.response_body.and_then(|name| output.get_field_by_name(name));
    let data = match picked.map(|field| field.kind()) {
        Some(Kind::Message(message)) => message,
        _ => output,
    };
    let targets = ENDPOINTS.iter().filter(|target| target.admin == endpoint.admin && !target.streams);
    let links: Vec<(String, Node)> = targets.filter_map(|target| to(target, &data)).collect();
    (!links.is_empty()).then(|| links.into_iter().collect())
}

/// The link to an operation whose path, or whose query in its place, `data` can fill.
fn to(target: &Endpoint, data: &MessageDescriptor) -> Option<(String, Node)> {
    let method = target.method()?;
    let in_path: Vec<&str> =
        target.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    let holds = |name: &str| data.get_field_by_name(name).is_some();
    let parameters: Object = match in_path.as_slice() {
        [] if holds(ALSO.0) && !target.has_body && method.input().get_field_by_name(ALSO.1).is_some() => {
            Object::default().with(format!("query.{}", ALSO.1), from_answer(ALSO.0))
        }
        [] => return None,
        names if names.iter().all(|name| is_its_own(name, data) && holds(name)) => {
            names.iter().map(|name| (format!("path.{name}"), from_answer(name).into())).collect()
        }
        // The link would lead nowhere.
        _ => return None,
    };
    let link = Object::default().with("operationId", method.name()).with("parameters", parameters);
    Some((method.name().to_owned(), link.into()))
}

/// A client's `name` is not that of a node: only what is unmistakable leads on.
fn is_its_own(name: &str, data: &MessageDescriptor) -> bool {
    name.ends_with("_id") || (name == "code" && data.name() == "Server")
}

fn from_answer(field: &str) -> String {
    format!("$response.body#/data/{field}")
}
