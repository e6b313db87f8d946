//! One endpoint as an operation.

use prost_reflect::{FieldDescriptor, MethodDescriptor};

use crate::api::openapi::comments::Commented as _;
use crate::api::openapi::examples::Examples;
use crate::api::openapi::node::{Node, Object, list, reference};
use crate::api::openapi::schema::{self, Components};
use crate::api::openapi::source::Source;
use crate::api::openapi::way::Way;
use crate::api::openapi::{answers, options, value};
use crate::api::rest::Endpoint;
use crate::api::validate::quick::MAX_KEY;
use crate::domain::scope::Scope;
use crate::pb::FieldRule;

/// Returns the operation of an endpoint, which serves `method`.
pub fn of(
    source: Source<'_>,
    endpoint: &Endpoint,
    method: &MethodDescriptor,
    components: &mut Components,
    examples: &Examples,
) -> Object {
    let key = match endpoint.scope {
        Scope::Admin => "\n\nNeeds an admin key.".to_owned(),
        scope => format!("\n\nNeeds a key with scope `{scope}`."),
    };
    let grpc = format!("\n\ngRPC: `{}`.", endpoint.rpc);
    let operation = Object::default()
        .with("operationId", method.name())
        .with("summary", words(method.name()))
        .with("description", format!("{}{key}{grpc}", method.comment()))
        .with("tags", list([method.parent_service().name()]))
        .with_any("parameters", parameters(endpoint, method, components));
    let operation = match endpoint.has_body {
        true => operation.with("requestBody", body(endpoint, method, components, examples)),
        false => operation,
    };
    operation.with("responses", answers::of(source, endpoint, method, components, examples))
}

/// Returns a method's name as words: `InsertBatch` is `Insert batch`.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_ascii_uppercase() {
            words.push(' ');
            words.push(letter.to_ascii_lowercase());
        } else {
            words.push(letter);
        }
    }
    words
}

fn is_in_path(endpoint: &Endpoint, field: &FieldDescriptor) -> bool {
    endpoint.path.contains(&format!("{{{}}}", field.name()))
}

fn parameters(endpoint: &Endpoint, method: &MethodDescriptor, components: &mut Components) -> Vec<Object> {
    let mut parameters = Vec::new();
    for field in method.input().fields() {
        let in_path = is_in_path(endpoint, &field);
        if in_path || !endpoint.has_body {
            parameters.push(parameter(&field, in_path, components));
        }
    }
    let header = |name: &str, description: &str, schema: Object| {
        Object::default()
            .with("name", name)
            .with("in", "header")
            .with("description", description)
            .with("schema", schema)
    };
    if options::rest(method).idempotency_key {
        let text = "A text that the client chooses. A request with the same key and the same body within 24 hours gets \
                    the first response again; the same key with another body gets 409.";
        let rule = FieldRule { min_length: Some(1), max_length: i32::try_from(MAX_KEY).ok(), ..Default::default() };
        parameters.push(header(
            "Idempotency-Key",
            text,
            value::schema(&prost_reflect::Kind::String, &rule, Way::Request),
        ));
    }
    if endpoint.streams && !endpoint.has_body {
        let text =
            "The cursor after which the stream continues. It overrides `after`. Browsers send it when they reconnect.";
        let rule = FieldRule { min: Some(0), ..Default::default() };
        parameters.push(header("Last-Event-ID", text, value::schema(&prost_reflect::Kind::Int64, &rule, Way::Request)));
    }
    parameters
}

fn parameter(field: &FieldDescriptor, in_path: bool, components: &mut Components) -> Object {
    let rule = options::rule(field);
    let schema = schema::parameter(field, &rule, in_path, components);
    let schema = Object::default()
        .with("name", field.json_name())
        .with("in", if in_path { "path" } else { "query" })
        .with_text("description", &schema::description(field))
        .with("schema", schema);
    if in_path || rule.required {
        return schema.with("required", true);
    }
    // An empty value counts as absent, like `null` in a body.
    schema.with("allowEmptyValue", true)
}

fn body(endpoint: &Endpoint, method: &MethodDescriptor, components: &mut Components, examples: &Examples) -> Object {
    let input = method.input();
    let fields: Vec<_> = input.fields().collect();
    let in_path: Vec<&str> =
        fields.iter().filter(|field| is_in_path(endpoint, field)).map(FieldDescriptor::json_name).collect();
    let schema = reference(&format!("schemas/{}", components.request(&input, &in_path)));
    let content =
        Object::default().with("schema", schema).with_some("examples", examples.requests(method.name()).map(named));
    let is_required = |field: &FieldDescriptor| !is_in_path(endpoint, field) && options::rule(field).required;
    let required = fields.iter().any(is_required) || !options::choices(&input).is_empty();
    Object::default().with("required", required).with("content", Object::default().with("application/json", content))
}

/// Wraps each example in the object that OpenAPI demands, with the example itself under `value`.
fn named(examples: Node) -> Node {
    match examples {
        Node::Object(examples) => {
            let wrap = |(name, value): (String, Node)| {
                let summary = name.replace('_', " ");
                (name, Object::default().with("summary", summary).with("value", value).into())
            };
            examples.into_iter().map(wrap).collect::<Object>().into()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_methods_name_is_read_as_words() {
        assert_eq!(words("CreateQuickCall"), "Create quick call");
    }
}
