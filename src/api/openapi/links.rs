//! Links from the answer of an operation that creates something to the operations that take its id.

use prost_reflect::{Kind, MessageDescriptor, MethodDescriptor};

use crate::api::openapi::node::{Node, Object};
use crate::api::openapi::source::Source;
use crate::api::rest::Endpoint;
use crate::domain::scope::Scope;

/// An id whose name in answers (first) differs from its name in a query (second).
const ALSO: (&str, &str) = ("queue_id", "master_queue_id");

/// Returns the links from the answer to a POST that creates something, or `None` if the answer holds no id.
pub fn from(source: Source<'_>, endpoint: &Endpoint, method: &MethodDescriptor) -> Option<Object> {
    if endpoint.verb != http::Method::POST || endpoint.path.contains('{') {
        return None;
    }
    let output = method.output();
    let picked = endpoint.response_body.and_then(|name| output.get_field_by_name(name));
    let data = match picked.map(|field| field.kind()) {
        Some(Kind::Message(message)) => message,
        _ => output,
    };
    let targets = source.endpoints.iter().filter(|target| is_admin(target) == is_admin(endpoint) && !target.streams);
    let links: Vec<(String, Node)> = targets.filter_map(|target| to(source, target, &data)).collect();
    (!links.is_empty()).then(|| links.into_iter().collect())
}

fn is_admin(endpoint: &Endpoint) -> bool {
    endpoint.scope == Scope::Admin
}

/// Returns the link to an operation if `data` holds every parameter of its path, or the id that its query takes.
fn to(source: Source<'_>, target: &Endpoint, data: &MessageDescriptor) -> Option<(String, Node)> {
    let method = source.method_of(target)?;
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
        // The answer does not hold every parameter.
        _ => return None,
    };
    let link = Object::default().with("operationId", method.name()).with("parameters", parameters);
    Some((method.name().to_owned(), link.into()))
}

/// Returns true if a parameter called `name` can only mean the field of `data` with that name. The `name` of a client,
/// for example, is not the `name` of a node.
fn is_its_own(name: &str, data: &MessageDescriptor) -> bool {
    name.ends_with("_id") || (name == "code" && data.name() == "Server")
}

fn from_answer(field: &str) -> String {
    format!("$response.body#/data/{field}")
}
