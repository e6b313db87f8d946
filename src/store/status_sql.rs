//! Conditions on a call's status, as SQL with the codes of the enum written out.
//!
//! They are written out and not bound as parameters, so that the query planner sees that a partial index of `calls`
//! fits.

use std::sync::LazyLock;

use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;

use crate::domain::status::CallStatus;

/// `calls.status IN (1, 5)`: the call waits for an attempt.
pub(super) static WAITS: LazyLock<String> = LazyLock::new(|| format!("calls.status IN {}", list(CallStatus::WAITING)));

/// Returns the condition that a call waits for an attempt.
pub(super) fn waits() -> SqlLiteral<Bool> {
    diesel::dsl::sql(&WAITS)
}

/// Returns the condition that a call waits for an attempt, and that `more` holds.
pub(super) fn waits_and(more: &str) -> SqlLiteral<Bool> {
    diesel::dsl::sql(&format!("{} AND {more}", *WAITS))
}

/// Returns the condition that a call has a status that is not live. The condition says so twice, because only then the
/// planner sees that the partial index `calls_by_status` fits.
pub(super) fn has_status(status: CallStatus) -> SqlLiteral<Bool> {
    let live = list(CallStatus::LIVE);
    diesel::dsl::sql(&format!("calls.status = {} AND calls.status NOT IN {live}", status.code()))
}

fn list(statuses: &[CallStatus]) -> String {
    let codes: Vec<String> = statuses.iter().map(|status| status.code().to_string()).collect();
    format!("({})", codes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of the conditions that the migrations' partial indexes have.
    #[test]
    fn the_conditions_are_those_of_the_partial_indexes() {
        let migrations = [
            include_str!("../../migrations/sqlite/2026-11-25-000000_add_rules_and_administration/up.sql"),
            include_str!("../../migrations/postgres/2026-11-25-000000_add_rules_and_administration/up.sql"),
        ];
        for migration in migrations {
            assert!(migration.contains(&format!("WHERE status IN {}", list(CallStatus::WAITING))));
            assert!(migration.contains(&format!("WHERE status NOT IN {}", list(CallStatus::LIVE))));
        }
    }
}
