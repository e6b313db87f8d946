//! Writes the pages: one for each service, one for messages, one for enums, and one that leads to all of them.

use std::collections::BTreeMap;

use prost_reflect::prost_types::method_options::IdempotencyLevel;
use prost_reflect::{EnumDescriptor, Kind, MessageDescriptor, MethodDescriptor, ServiceDescriptor};
use trunkline::api::openapi::comments::Commented as _;
use trunkline::api::openapi::options;
use trunkline::api::rest::{ENDPOINTS, Endpoint, METHODS};
use trunkline::domain::scope::Scope;

use super::fields;
use super::links::{Targets, page_of};
use crate::{PACKAGE, idempotency, methods, services};

const MADE: &str = "<!-- Made from the protos by bin/reference. Change the comments there. -->\n\n";

const ABOUT: &str = "\
# Reference

For API users: every method with its path, its fields and their rules. It is made from the comments and options in
[`proto/trunkline/v1`](../../proto/trunkline/v1), like `/docs` and `/openapi.json` on any server.

| | |
| --- | --- |
| names of fields | those of JSON. Over gRPC the generated code has them in its language's style |
| `int64` | a JSON number in both directions |
| `Timestamp` | RFC 3339 in JSON, such as `2026-01-31T12:00:00Z` |
| enums | their JSON name in JSON; the value 0 stands for a field that is not set |
| plain text | not empty, at most 980 bytes, and without CR, LF, NUL, `${` and `$[`, because it goes to Asterisk |
| errors | every method may fail as [errors](../errors.md) says; a method names what is special about it |
| scope | `read`, `write` (which includes `read`) or `admin`: what the key must allow |
| repeating | whether a request that got no answer can be sent again |

[Messages](messages.md) and [enums](enums.md) that several methods use have pages of their own. Where the API differs
from Google's AIPs, [its style](../api-style.md) says why.
";

/// Returns all pages by the names of their files.
pub fn all() -> BTreeMap<String, String> {
    let targets = targets();
    let mut pages = BTreeMap::new();
    for service in services() {
        let first = service.methods().next().unwrap();
        pages.insert(page_of(&first), MADE.to_owned() + &self::service(&targets, &service));
    }
    let mut messages = format!(
        "{MADE}# Messages\n\nWhat requests and responses hold. The [reference](README.md) explains types and rules.\n"
    );
    for message in &targets.messages {
        let comment = targets.within(&message.comment());
        messages.push_str(&format!("\n## {}\n\n{comment}\n\n{}", message.name(), fields::table(&targets, message)));
    }
    pages.insert("messages.md".to_owned(), messages);
    let mut enums = format!(
        "{MADE}# Enums\n\nThe values that a field may have. The value 0 is never sent: it stands for a field that is not set.\n"
    );
    for of in &targets.enums {
        let comment = targets.within(&of.comment());
        enums.push_str(&format!("\n## {}\n\n{comment}\n\n{}", of.name(), fields::values(&targets, of)));
    }
    pages.insert("enums.md".to_owned(), enums);
    pages.insert("README.md".to_owned(), MADE.to_owned() + &index());
    pages
}

/// Collects the messages and enums that requests and responses hold, sorted by name.
fn targets() -> Targets {
    let methods = methods();
    let direct: Vec<MessageDescriptor> = methods.iter().flat_map(|method| [method.input(), method.output()]).collect();
    let (mut messages, mut enums): (Vec<MessageDescriptor>, Vec<EnumDescriptor>) = (Vec::new(), Vec::new());
    let mut open = direct.clone();
    while let Some(message) = open.pop() {
        for field in message.fields() {
            match field.kind() {
                Kind::Message(inner) if inner.is_map_entry() => open.push(inner),
                Kind::Message(inner) if inner.package_name() == PACKAGE && !messages.contains(&inner) => {
                    open.push(inner.clone());
                    messages.push(inner);
                }
                Kind::Enum(known) if !enums.contains(&known) => enums.push(known),
                _ => {}
            }
        }
    }
    messages.retain(|message| !direct.contains(message));
    messages.sort_by(|one, other| one.name().cmp(other.name()));
    enums.sort_by(|one, other| one.name().cmp(other.name()));
    Targets { methods, messages, enums }
}

