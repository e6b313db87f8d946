//! Checks the protos as a client sees them: what they promise about retries, their form, and what they are shipped with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and talks to whoever reads its output"
)]

mod error_details;
mod idempotency;
mod reference;
mod style;

use prost_reflect::{MethodDescriptor, ServiceDescriptor};

/// The package of the API.
const PACKAGE: &str = "trunkline.v1";

/// Returns the services of the API, that of administrators last.
fn services() -> impl Iterator<Item = ServiceDescriptor> {
    let all = trunkline::pb::DESCRIPTORS.services().filter(|service| service.package_name() == PACKAGE);
    let mut services: Vec<ServiceDescriptor> = all.collect();
    services.sort_by_key(|service| (service.name() == "AdminService", service.name().to_owned()));
    services.into_iter()
}

/// Returns the methods of all services of the API.
fn methods() -> Vec<MethodDescriptor> {
    services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect()
}
