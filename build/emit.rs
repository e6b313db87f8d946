//! Writes the endpoints as Rust code: a table of all of them, and a function for each service that routes its own.

use heck::ToSnakeCase;

use crate::PACKAGE;
use crate::routes::{Endpoint, Method, Service};

/// The type of scopes in the generated code.
const SCOPE: &str = "crate::domain::scope::Scope";

/// Returns the text of `routes.rs`, which is included in the module that defines `Endpoint` and `RestRoutes`.
pub fn routes(services: &[Service]) -> String {
    let mut table = String::new();
    let mut methods = Vec::new();
    let mut functions = String::new();
    let mut index = 0;
    for service in services {
        let mut routes = String::new();
        for endpoint in &service.endpoints {
            table.push_str(&entry(service, endpoint));
            routes.push_str(&route(index, endpoint));
            index += 1;
        }
        functions.push_str(&function(service, &routes));
        methods.extend(service.methods.iter().map(|it| method(service, it)));
    }
    let (count, methods) = (methods.len(), methods.concat());
    format!(
        "/// Every REST endpoint, service by service.\n\
         pub static ENDPOINTS: [Endpoint; {index}] = [\n{table}];\n\
         /// Every method, service by service, also those without a REST endpoint.\n\
         pub static METHODS: [Method; {count}] = [\n{methods}];\n{functions}"
    )
}

fn method(service: &Service, method: &Method) -> String {
    let (service, Method { name, scope, streams }) = (&service.name, method);
    format!("    Method {{ rpc: \"{PACKAGE}.{service}/{name}\", scope: {SCOPE}::{scope}, streams: {streams} }},\n")
}

fn entry(service: &Service, endpoint: &Endpoint) -> String {
    let Endpoint { method, input, verb, path, has_body, streams, message, scope, .. } = endpoint;
    let name = &service.name;
    let response_body = &endpoint.response_body;
    format!(
        "    Endpoint {{ rpc: \"{PACKAGE}.{name}/{method}\", input: {input:?}, verb: ::http::Method::{verb}, \
         path: {path:?}, has_body: {has_body}, response_body: {response_body:?}, streams: {streams}, \
         message: {message:?}, scope: {SCOPE}::{scope} }},\n"
    )
}

fn route(index: usize, endpoint: &Endpoint) -> String {
    let method = endpoint.method.to_snake_case();
    let call = format!("|service, request| async move {{ service.{method}(request).await }}");
    match (&endpoint.response_body, endpoint.streams) {
        (Some(field), true) => {
            format!("        .stream(&ENDPOINTS[{index}], {call}, |answer| answer.{field}.map(|it| (it.seq, it)))\n")
        }
        (Some(field), false) => {
            format!("        .unary(&ENDPOINTS[{index}], {call}, |answer| answer.{field})\n")
        }
        (None, true) => {
            format!("        .stream(&ENDPOINTS[{index}], {call}, |answer| Some((0, answer)))\n")
        }
        (None, false) => format!("        .unary(&ENDPOINTS[{index}], {call}, |answer| answer)\n"),
    }
}

fn function(service: &Service, routes: &str) -> String {
    let name = &service.name;
    let snake = name.to_snake_case();
    format!(
        "/// The REST routes of `{PACKAGE}.{name}`.\n\
         pub fn {snake}_routes<S>(service: ::std::sync::Arc<S>) -> ::axum::Router\n\
         where\n    S: crate::pb::{snake}_server::{name},\n\
         {{\n    RestRoutes::new(service)\n{routes}        .into_router()\n}}\n"
    )
}
