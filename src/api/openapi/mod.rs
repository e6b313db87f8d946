//! `/openapi.json`: OpenAPI 3.1 of every REST endpoint.
//!
//! Each part of the document has one source: paths and verbs come from the table `ENDPOINTS`, which also makes the
//! routes; texts from the comments in the protos; types from their fields; and the values that a field may hold from
//! the options in `options.proto`. `bin/test` checks with schemathesis that the server does what the document says.

mod answers;
mod choice;
pub mod comments;
mod examples;
mod links;
mod node;
mod operation;
pub mod options;
mod schema;
mod source;
mod value;
mod way;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header;

use crate::api::openapi::comments::Commented as _;
use crate::api::openapi::examples::Examples;
use crate::api::openapi::node::{Node, Object, list};
use crate::api::openapi::schema::Components;
use crate::api::rest::{BASE, OLD_BASE};

pub use source::Source;

/// The introduction: what holds for every endpoint.
const ABOUT: &str = include_str!("about.md");

static DOCUMENT: LazyLock<String> = LazyLock::new(|| json(Source::served()));

/// Serves the document of this server.
pub async fn serve() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

/// Returns the document of an API as JSON.
#[must_use]
pub fn json(source: Source<'_>) -> String {
    // Serializing fails only for maps whose keys are not texts, and the document has none.
    serde_json::to_string(&document(source)).unwrap_or_else(|error| error.to_string())
}

fn document(source: Source<'_>) -> Object {
    let mut components = Components::default();
    let examples = Examples::read();
    let mut paths: Vec<(String, Object)> = Vec::new();
    for endpoint in source.endpoints {
        let Some(method) = source.method_of(endpoint) else { continue };
        let path = format!("/{}", endpoint.path.strip_prefix(BASE).unwrap_or(endpoint.path));
        let verb = endpoint.verb.as_str().to_ascii_lowercase();
        let operation = operation::of(source, endpoint, &method, &mut components, &examples);
        match paths.iter_mut().find(|(known, _)| *known == path) {
            Some((_, item)) => *item = std::mem::take(item).with(verb, operation),
            None => paths.push((path, Object::default().with(verb, operation))),
        }
    }
    let paths: Object = paths.into_iter().map(|(path, item)| (path, item.into())).collect();
    Object::default()
        .with("openapi", "3.1.0")
        .with("info", info())
        .with("servers", servers())
        .with("security", list([Object::default().with("ApiKey", list::<Object>([]))]))
        .with("tags", tags(source))
        .with("paths", paths)
        .with("components", shared(components))
}

fn info() -> Object {
    let licence = Object::default().with("name", "Apache 2.0").with("identifier", "Apache-2.0");
    Object::default()
        .with("title", "Trunkline")
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("description", ABOUT)
        .with("license", licence)
}

fn servers() -> Node {
    let server = |base: &str, description: &str| {
        Object::default().with("url", base.trim_end_matches('/')).with("description", description)
    };
    list([
        server(BASE, "The current paths of this server."),
        server(OLD_BASE, "The same endpoints under the paths that older clients use."),
    ])
}

fn tags(source: Source<'_>) -> Node {
    let mut names: Vec<&str> = Vec::new();
    for endpoint in source.endpoints {
        let service = endpoint.rpc.split('/').next().unwrap_or_default();
        if !names.contains(&service) {
            names.push(service);
        }
    }
    let tag = |name: &str| {
        let service = source.pool.get_service_by_name(name)?;
        Some(Object::default().with("name", service.name()).with_text("description", &service.comment()))
    };
    list(names.into_iter().filter_map(tag))
}

fn shared(components: Components) -> Object {
    let key = Object::default()
        .with("type", "apiKey")
        .with("in", "header")
        .with("name", "X-API-KEY")
        .with("description", "The key of a client, or an admin key. gRPC takes the same key as metadata `x-api-key`.");
    Object::default()
        .with("securitySchemes", Object::default().with("ApiKey", key))
        .with("headers", answers::shared_headers())
        .with("responses", answers::shared())
        .with("schemas", components.into_schemas().with("Error", answers::error_schema()))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api::rest::ENDPOINTS;

    #[test]
    fn every_endpoint_is_an_operation_with_a_description_of_its_own() {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        for endpoint in &ENDPOINTS {
            let path = format!("/{}", endpoint.path.strip_prefix(BASE).unwrap());
            let operation = &document["paths"][&path][endpoint.verb.as_str().to_ascii_lowercase()];
            let description = operation["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty() && !description.starts_with('\n'), "{path}: {operation}");
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn follow(node: &Value, document: &Value) {
            match node {
                Value::Object(members) => {
                    if let Some(Value::String(reference)) = members.get("$ref") {
                        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
                    }
                    members.values().for_each(|member| follow(member, document));
                }
                Value::Array(elements) => elements.iter().for_each(|element| follow(element, document)),
                _ => {}
            }
        }
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        follow(&document, &document);
    }
}
