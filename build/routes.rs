//! Reads which REST endpoints there are: every rule of every method, checked against the messages that it names.

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};

use crate::http_rule::{self, HttpRule, Pattern, RestOptions};
use crate::{PACKAGE, default_message};

/// Every REST path begins with this. The same endpoints are also served without `v1/`.
const BASE: &str = "/calling/api/v1/";
/// Every path that needs an admin key begins with this, and no other path does.
const ADMIN: &str = "/calling/api/v1/admin/";
/// The service whose methods need an admin key, and which has no other methods.
const ADMIN_SERVICE: &str = "AdminService";

/// A service with its methods and their endpoints.
pub struct Service {
    pub name: String,
    pub methods: Vec<Method>,
    pub endpoints: Vec<Endpoint>,
}

/// A method, whether it has an endpoint or not.
pub struct Method {
    /// The name of the method, such as `InsertBatch`.
    pub name: String,
    /// The scope that a key needs for it, as a variant of `domain::scope::Scope`.
    pub scope: &'static str,
    /// True if its request or its answer is a stream.
    pub streams: bool,
}

/// One verb and path of one method.
pub struct Endpoint {
    /// The name of the method, such as `InsertBatch`.
    pub method: String,
    /// The full name of the request message, such as `trunkline.v1.InsertBatchRequest`.
    pub input: String,
    /// The HTTP method in capitals, such as `POST`.
    pub verb: &'static str,
    /// The path template. axum's syntax is the same.
    pub path: String,
    pub has_body: bool,
    /// The field of the answer that becomes the envelope's `data`. `None` stands for the whole answer.
    pub response_body: Option<String>,
    pub streams: bool,
    /// The envelope's `message` after a success. It is empty for a stream, which has no envelope.
    pub message: String,
    /// The scope that a key needs for it, as a variant of `domain::scope::Scope`.
    pub scope: &'static str,
}

/// Reads every service of the package. The services that clients use come first, by name; `AdminService` is the last.
pub fn read(pool: &DescriptorPool) -> Result<Vec<Service>, String> {
    let mut services = Vec::new();
    for service in pool.services() {
        if service.package_name() != PACKAGE {
            continue;
        }
        let (mut methods, mut endpoints) = (Vec::new(), Vec::new());
        for method in service.methods() {
            let at = |fault: String| format!("{}: {fault}", method.full_name());
            let scope = scope(pool, &method).map_err(at)?;
            let streams = method.is_client_streaming() || method.is_server_streaming();
            methods.push(Method { name: method.name().to_owned(), scope, streams });
            endpoints.extend(of_method(pool, &method, scope).map_err(at)?);
        }
        services.push(Service { name: service.name().to_owned(), methods, endpoints });
    }
    services.sort_by(|a, b| (a.name == ADMIN_SERVICE, &a.name).cmp(&(b.name == ADMIN_SERVICE, &b.name)));
    Ok(services)
}

fn scope(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<&'static str, String> {
    let scope = http_rule::scope(pool, method)?;
    if (method.parent_service().name() == ADMIN_SERVICE) != (scope == "Admin") {
        return Err(format!("the methods of {ADMIN_SERVICE}, and no others, must need SCOPE_ADMIN"));
    }
    Ok(scope)
}

fn of_method(pool: &DescriptorPool, method: &MethodDescriptor, scope: &'static str) -> Result<Vec<Endpoint>, String> {
    let rule: Option<HttpRule> = http_rule::option(pool, method, "google.api.http")?;
    let rest: Option<RestOptions> = http_rule::option(pool, method, "trunkline.v1.rest")?;
    let Some(rule) = rule else {
        return match rest {
            Some(_) => Err("has (trunkline.v1.rest) but no google.api.http".to_owned()),
            None => Ok(Vec::new()),
        };
    };
    if method.is_client_streaming() {
        return Err("a client stream has no REST form".to_owned());
    }
    let message = match rest.unwrap_or_default().message {
        _ if method.is_server_streaming() => String::new(),
        message if message.is_empty() => default_message::of(method.name()),
        message => message,
    };
    std::iter::once(&rule).chain(&rule.additional_bindings).map(|rule| of_rule(method, rule, &message, scope)).collect()
}

