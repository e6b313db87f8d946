//! What the build script makes of the options of a method, and the options that it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test fails by panicking, and talks to whoever reads its output"
)]

#[path = "../build/default_message.rs"]
mod default_message;
#[path = "../build/descriptors.rs"]
#[allow(dead_code, reason = "the tests generate no code from the descriptors")]
mod descriptors;
#[path = "../build/emit.rs"]
mod emit;
#[path = "../build/http_rule.rs"]
mod http_rule;
#[path = "../build/routes.rs"]
mod routes;

use prost_reflect::DescriptorPool;
use trunkline::api::{openapi, rest};
use trunkline::domain::scope::Scope;

const PACKAGE: &str = "trunkline.v1";

const MESSAGES: &str = r#"
syntax = "proto3";
package trunkline.v1;
import "google/api/annotations.proto";
import "trunkline/v1/options.proto";
message Thing { int64 seq = 1; }
message Request { int64 id = 1; optional int64 after = 2; }
message Complex { repeated string names = 1; Thing thing = 2; }
message Answer { Thing thing = 1; int64 count = 2; }
"#;

/// Reads the endpoints of one service whose text follows [`MESSAGES`].
fn read(service: &str) -> Result<Vec<routes::Service>, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.proto"), format!("{MESSAGES}{service}")).unwrap();
    let mut compiler = protox::Compiler::new([folder.path(), "proto".as_ref()]).unwrap();
    compiler.include_imports(true).open_file("test.proto").unwrap();
    let pool = DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap();
    routes::read(&pool)
}

/// A service of one method, from `signature` and what is in its http option.
fn method(signature: &str, http: &str) -> String {
    format!(
        "service S {{ rpc M{signature} {{ option (scope) = SCOPE_READ; option (google.api.http) = {{{http}}}; \
         option (rest).message = \"Done\"; }} }}"
    )
}

#[track_caller]
fn refused(service: &str, because: &str) {
    let Err(message) = read(service) else { panic!("accepted: {service}") };
    let service = if service.contains("AdminService") { "AdminService" } else { "S" };
    assert_eq!(message, format!("trunkline.v1.{service}.M: {because}"));
}

#[test]
fn a_rule_that_fits_becomes_an_endpoint_and_so_do_its_further_bindings() {
    let service = method(
        "(Request) returns (Answer)",
        r#"post: "/calling/api/v1/things/{id}/do" body: "*" response_body: "thing"
           additional_bindings { get: "/calling/api/v1/things/{id}" }"#,
    );
    let services = read(&service).unwrap();
    let [post, get] = &services[0].endpoints[..] else { panic!("two endpoints") };
    assert_eq!((services[0].name.as_str(), post.method.as_str()), ("S", "M"));
    assert_eq!((post.input.as_str(), post.scope), ("trunkline.v1.Request", "Read"));
    assert_eq!((post.verb, post.path.as_str(), post.has_body), ("POST", "/calling/api/v1/things/{id}/do", true));
    assert_eq!((post.response_body.as_deref(), post.message.as_str()), (Some("thing"), "Done"));
    assert_eq!((get.verb, get.has_body, &get.response_body), ("GET", false, &None));
}

#[test]
fn a_method_without_a_path_is_grpc_only() {
    let services = read("service S { rpc M(stream Request) returns (Answer) { option (scope) = SCOPE_WRITE; } }");
    let service = services.unwrap().remove(0);
    assert!(service.endpoints.is_empty());
    let method = &service.methods[0];
    assert_eq!((method.name.as_str(), method.scope, method.streams), ("M", "Write", true));
}

#[test]
fn a_method_without_a_scope_fails_the_build() {
    let because = "has no (trunkline.v1.scope), which says what a key needs for the method";
    refused("service S { rpc M(Request) returns (Answer); }", because);
    let with_path = r#"rpc M(Request) returns (Answer) { option (google.api.http) = {get: "/calling/api/v1/a"}; }"#;
    refused(&format!("service S {{ {with_path} }}"), because);
    refused("service S { rpc M(Request) returns (Answer) { option (scope) = SCOPE_UNSPECIFIED; } }", because);
}

#[test]
fn a_template_names_fields_of_the_request_in_whole_segments() {
    for (path, because) in [
        ("/v1/things", "/v1/things: must begin with /calling/api/v1/"),
        ("/calling/api/v1/{nothing}", "/calling/api/v1/{nothing}: Request has no nothing"),
        ("/calling/api/v1/{id=things/*}", "/calling/api/v1/{id=things/*}: invalid segment \"{id=things\""),
        ("/calling/api/v1/things:do", "/calling/api/v1/things:do: invalid segment \"things:do\""),
        ("/calling/api/v1/things/", "/calling/api/v1/things/: invalid segment \"\""),
        ("/calling/api/v1/x{id}", "/calling/api/v1/x{id}: invalid segment \"x{id}\""),
    ] {
        refused(&method("(Request) returns (Answer)", &format!("get: {path:?}")), because);
    }
    let path = "/calling/api/v1/{thing}";
    refused(
        &method("(Complex) returns (Answer)", &format!("post: {path:?} body: \"*\"")),
        "/calling/api/v1/{thing}: thing is not a scalar",
    );
}

