//! The answers of an operation: its data in the envelope, or a fault in the error body.

use prost_reflect::MethodDescriptor;

use crate::api::openapi::examples::Examples;
use crate::api::openapi::node::{Object, list, reference};
use crate::api::openapi::schema::Components;
use crate::api::openapi::source::Source;
use crate::api::openapi::way::Way;
use crate::api::openapi::{links, options};
use crate::api::rest::Endpoint;

/// A fault that many operations share: the HTTP status, the name of the component, the meaning, and the google.rpc
/// codes.
type Fault = (&'static str, &'static str, &'static str, &'static [&'static str]);

const FAULTS: [Fault; 11] = [
    (
        "400",
        "BadRequest",
        "The request breaks rules, all of which are listed, or it cannot be read at all.",
        &["INVALID_ARGUMENT", "OUT_OF_RANGE"],
    ),
    (
        "401",
        "Unauthenticated",
        "The key is missing, unknown, revoked or expired. The response does not say which.",
        &["UNAUTHENTICATED"],
    ),
    (
        "403",
        "Forbidden",
        "The key does not allow this operation, or the listed fields need a permission that the client lacks.",
        &["PERMISSION_DENIED"],
    ),
    ("404", "NotFound", "The object does not exist, or it belongs to another client.", &["NOT_FOUND"]),
    (
        "409",
        "Conflict",
        "The current state does not allow the operation.",
        &["ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED"],
    ),
    ("413", "BodyTooLarge", "The body is larger than 8 MiB after decompression.", &["OUT_OF_RANGE"]),
    ("415", "UnsupportedMediaType", "The body is not `application/json`.", &["INVALID_ARGUMENT"]),
    (
        "429",
        "TooManyRequests",
        "The client has reached a limit, which the message names, or too many wrong keys came from its address.",
        &["RESOURCE_EXHAUSTED"],
    ),
    (
        "500",
        "Internal",
        "The server failed. The message holds only the id of the request, which operators find in the log.",
        &["INTERNAL"],
    ),
    ("503", "Unavailable", "The database cannot be reached, or the server is shutting down.", &["UNAVAILABLE"]),
    (
        "504",
        "DeadlineExceeded",
        "The operation took too long. It may have been carried out or not.",
        &["DEADLINE_EXCEEDED"],
    ),
];

/// Returns the answers of an operation, success first.
pub fn of(
    source: Source<'_>,
    endpoint: &Endpoint,
    method: &MethodDescriptor,
    components: &mut Components,
    examples: &Examples,
) -> Object {
    let rest = options::rest(method);
    let own = [("404", rest.not_found.as_str()), ("409", rest.conflict.as_str())];
    let mut answers = Object::default().with("200", success(source, endpoint, method, components, examples));
    for (status, name, ..) in &FAULTS {
        answers = match (*status, own.iter().find(|(known, _)| known == status)) {
            (_, Some((_, ""))) => answers,
            (_, Some((_, why))) => answers.with(*status, fault(why)),
            ("413" | "415", None) if !endpoint.has_body => answers,
            _ => answers.with(*status, reference(&format!("responses/{name}"))),
        };
    }
    answers
}

/// Returns the faults that operations refer to.
pub fn shared() -> Object {
    let named = FAULTS.iter();
    named
        .map(|(status, name, text, codes)| {
            let codes = codes.join("`, `");
            let answer = fault(&format!("{text} Code: `{codes}`."));
            let retries = matches!(*status, "429" | "503");
            let answer =
                if retries { answer.with("headers", headers(&["X-Request-Id", "Retry-After"])) } else { answer };
            ((*name).to_owned(), answer.into())
        })
        .collect()
}

fn fault(description: &str) -> Object {
    let content =
        Object::default().with("application/json", Object::default().with("schema", reference("schemas/Error")));
    Object::default().with("description", description).with("content", content)
}

fn success(
    source: Source<'_>,
    endpoint: &Endpoint,
    method: &MethodDescriptor,
    components: &mut Components,
    examples: &Examples,
) -> Object {
    let output = method.output();
    let picked = endpoint.response_body.and_then(|name| output.get_field_by_name(name));
    let data = picked.and_then(|field| field.kind().as_message().cloned()).unwrap_or(output);
    let data = components.schema(&data, Way::Answer);
    if endpoint.streams {
        let id = if endpoint.has_body { "it has no `id:`" } else { "its `id:` is the cursor" };
        let text = format!(
            "A stream of Server-Sent Events. The `data:` of an event is a `{data}` in JSON, and {id}. If the stream fails, \
             its last event is `error`, which holds the error body."
        );
        // Before OpenAPI 3.2, the schema of a stream of events is that of each event.
        let text_of = |content: Object| content.with("type", "string");
        let in_json = Object::default()
            .with("contentMediaType", "application/json")
            .with("contentSchema", reference(&format!("schemas/{data}")));
        let properties = Object::default()
            .with("data", text_of(in_json))
            .with("event", text_of(Object::default()))
            .with("id", text_of(Object::default()));
        let schema =
            Object::default().with("type", "object").with("properties", properties).with("required", list(["data"]));
        let content =
            Object::default().with("schema", schema).with("x-event-data", reference(&format!("schemas/{data}")));
        return Object::default()
            .with("description", text)
            .with("headers", headers(&["X-Request-Id"]))
            .with("content", Object::default().with("text/event-stream", content));
    }
    let constant = |text: &str| Object::default().with("type", "string").with("const", text);
    let properties = Object::default()
        .with("message", constant(endpoint.message))
        .with("status", constant("success"))
        .with("data", reference(&format!("schemas/{data}")));
    let schema = Object::default()
        .with("type", "object")
        .with("properties", properties)
        .with("required", list(["message", "status", "data"]));
    let content = Object::default().with("schema", schema).with_some("example", examples.answer(method.name()));
    let names: &[&str] =
        if options::rest(method).replays { &["X-Request-Id", "Idempotent-Replayed"] } else { &["X-Request-Id"] };
    Object::default()
        .with("description", "The operation succeeded.")
        .with("headers", headers(names))
        .with("content", Object::default().with("application/json", content))
        .with_some("links", links::from(source, endpoint, method))
}

fn headers(names: &[&str]) -> Object {
    names.iter().map(|name| ((*name).to_owned(), reference(&format!("headers/{name}")).into())).collect()
}

/// Returns the headers that answers refer to.
pub fn shared_headers() -> Object {
    let header =
        |description: &str, schema: Object| Object::default().with("description", description).with("schema", schema);
    let text = || Object::default().with("type", "string");
    let seconds = Object::default().with("type", "integer").with("minimum", 1);
    Object::default()
        .with(
            "X-Request-Id",
            header("The id of the request: the one that the client sent, or one that the server made.", text()),
        )
        .with("Retry-After", header("The number of seconds after which another attempt may succeed.", seconds))
        .with(
            "Idempotent-Replayed",
            header(
                "`true` if nothing was stored and this is the response to the first request again.",
                text().with("const", "true"),
            ),
        )
}

/// Returns the schema of the error body.
pub fn error_schema() -> Object {
    let text = |description: &str| Object::default().with("type", "string").with("description", description);
    let mut codes: Vec<&str> = FAULTS.iter().flat_map(|(.., codes)| *codes).copied().collect();
    codes.push("UNIMPLEMENTED");
    codes.sort_unstable();
    codes.dedup();
    let field = Object::default()
        .with("type", "object")
        .with(
            "properties",
            Object::default()
                .with(
                    "field",
                    text("The path, such as `data[0].action.Channel`. It is empty for the request as a whole."),
                )
                .with("message", text("What is wrong with the field.")),
        )
        .with("required", list(["field", "message"]));
    let properties = Object::default()
        .with("message", text("The first fault, in words for a person."))
        .with("status", text("Always `error`; a success has `success`.").with("const", "error"))
        .with("code", text("The google.rpc code of the fault, for programs.").with("enum", list(codes)))
        .with(
            "errors",
            Object::default().with("type", "array").with("items", field).with("maxItems", 50).with(
                "description",
                "Every broken rule, up to 50. If a value has the wrong JSON type, only that fault is listed.",
            ),
        )
        .with("data", Object::default().with("type", "null").with("description", "Always null."));
    Object::default()
        .with("type", "object")
        .with("description", "The body of every response other than a success, on every path.")
        .with("properties", properties)
        .with("required", list(["message", "status", "code", "errors", "data"]))
}
