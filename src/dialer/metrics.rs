//! What a lane's journal reports to the metrics, once for each group commit: nothing is counted call by call.

use std::collections::BTreeMap;
use std::time::Duration;

use metrics::{counter, histogram};

use crate::domain::commit::{Group, What};
use crate::domain::status::Outcome;

/// The number of attempts whose Originate may be sent.
pub const ATTEMPTS: &str = "trunkline_attempts_total";
/// The number of attempts that ended, by outcome.
pub const ATTEMPTS_ENDED: &str = "trunkline_attempts_ended_total";
/// The number of calls that ended in a lane, by the outcome of their last attempt.
pub const CALLS_ENDED: &str = "trunkline_calls_ended_total";
/// How long a group commit took, including waits and repeated tries.
pub const COMMIT_SECONDS: &str = "trunkline_journal_commit_seconds";
/// How many entries the group had.
pub const GROUP_SIZE: &str = "trunkline_journal_group_size";

/// The number of times that a client was braked because it called new destinations.
pub const CLIENTS_BRAKED: &str = "trunkline_clients_braked_total";

/// Counts a client that was braked.
pub fn client_braked() {
    counter!(CLIENTS_BRAKED).increment(1);
}

/// Counts a group that is durable, of which so many claims were granted.
pub fn committed(server: &str, group: &Group, granted: usize, took: Duration) {
    let server = server.to_owned();
    histogram!(COMMIT_SECONDS, "server" => server.clone()).record(took.as_secs_f64());
    histogram!(GROUP_SIZE, "server" => server.clone()).record(u32::try_from(group.len()).unwrap_or(u32::MAX));
    if granted > 0 {
        counter!(ATTEMPTS, "server" => server.clone()).increment(u64::try_from(granted).unwrap_or(0));
    }
    let (attempts, mut calls) = ended(group);
    if !group.expiries.is_empty() {
        *calls.entry(Outcome::Expired.as_str()).or_default() += u64::try_from(group.expiries.len()).unwrap_or(0);
    }
    for refusal in &group.refusals {
        *calls.entry(refusal.outcome.as_str()).or_default() += 1;
    }
    for (name, counts) in [(ATTEMPTS_ENDED, attempts), (CALLS_ENDED, calls)] {
        for (outcome, count) in counts {
            counter!(name, "server" => server.clone(), "outcome" => outcome).increment(count);
        }
    }
}

/// Counts by outcome, under the outcome's name in the API.
type Counts = BTreeMap<&'static str, u64>;

/// Counts the attempts that ended, and the calls that ended with them.
fn ended(group: &Group) -> (Counts, Counts) {
    let (mut attempts, mut calls) = (Counts::new(), Counts::new());
    for change in &group.changes {
        if let What::Ended { outcome, next_try, .. } = change.what {
            *attempts.entry(outcome.as_str()).or_default() += 1;
            if next_try.is_none() {
                *calls.entry(outcome.as_str()).or_default() += 1;
            }
        }
    }
    (attempts, calls)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::commit::{CallRef, Change};
    use crate::domain::ids::{AttemptId, CallId};
    use crate::domain::status::CallStatus;
    use crate::domain::time::Millis;

    fn end(outcome: Outcome, next_try: Option<Millis>) -> Change {
        let (from, began) = (CallStatus::Dialing, Millis(0));
        let what = What::Ended { from, outcome, cause: None, billable_seconds: None, next_try, began, details: None };
        let call = CallRef { id: CallId::new(), client_id: 1, queue_id: 1 };
        Change { call, attempt: AttemptId::new(), number: 1, at: Millis(0), what }
    }

    #[test]
    fn an_attempt_that_is_followed_by_another_ends_no_call() {
        let changes = vec![end(Outcome::Busy, Some(Millis(9))), end(Outcome::Busy, None), end(Outcome::Answered, None)];
        let (attempts, calls) = ended(&Group { changes, ..Group::default() });
        assert_eq!(attempts, Counts::from([("busy", 2), ("answered", 1)]));
        assert_eq!(calls, Counts::from([("busy", 1), ("answered", 1)]));
    }
}
