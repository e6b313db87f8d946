//! Checks that every method says whether a client may send a request again that has got no answer.

use prost_reflect::MethodDescriptor;
use prost_reflect::prost_types::method_options::IdempotencyLevel;
use trunkline::api::rest::ENDPOINTS;

/// The methods that promise nothing, each with what happens if the same request is handled twice.
pub const UNMARKED: [(&str, &str); 10] = [
    ("CreateAdminKey", "the second request is refused, because the name is used, and the key of the first is lost"),
    ("CreateClient", "the second request is refused, because the name is used, and the key of the first is lost"),
    ("CreateKey", "another key is created"),
    ("CreateQueue", "another queue is created"),
    ("CreateQuickCall", "another call is placed, unless the request has an idempotency key"),
    ("CreateServer", "the second request is refused, because the code is used"),
    ("CreateWebhook", "another webhook is created"),
    ("RetryCalls", "calls that have failed again meanwhile are dialed once more"),
    ("RotateWebhookSecret", "the secret is replaced once more, which ends the one before the first rotation"),
    ("TestWebhook", "another test event is posted"),
];

pub fn level(method: &MethodDescriptor) -> IdempotencyLevel {
    let options = method.method_descriptor_proto().options.clone().unwrap_or_default();
    options.idempotency_level()
}

#[test]
fn every_method_has_an_idempotency_level_or_is_listed_with_the_reason_why_not() {
    let unmarked: Vec<String> = super::methods()
        .iter()
        .filter(|method| level(method) == IdempotencyLevel::IdempotencyUnknown)
        .map(|method| method.name().to_owned())
        .collect();
    let mut unmarked: Vec<&str> = unmarked.iter().map(String::as_str).collect();
    unmarked.sort_unstable();
    assert_eq!(unmarked, UNMARKED.map(|(method, _)| method));
}

#[test]
fn what_is_read_with_get_has_no_side_effects_and_what_is_put_or_deleted_is_idempotent() {
    for endpoint in &ENDPOINTS {
        let (_, name) = endpoint.rpc.split_once('/').unwrap();
        let method = super::methods().into_iter().find(|method| method.name() == name).unwrap();
        let expected = match endpoint.verb.as_str() {
            "GET" => IdempotencyLevel::NoSideEffects,
            "PUT" | "PATCH" | "DELETE" => IdempotencyLevel::Idempotent,
            _ => continue,
        };
        assert_eq!(level(&method), expected, "{} {}", endpoint.verb, endpoint.path);
    }
}

#[test]
fn what_needs_a_key_that_can_write_is_not_free_of_side_effects() {
    for method in super::methods() {
        let scope =
            trunkline::api::rest::METHODS.iter().find(|known| known.rpc.ends_with(&format!("/{}", method.name())));
        let writes = scope.unwrap().scope == trunkline::domain::scope::Scope::Write;
        assert!(!writes || level(&method) != IdempotencyLevel::NoSideEffects, "{}", method.full_name());
    }
}