fn index() -> String {
    let mut text = ABOUT.to_owned();
    for service in services() {
        text.push_str(&format!("\n## {}\n\n{}\n\n", service.name(), service.comment()));
        text.push_str("| method | over REST | scope | repeating |\n| --- | --- | --- | --- |\n");
        for method in service.methods() {
            let name = method.name();
            let link = format!("[{name}]({}#{})", page_of(&method), name.to_lowercase());
            let rest = endpoints(&method).map(|it| format!("`{} {}`", it.verb, it.path)).collect::<Vec<_>>();
            let rest = if rest.is_empty() { "gRPC only".to_owned() } else { rest.join("<br>") };
            text.push_str(&format!("| {link} | {rest} | `{}` | {} |\n", scope(&method), repeating(&method).0));
        }
    }
    text
}

fn service(targets: &Targets, service: &ServiceDescriptor) -> String {
    let comment = targets.within(&service.comment());
    let mut text =
        format!("# {}\n\n{comment}\n\nThe [reference](README.md) explains types and rules.\n", service.name());
    for method in service.methods() {
        text.push_str(&format!("\n## {}\n\n{}\n\n", method.name(), targets.within(&method.comment())));
        text.push_str(&facts(&method));
        let (input, output) = (method.input(), method.output());
        let stream = |is_stream: bool| if is_stream { ", a stream of" } else { "" };
        text.push_str(&format!("\n**Request**{}: `{}`\n\n", stream(method.is_client_streaming()), input.name()));
        text.push_str(&fields::table(targets, &input));
        let data = endpoints(&method).find_map(|endpoint| endpoint.response_body);
        let data = data.map_or(String::new(), |field| format!(". Over REST, `data` is its `{field}`."));
        text.push_str(&format!(
            "\n**Response**{}: `{}`{data}\n\n",
            stream(method.is_server_streaming()),
            output.name()
        ));
        text.push_str(&fields::table(targets, &output));
    }
    text
}

/// Returns the path of a method, what its key needs, whether it can be repeated, and its errors over REST.
fn facts(method: &MethodDescriptor) -> String {
    let mut text = String::from("| | |\n| --- | --- |\n");
    for endpoint in endpoints(method) {
        text.push_str(&format!("| REST | `{} {}` |\n", endpoint.verb, endpoint.path));
    }
    text.push_str(&format!("| gRPC | `{}/{}` |\n", method.parent_service().full_name(), method.name()));
    text.push_str(&format!("| scope | `{}` |\n", scope(method)));
    let (name, meaning) = repeating(method);
    text.push_str(&format!("| repeating | {name}: {meaning} |\n"));
    let rest = options::rest(method);
    for (status, when) in [("404", rest.not_found), ("409", rest.conflict)] {
        if !when.is_empty() {
            text.push_str(&format!("| HTTP {status} | {} |\n", when.replace('|', "\\|")));
        }
    }
    text
}

fn endpoints(method: &MethodDescriptor) -> impl Iterator<Item = &'static Endpoint> {
    let rpc = format!("{}/{}", method.parent_service().full_name(), method.name());
    ENDPOINTS.iter().filter(move |endpoint| endpoint.rpc == rpc)
}

fn scope(method: &MethodDescriptor) -> Scope {
    let rpc = format!("{}/{}", method.parent_service().full_name(), method.name());
    METHODS.iter().find(|known| known.rpc == rpc).unwrap().scope
}

/// Returns whether a request can be sent again, and what that means.
fn repeating(method: &MethodDescriptor) -> (&'static str, &'static str) {
    match idempotency::level(method) {
        IdempotencyLevel::NoSideEffects => ("reads only", "it can be sent again"),
        IdempotencyLevel::Idempotent => ("idempotent", "sent again, it changes nothing more"),
        IdempotencyLevel::IdempotencyUnknown => {
            let why = idempotency::UNMARKED.iter().find(|(name, _)| *name == method.name());
            ("not idempotent", why.map_or("sent again, it happens again", |(_, why)| why))
        }
    }
}
