//! Every `(rule)` in the protos, held against the real server over REST and gRPC.
//!
//! Nothing here names a field or a bound: for each field of each request, values just outside and just inside its
//! bounds are made from the descriptors. So a bound that is changed in a proto is tested in the same change, and so is
//! a new field.

mod cases;
mod wire;

use prost_reflect::MethodDescriptor;
use serde_json::json;
use trunkline::pb::DESCRIPTORS;

use self::cases::{Case, SHORTEST};
use self::wire::Wire;
use crate::sandbox::Sandbox;
use crate::support::api::Api;

#[tokio::test]
async fn a_value_outside_a_bound_is_refused_at_its_field_and_one_inside_is_not() {
    let sandbox = Sandbox::start();
    grant_shortest(&sandbox).await;
    let wire = Wire::connect(&sandbox).await;
    let mut wrong = Vec::new();
    let (mut rest, mut grpc) = (0, 0);
    for service in DESCRIPTORS.services().filter(|service| service.package_name() == "trunkline.v1") {
        for method in service.methods() {
            // What is inside all bounds would be deleted, and is needed by other cases.
            let deletes = method.name().starts_with("Delete");
            for case in cases::of(&method.input()).into_iter().filter(|case| case.is_outside || !deletes) {
                let answers =
                    [("REST", wire.rest(&method, &case).await), ("gRPC", Some(wire.grpc(&method, &case).await))];
                for (protocol, answer) in answers {
                    let Some(fields) = answer else { continue };
                    if protocol == "REST" && is_absent(&method, &case) {
                        continue;
                    }
                    *if protocol == "REST" { &mut rest } else { &mut grpc } += 1;
                    wrong.extend(judge(&case, &fields).map(|why| format!("{protocol} {}: {why}", method.name())));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rest + grpc, wrong.join("\n"));
    assert!(rest > 500 && grpc > 500, "only {rest} requests over REST and {grpc} over gRPC were tried");
}

/// Returns true if clients of the guide leave a field out with this value; see `legacy_forms`.
fn is_absent(method: &MethodDescriptor, case: &Case) -> bool {
    let is_of_guide = ["InsertBatch", "CreateQuickCall"].contains(&method.name());
    let is_no_queue = case.what == "Some(I64(0))" && case.paths.iter().all(|path| path == "queue_id");
    is_of_guide && (case.what == "Some(String(\"\"))" || is_no_queue)
}

/// Grants the client a server whose code is as short as a text can be.
async fn grant_shortest(sandbox: &Sandbox) {
    let admin = Api::admin(&sandbox.server);
    let server = json!({
        "code": SHORTEST, "host": "127.0.0.1", "port": 9, "username": "nobody", "secret": "nothing",
    });
    admin.post("admin/servers", server).await.data();
    let clients = admin.get("admin/clients").await.data();
    let path = format!("admin/clients/{}", clients["results"][0]["client_id"]);
    admin.patch(&path, json!({ "servers": ["server1", SHORTEST] })).await.data();
}

/// Returns what is wrong with an answer that refuses `fields`.
fn judge(case: &Case, fields: &[String]) -> Option<String> {
    let refused = fields.iter().any(|field| case.paths.contains(field));
    match (case.is_outside, refused) {
        (true, false) => Some(format!("{} is not refused at {:?} but at {fields:?}", case.what, case.paths)),
        (false, true) => Some(format!("{} is refused at {:?}", case.what, case.paths)),
        (true, true) | (false, false) => None,
    }
}
