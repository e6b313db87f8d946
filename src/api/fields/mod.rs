//! Holds requests to the `(rule)` of each of their fields, which stands in the protos and nowhere else.
//!
//! The build script writes an `impl Check` for every message that a request can hold (`build/field_rules.rs`): one call
//! of a function in `checks` for each field that has a rule, with the rule as a constant. So a bound that is changed in
//! a proto changes what REST and gRPC refuse, and what `/openapi.json` says, without another line.
//!
//! Rules about several fields, about what is stored, and about what Asterisk takes are in `api::validate`.

mod checks;
mod message;

pub use message::Check;

use crate::api::{At, Error, Violations};

/// Refuses a request that breaks the rules of its fields.
///
/// # Errors
/// Returns every broken rule, up to 50.
pub fn check<T: Check>(request: &T) -> Result<(), Error> {
    violations(request).finish()
}

/// Checks a request by the rules of its fields, and returns what they found for further checks to add to.
#[must_use]
pub fn violations<T: Check>(request: &T) -> Violations {
    let mut violations = Violations::in_order_of(T::NAME);
    request.check(&At::root(), &mut violations);
    violations
}

#[allow(clippy::all, clippy::pedantic, unused_variables, clippy::allow_attributes_without_reason, reason = "generated")]
mod generated {
    use super::checks::*;
    use super::message::Check;
    use crate::api::{At, Violations};

    include!(concat!(env!("OUT_DIR"), "/field_checks.rs"));
}

#[cfg(test)]
mod tests;
