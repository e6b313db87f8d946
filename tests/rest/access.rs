//! Walks every method of the descriptors with every kind of key, by every path and protocol, so that no new method can be
//! forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use jiff::Timestamp;
use prost_reflect::{MethodDescriptor, Value};
use tonic::Code;
use trunkline::api::auth::CallerKind;
use trunkline::api::rest::{ENDPOINTS, METHODS};
use trunkline::domain::networks::Networks;
use trunkline::domain::scope::Scope;
use trunkline::pb::DESCRIPTORS;

use crate::requests::{GRPC, GRPC_WEB, from, with};
use crate::support::{App, CLIENT};

/// The methods that a key with scope `read` allows. All others that are not an administrator's need `write`.
const READ: [&str; 11] = [
    "CallService/GetCall",
    "CallService/GetStatistics",
    "CallService/ListCalls",
    "CallService/WatchCalls",
    "ClientService/ListDoNotCall",
    "ClientService/TestConnection",
    "QueueService/ExplainQueue",
    "QueueService/GetQueue",
    "QueueService/GetQueueRules",
    "QueueService/ListQueueCalls",
    "QueueService/ListQueues",
];

type MakeRequest = Box<dyn Fn(&App) -> Request<Body>>;

/// A request that reaches a method, in one of its forms.
struct Way {
    name: String,
    scope: Scope,
    is_grpc: bool,
    request: MakeRequest,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Served,
    Unauthenticated,
    Denied,
}

/// A kind of key, and what it gets from a method that needs a scope.
struct Kind {
    name: &'static str,
    key: Option<String>,
    verdict: fn(Scope) -> Verdict,
}

fn methods() -> Vec<MethodDescriptor> {
    let services = DESCRIPTORS.services().filter(|service| service.package_name() == "trunkline.v1");
    services.flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}

/// Reads the scope from the method's option, by another way than the build script.
fn scope_of(method: &MethodDescriptor) -> Scope {
    let extension = DESCRIPTORS.get_extension_by_name("trunkline.v1.scope").unwrap();
    let options = method.options();
    let Value::EnumNumber(number) = *options.get_extension(&extension) else { panic!("{}", method.full_name()) };
    Scope::from_code(number.try_into().unwrap()).unwrap_or_else(|| panic!("{} has no scope", method.full_name()))
}

fn ways() -> Vec<Way> {
    let mut ways = Vec::new();
    for method in methods() {
        let scope = scope_of(&method);
        let rpc = format!("{}/{}", method.parent_service().name(), method.name());
        for content_type in [GRPC, GRPC_WEB] {
            let path = rpc.clone();
            ways.push(Way {
                name: format!("{rpc} as {content_type}"),
                scope,
                is_grpc: true,
                request: Box::new(move |app| app.rpc(&path, content_type, &())),
            });
        }
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.rpc == format!("trunkline.v1.{rpc}")) {
            let mut path = endpoint.path.to_owned();
            while let Some((before, rest)) = path.split_once('{') {
                path = format!("{before}1{}", rest.split_once('}').unwrap().1);
            }
            let old = path.replace("/calling/api/v1/", "/calling/api/");
            for path in [path.clone(), format!("{path}/"), old.clone(), format!("{old}/")] {
                let verbs = if endpoint.verb == Method::GET {
                    vec![Method::GET, Method::HEAD]
                } else {
                    vec![endpoint.verb.clone()]
                };
                for verb in verbs {
                    let (path, body) = (path.clone(), if endpoint.has_body { "{}" } else { "" });
                    ways.push(Way {
                        name: format!("{verb} {path}"),
                        scope,
                        is_grpc: false,
                        request: Box::new(move |app| app.request(verb.clone(), &path, body)),
                    });
                }
            }
        }
    }
    ways
}