fn of_rule(method: &MethodDescriptor, rule: &HttpRule, message: &str, scope: &'static str) -> Result<Endpoint, String> {
    let (verb, path) = match &rule.pattern {
        Some(Pattern::Get(path)) => ("GET", path),
        Some(Pattern::Put(path)) => ("PUT", path),
        Some(Pattern::Post(path)) => ("POST", path),
        Some(Pattern::Delete(path)) => ("DELETE", path),
        Some(Pattern::Patch(path)) => ("PATCH", path),
        Some(Pattern::Custom(custom)) => return Err(format!("custom verb {:?}", custom.kind)),
        None => return Err("google.api.http names no verb".to_owned()),
    };
    let in_path = path_fields(method, path)?;
    if (scope == "Admin") != path.starts_with(ADMIN) {
        return Err(format!("{path}: the paths of {ADMIN_SERVICE}, and no others, must begin with {ADMIN}"));
    }
    let has_body = match (rule.body.as_str(), verb) {
        ("", _) => false,
        (_, "GET" | "DELETE") => return Err(format!("{verb} takes no body")),
        ("*", _) => true,
        (body, _) => return Err(format!("body {body:?}: only \"*\" is supported")),
    };
    if !has_body {
        for field in method.input().fields() {
            if !in_path.contains(&field.name().to_owned()) && !is_query_parameter(&field) {
                return Err(format!("{}: cannot be a query parameter", field.name()));
            }
        }
    }
    let output = method.output();
    let response_body = match rule.response_body.as_str() {
        "" => None,
        name => Some(response_field(&output, name)?),
    };
    if method.is_server_streaming() {
        check_stream(method, verb, response_body.as_ref())?;
    }
    Ok(Endpoint {
        method: method.name().to_owned(),
        input: method.input().full_name().to_owned(),
        verb,
        path: path.clone(),
        has_body,
        response_body: response_body.map(|field| field.name().to_owned()),
        streams: method.is_server_streaming(),
        message: message.to_owned(),
        scope,
    })
}

/// Returns the fields that a template names. It may hold plain segments and whole `{field}` segments, and nothing else.
fn path_fields(method: &MethodDescriptor, path: &str) -> Result<Vec<String>, String> {
    let below = path.strip_prefix(BASE).ok_or_else(|| format!("{path}: must begin with {BASE}"))?;
    let mut fields = Vec::new();
    for segment in below.split('/') {
        let is_word = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
        };
        if is_word(segment) {
            continue;
        }
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .filter(|name| is_word(name))
            .ok_or_else(|| format!("{path}: invalid segment {segment:?}"))?;
        match method.input().get_field_by_name(name) {
            Some(field) if is_parameter(&field) => fields.push(name.to_owned()),
            Some(_) => return Err(format!("{path}: {name} is not a scalar")),
            None => return Err(format!("{path}: {} has no {name}", method.input().name())),
        }
    }
    Ok(fields)
}

/// Returns true if a field can be written into a path.
fn is_parameter(field: &FieldDescriptor) -> bool {
    is_query_parameter(field) && !field.is_list()
}

/// Returns true if a field can be written into a query, in which a list is written as one parameter for each element.
fn is_query_parameter(field: &FieldDescriptor) -> bool {
    let is_text = match field.kind() {
        Kind::Message(message) => message.full_name() == "google.protobuf.Timestamp",
        Kind::Bytes => false,
        _ => true,
    };
    is_text && !field.is_map()
}

fn response_field(output: &MessageDescriptor, name: &str) -> Result<FieldDescriptor, String> {
    let field =
        output.get_field_by_name(name).ok_or_else(|| format!("response_body: {} has no {name}", output.name()))?;
    if field.is_list() || !matches!(field.kind(), Kind::Message(_)) {
        return Err(format!("response_body: {name} is not a message"));
    }
    Ok(field)
}

/// Checks that a stream can become Server-Sent Events. It is read with GET, each event has a cursor `seq`, and `after`
/// resumes it; or it tells how far a POST has come, and its events have no cursor.
fn check_stream(method: &MethodDescriptor, verb: &str, response_body: Option<&FieldDescriptor>) -> Result<(), String> {
    let is_int64 = |message: &MessageDescriptor, name: &str, optional: bool| {
        message.get_field_by_name(name).is_some_and(|field| {
            field.kind() == Kind::Int64
                && !field.is_list()
                && field.field_descriptor_proto().proto3_optional() == optional
        })
    };
    if verb == "POST" && response_body.is_none() {
        return Ok(());
    }
    let event = response_body.map(prost_reflect::FieldDescriptor::kind);
    let Some(event) = event.as_ref().and_then(Kind::as_message) else {
        return Err("a stream needs a response_body".to_owned());
    };
    if verb != "GET" {
        return Err("a stream with events is read with GET".to_owned());
    }
    if !is_int64(event, "seq", false) {
        return Err(format!("{} needs int64 seq", event.name()));
    }
    if !is_int64(&method.input(), "after", true) {
        return Err(format!("{} needs optional int64 after", method.input().name()));
    }
    Ok(())
}
