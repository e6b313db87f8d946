//! What lists are filtered by.

use crate::api::{At, Error, Violations};
use crate::domain::status::{CallStatus, Outcome, QueueKind, QueueStatus, UnknownCode};
use crate::pb::{ListQueueCallsRequest, ListQueuesRequest};
use crate::store::call_lists::CallFilter;
use crate::store::queues::QueueFilter;

/// Which queues are listed.
///
/// # Errors
/// Every broken rule.
pub fn queues(request: &ListQueuesRequest) -> Result<QueueFilter, Error> {
    let mut violations = Violations::default();
    let kind: Option<QueueKind> = known(request.kind, "kind", "must be bulk or quick", &mut violations);
    let status = known(request.queue_status, "queue_status", QUEUE_STATUS, &mut violations);
    violations.finish()?;
    Ok(QueueFilter { kind, status })
}

/// Which calls of a queue are listed.
///
/// # Errors
/// Every broken rule.
pub fn calls(request: &ListQueueCallsRequest) -> Result<CallFilter, Error> {
    let mut violations = Violations::default();
    let status: Option<CallStatus> = known(request.status, "status", "must be a call's status", &mut violations);
    let outcome: Option<Outcome> = known(request.outcome, "outcome", "must be a call's outcome", &mut violations);
    violations.finish()?;
    Ok(CallFilter { status, batch_id: request.batch_id, outcome, contact_number: request.contact_number })
}

/// How a queue is to stand.
///
/// # Errors
/// A code that no status has.
pub fn queue_status(code: Option<i32>) -> Result<Option<QueueStatus>, Error> {
    let mut violations = Violations::default();
    let status = known(code, "queue_status", QUEUE_STATUS, &mut violations);
    violations.finish()?;
    Ok(status)
}

const QUEUE_STATUS: &str = "must be paused, in-progress or completed";

/// What a code stands for; the API's codes are the store's.
fn known<T: TryFrom<i16, Error = UnknownCode>>(
    code: Option<i32>,
    field: &'static str,
    rule: &'static str,
    violations: &mut Violations,
) -> Option<T> {
    let known = i16::try_from(code?).ok().and_then(|code| T::try_from(code).ok());
    if known.is_none() {
        violations.invalid(&At::field(field), rule);
    }
    known
}