#[test]
fn bodies_fit_their_verbs_and_messages() {
    let path = "/calling/api/v1/things";
    for (request, rule, because) in [
        ("Request", format!("get: {path:?} body: \"*\""), "GET takes no body"),
        ("Request", format!("post: {path:?} body: \"id\""), "body \"id\": only \"*\" is supported"),
        ("Complex", format!("get: {path:?}"), "thing: cannot be a query parameter"),
        ("Request", format!("get: {path:?} response_body: \"no\""), "response_body: Answer has no no"),
        ("Request", format!("get: {path:?} response_body: \"count\""), "response_body: count is not a message"),
        ("Request", format!("custom {{ kind: \"HEAD\" path: {path:?} }}"), "custom verb \"HEAD\""),
        ("Request", String::new(), "google.api.http names no verb"),
    ] {
        refused(&method(&format!("({request}) returns (Answer)"), &rule), because);
    }
}

#[test]
fn the_rest_option_needs_a_path_but_a_path_needs_no_rest_option() {
    let services = read(
        r#"service S { rpc M(Request) returns (Answer) {
            option (scope) = SCOPE_READ; option (google.api.http) = {get: "/calling/api/v1/a"}; } }"#,
    );
    assert_eq!(services.unwrap()[0].endpoints[0].message, "Done");
    refused(
        r#"service S { rpc M(Request) returns (Answer) {
            option (scope) = SCOPE_READ; option (rest).message = "Done"; } }"#,
        "has (trunkline.v1.rest) but no google.api.http",
    );
}

#[test]
fn the_default_message_comes_from_the_methods_name() {
    for (method, message) in [
        ("CreateClient", "Client created successfully"),
        ("GetKillSwitch", "Kill switch fetched successfully"),
        ("ListGrants", "Grants fetched successfully"),
        ("UpdateServer", "Server updated successfully"),
        ("DeleteWebhook", "Webhook deleted successfully"),
        ("SetGrant", "Grant set successfully"),
        ("RevokeKey", "Key revoked successfully"),
        ("AddToy", "Toy added successfully"),
        ("RemoveToy", "Toy removed successfully"),
        ("InsertToy", "Toy inserted successfully"),
        ("ExplainQueue", "Done"),
        ("Getaway", "Done"),
        ("Get", "Done"),
    ] {
        assert_eq!(default_message::of(method), message);
    }
}

#[test]
fn the_methods_of_the_admin_service_need_its_scope_and_its_paths_and_no_others_do() {
    let service = |name: &str, scope: &str, path: &str| {
        format!(
            "service {name} {{ rpc M(Request) returns (Answer) {{ option (scope) = SCOPE_{scope}; \
             option (google.api.http) = {{get: {path:?}}}; }} }}"
        )
    };
    let because = "the paths of AdminService, and no others, must begin with /calling/api/v1/admin/";
    refused(&service("S", "READ", "/calling/api/v1/admin/a"), &format!("/calling/api/v1/admin/a: {because}"));
    refused(&service("AdminService", "ADMIN", "/calling/api/v1/a"), &format!("/calling/api/v1/a: {because}"));
    let because = "the methods of AdminService, and no others, must need SCOPE_ADMIN";
    refused(&service("S", "ADMIN", "/calling/api/v1/a"), because);
    refused(&service("AdminService", "WRITE", "/calling/api/v1/admin/a"), because);
    let admin = service("AdminService", "ADMIN", "/calling/api/v1/admin/a");
    assert_eq!(read(&admin).unwrap()[0].endpoints[0].scope, "Admin");
    assert_eq!(read(&service("S", "WRITE", "/calling/api/v1/a")).unwrap()[0].endpoints[0].scope, "Write");
}

#[test]
fn a_stream_is_read_with_get_and_has_a_cursor() {
    let path = "/calling/api/v1/things";
    let get = format!("get: {path:?} response_body: \"thing\"");
    assert!(read(&method("(Request) returns (stream Answer)", &get)).unwrap()[0].endpoints[0].streams);
    for (signature, rule, because) in [
        ("(Request) returns (stream Answer)", format!("get: {path:?}"), "a stream needs a response_body"),
        (
            "(Request) returns (stream Answer)",
            format!("post: {path:?} body: \"*\" response_body: \"thing\""),
            "a stream with events is read with GET",
        ),
        ("(Thing) returns (stream Answer)", get.clone(), "Thing needs optional int64 after"),
        ("(stream Request) returns (Answer)", get.clone(), "a client stream has no REST form"),
    ] {
        refused(&method(signature, &rule), because);
    }
}