fn kinds(app: &App) -> Vec<Kind> {
    let denied: fn(Scope) -> Verdict = |_| Verdict::Denied;
    let unauthenticated: fn(Scope) -> Verdict = |_| Verdict::Unauthenticated;
    let up_to_read: fn(Scope) -> Verdict =
        |needed| if needed == Scope::Read { Verdict::Served } else { Verdict::Denied };
    let up_to_write: fn(Scope) -> Verdict =
        |needed| if needed == Scope::Admin { Verdict::Denied } else { Verdict::Served };
    let all: fn(Scope) -> Verdict = |_| Verdict::Served;
    let past = Timestamp::now() - Duration::from_secs(1);
    let networks = |text: &str| Networks::parse([text]).unwrap();
    let mut wrong = app.keys.add(CLIENT, |_| {});
    wrong.replace_range(9..10, if wrong.as_bytes()[9] == b'x' { "y" } else { "x" });
    let kind = |name, key: String, verdict| Kind { name, key: Some(key), verdict };
    let key = |change: fn(&mut trunkline::api::auth::StoredKey)| app.keys.add(CLIENT, change);
    vec![
        Kind { name: "no key", key: None, verdict: unauthenticated },
        kind("a mistyped key", wrong, unauthenticated),
        kind("an unknown key", App::new().key, unauthenticated),
        kind("a wrong secret", key(|key| key.secret_sha256 = [0; 32]), unauthenticated),
        kind("a key with scope read", key(|key| key.scope = Scope::Read), up_to_read),
        kind("a key with scope write", key(|_| {}), up_to_write),
        kind("the key of another client", app.keys.add(CallerKind::Client { client_id: 8 }, |_| {}), up_to_write),
        kind("the key of an administrator", app.keys.add(CallerKind::Admin, |_| {}), all),
        kind("the configured admin key", "a configured admin key".to_owned(), all),
        kind("a revoked key", key(|key| key.revoked = true), unauthenticated),
        kind("a revoked admin key", app.keys.add(CallerKind::Admin, |key| key.revoked = true), unauthenticated),
        kind("an expired key", app.keys.add(CLIENT, |key| key.expires_at = Some(past)), unauthenticated),
        kind("the key of a disabled client", key(|key| key.client_disabled = true), denied),
        kind("a key within its network", app.keys.add(CLIENT, |key| key.networks = networks("0.0.0.0/0")), up_to_write),
        kind(
            "a key outside its network",
            app.keys.add(CLIENT, |key| key.networks = networks("198.51.100.0/24")),
            denied,
        ),
        kind(
            "an admin key outside its network",
            app.keys.add(CallerKind::Admin, |key| key.networks = networks("2001:db8::/32")),
            denied,
        ),
    ]
}

async fn verdict(app: &App, way: &Way, request: Request<Body>) -> Verdict {
    *app.recorder.caller.lock().unwrap() = None;
    let answer = app.send(request).await;
    let verdict = match (way.is_grpc, answer.status.as_u16()) {
        (true, _) => match answer.grpc_code() {
            Some(Code::Unauthenticated) => Verdict::Unauthenticated,
            Some(Code::PermissionDenied) => Verdict::Denied,
            _ => Verdict::Served,
        },
        (false, 401) => Verdict::Unauthenticated,
        (false, 403) => Verdict::Denied,
        (false, 200) => Verdict::Served,
        (false, status) => panic!("{}: {status}: {}", way.name, answer.text()),
    };
    let reached = app.recorder.caller.lock().unwrap().is_some();
    assert_eq!(
        reached,
        verdict == Verdict::Served,
        "{}: the service is reached if, and only if, it is served",
        way.name
    );
    verdict
}

#[tokio::test]
async fn every_method_is_served_to_the_keys_that_have_its_scope_and_to_no_others() {
    let app = App::new();
    let (ways, kinds) = (ways(), kinds(&app));
    let mut wrong = Vec::new();
    for (number, way) in ways.iter().enumerate() {
        for (place, kind) in kinds.iter().enumerate() {
            // Each request is from an address of its own, so that none has to wait because of wrong keys before it.
            let address = format!("10.{place}.{}.{}", number / 256, number % 256);
            let request = from(&address, with(kind.key.as_deref(), (way.request)(&app)));
            let (found, expected) = (verdict(&app, way, request).await, (kind.verdict)(way.scope));
            if found != expected {
                wrong.push(format!("{} with {}: {found:?}, not {expected:?}", way.name, kind.name));
            }
        }
    }
    assert!(ways.len() > 200, "only {} ways were walked", ways.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_scopes_that_are_enforced_are_those_of_the_options_and_those_that_were_decided() {
    let enforced: BTreeMap<&str, Scope> = METHODS.iter().map(|method| (method.rpc, method.scope)).collect();
    assert_eq!(enforced.len(), methods().len(), "a method is missing in the table or in the descriptors");
    for method in methods() {
        let rpc = format!("{}/{}", method.parent_service().name(), method.name());
        let decided = match method.parent_service().name() {
            "AdminService" => Scope::Admin,
            _ if READ.contains(&rpc.as_str()) => Scope::Read,
            _ => Scope::Write,
        };
        assert_eq!(scope_of(&method), decided, "{rpc}: a method that only reads must be listed in this test");
        assert_eq!(enforced[format!("trunkline.v1.{rpc}").as_str()], decided, "{rpc}");
    }
}

#[tokio::test]
async fn a_refusal_says_which_scope_is_needed_and_which_the_key_has() {
    let app = App::new();
    let reader = app.keys.add(CLIENT, |key| key.scope = Scope::Read);
    let answer = app.send(with(Some(&reader), app.request(Method::POST, crate::support::INSERT, "{}"))).await;
    let message = answer.error(403, "PERMISSION_DENIED");
    assert_eq!(message, "needs a key with scope `write`, and this key has scope `read`");
}

#[tokio::test]
async fn a_grpc_method_that_does_not_exist_is_unimplemented_for_a_key_and_unauthenticated_without_one() {
    let app = App::new();
    for service in ["QueueService", "AdminService"] {
        let request = || app.rpc(&format!("{service}/Nothing"), GRPC, &());
        assert_eq!(app.send(request()).await.grpc_code(), Some(Code::Unimplemented));
        assert_eq!(app.send(with(None, request())).await.grpc_code(), Some(Code::Unauthenticated));
    }
}
