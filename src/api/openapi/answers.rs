//! What an operation answers: its data in the envelope, or a fault in the error body.

use prost_reflect::MethodDescriptor;

use crate::api::openapi::examples::Examples;
use crate::api::openapi::node::{Object, list, reference};
use crate::api::openapi::schema::Components;
use crate::api::openapi::way::Way;
use crate::api::openapi::{links, options};
use crate::api::rest::Endpoint;

/// A fault that many operations share: its HTTP status, its component's name, what it means, its google.rpc codes.
type Fault = (&'static str, &'static str, &'static str, &'static [&'static str]);

const FAULTS: [Fault; 11] = [
    (
        "400",
        "BadRequest",
        "Fields break rules, all of them listed, or the request cannot be read at all.",
        &["INVALID_ARGUMENT", "OUT_OF_RANGE"],
    ),
    (
        "401",
        "Unauthenticated",
        "No key, or one that is unknown, revoked or expired: the answer does not tell which.",
        &["UNAUTHENTICATED"],
    ),
    (
        "403",
        "Forbidden",
        "The key may not do this, or the fields listed ask for what the client was not granted.",
        &["PERMISSION_DENIED"],
    ),
    ("404", "NotFound", "It does not exist, or is another client's.", &["NOT_FOUND"]),
    (
        "409",
        "Conflict",
        "The state of things does not allow it.",
        &["ALREADY_EXISTS", "FAILED_PRECONDITION", "ABORTED"],
    ),
    ("413", "BodyTooLarge", "The body is larger than 8 MiB, after decompression.", &["OUT_OF_RANGE"]),
    ("415", "UnsupportedMediaType", "The body is not `application/json`.", &["INVALID_ARGUMENT"]),
    ("429", "TooManyRequests", "A limit of the client is reached; the message names it.", &["RESOURCE_EXHAUSTED"]),
    ("500", "Internal", "A fault of the server. The message holds the request's id and no more.", &["INTERNAL"]),
    ("503", "Unavailable", "The store cannot be reached, or the server stops.", &["UNAVAILABLE"]),
    ("504", "DeadlineExceeded", "It took too long, and may have happened or not.", &["DEADLINE_EXCEEDED"]),
];

/// The answers of an operation, success first.
pub fn of(endpoint: &Endpoint, method: &MethodDescriptor, components: &mut Components, examples: &Examples) -> Object {
    let rest = options::rest(method);
    let own = [("404", rest.not_found.as_str()), ("409", rest.conflict.as_str())];
    let mut answers = Object::default().with("200", success(endpoint, method, components, examples));
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

/// The faults that operations refer to.
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

fn success(endpoint: &Endpoint, method: &MethodDescriptor, components: &mut Components, examples: &Examples) -> Object {
    let output = method.output();
    let picked = endpoint.response_body.and_then(|name| output.get_field_by_name(name));
    let data = picked.and_then(|field| field.kind().as_message().cloned()).unwrap_or(output);
    let data = components.schema(&data, Way::Answer);
    if endpoint.streams {
        let text = format!(
            "Server-Sent Events. The `data:` of each is a `{data}` in JSON and its `id:` the cursor. An event `error` \
             holds the error body, and is the last one."
        );
        let schema = Object::default().with("type", "string").with("contentMediaType", "text/event-stream");
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
        .with("description", "Done.")
        .with("headers", headers(names))
        .with("content", Object::default().with("application/json", content))
        .with_some("links", links::from(endpoint, method))
}

fn headers(names: &[&str]) -> Object {
    names.iter().map(|name| ((*name).to_owned(), reference(&format!("headers/{name}")).into())).collect()
}

/// The headers that answers refer to.
pub fn shared_headers() -> Object {
    let header =
        |description: &str, schema: Object| Object::default().with("description", description).with("schema", schema);
    let text = || Object::default().with("type", "string");
    let seconds = Object::default().with("type", "integer").with("minimum", 1);
    Object::default()
        .with("X-Request-Id", header("The request's id: the client's own, or one that the server made.", text()))
        .with("Retry-After", header("Seconds after which another try may succeed.", seconds))
        .with(
            "Idempotent-Replayed",
            header("`true` where nothing was stored and this is the first answer again.", text().with("const", "true")),
        )
}

/// The error body.
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
                .with("field", text("Its path, as `data[0].action.Channel`; empty for the request as a whole."))
                .with("message", text("What is wrong with it.")),
        )
        .with("required", list(["field", "message"]));
    let properties = Object::default()
        .with("message", text("The first fault, for people."))
        .with("status", text("").with("const", "error"))
        .with("code", text("The google.rpc code.").with("enum", list(codes)))
        .with(
            "errors",
            Object::default()
                .with("type", "array")
                .with("items", field)
                .with("maxItems", 50)
                .with("description", "Every broken rule, up to 50. A value of the wrong JSON type is reported alone."),
        )
        .with("data", Object::default().with("type", "null"));
    Object::default()
        .with("type", "object")
        .with("description", "The body of every answer that is no success, whatever the path.")
        .with("properties", properties)
        .with("required", list(["message", "status", "code", "errors", "data"]))
}