/// Makes the endpoint of the generated table from what the build script read.
fn endpoint(service: &routes::Service, endpoint: &routes::Endpoint) -> rest::Endpoint {
    let leak = |text: String| -> &'static str { text.leak() };
    rest::Endpoint {
        rpc: leak(format!("{PACKAGE}.{}/{}", service.name, endpoint.method)),
        input: leak(endpoint.input.clone()),
        verb: endpoint.verb.parse().unwrap(),
        path: leak(endpoint.path.clone()),
        has_body: endpoint.has_body,
        response_body: endpoint.response_body.clone().map(leak),
        streams: endpoint.streams,
        message: leak(endpoint.message.clone()),
        scope: match endpoint.scope {
            "Read" => Scope::Read,
            "Write" => Scope::Write,
            _ => Scope::Admin,
        },
    }
}

#[test]
fn the_option_of_its_path_puts_a_method_into_rest_openapi_json_and_docs() {
    let pool = descriptors::compile(&["proto", "tests/data/toys"]).unwrap().pool;
    let services = routes::read(&pool).unwrap();

    // REST: the generated code has the endpoint and a route to the method.
    let code = emit::routes(&services);
    let index =
        services.iter().take_while(|service| service.name != "ToyService").map(|it| it.endpoints.len()).sum::<usize>();
    for line in [
        "    Method { rpc: \"trunkline.v1.ToyService/GetWoodenToy\", scope: crate::domain::scope::Scope::Read, \
         streams: false },\n"
            .to_owned(),
        "    Endpoint { rpc: \"trunkline.v1.ToyService/GetWoodenToy\", input: \"trunkline.v1.GetWoodenToyRequest\", \
         verb: ::http::Method::GET, path: \"/calling/api/v1/toys/{toy_id}\", has_body: false, \
         response_body: Some(\"toy\"), streams: false, message: \"Wooden toy fetched successfully\", \
         scope: crate::domain::scope::Scope::Read },\n"
            .to_owned(),
        format!(
            "    RestRoutes::new(service)\n        .unary(&ENDPOINTS[{index}], |service, request| async move {{ \
             service.get_wooden_toy(request).await }}, |answer| answer.toy)\n        .into_router()\n"
        ),
    ] {
        assert!(code.contains(&line), "{line} is missing in {code}");
    }

    // OpenAPI: the document has the operation, its schemas and its tag.
    let endpoints: Vec<_> =
        services.iter().flat_map(|service| service.endpoints.iter().map(|it| endpoint(service, it))).collect();
    let document = openapi::json(openapi::Source { pool: &pool, endpoints: &endpoints });
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let operation = &document["paths"]["/toys/{toy_id}"]["get"];
    assert_eq!(operation["operationId"], "GetWoodenToy");
    assert_eq!(
        operation["description"],
        "Returns one toy.\n\nNeeds a key with scope `read`.\n\ngRPC: `trunkline.v1.ToyService/GetWoodenToy`."
    );
    assert_eq!(operation["parameters"][0]["description"], "The id of the toy.");
    let answer = &operation["responses"]["200"]["content"]["application/json"]["schema"]["properties"];
    assert_eq!(answer["message"]["const"], "Wooden toy fetched successfully");
    assert_eq!(answer["data"]["$ref"], "#/components/schemas/WoodenToy");
    assert_eq!(document["components"]["schemas"]["WoodenToy"]["description"], "A toy made of wood.");
    let tag = serde_json::json!({"name": "ToyService", "description": "Keeps toys."});
    assert!(document["tags"].as_array().unwrap().contains(&tag), "{}", document["tags"]);
    assert_eq!(operation["tags"], serde_json::json!(["ToyService"]));

    // Docs: the page draws each operation under its tag from the document. It has no list of its own.
    let page = concat!(include_str!("../src/api/docs/index.html"), include_str!("../src/api/docs/page.js"));
    assert!(page.contains("fetch(\"/openapi.json\")"));
    assert!(page.contains("operation.tags.includes(tag.name)"));
    for (service, endpoint) in services.iter().flat_map(|service| service.endpoints.iter().map(move |it| (service, it)))
    {
        let below = endpoint.path.strip_prefix("/calling/api/v1").unwrap();
        for name in [&service.name, &endpoint.method, below] {
            assert!(!page.contains(name), "the page names {name} itself");
        }
        let verb = format!("\"{}\"", endpoint.verb.to_ascii_lowercase());
        assert!(page.contains(&verb), "the page passes over {verb}");
    }
}
