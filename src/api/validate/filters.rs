//! What lists are filtered by.

use super::paging::Page;
use crate::api::{At, Error, Violations};
use crate::domain::status::{CallStatus, Outcome, QueueKind, QueueStatus, UnknownCode};
use crate::pb::{ListQueueCallsRequest, ListQueuesRequest};
use crate::store::call_lists::CallFilter;
use crate::store::queues::QueueFilter;

/// Which queues are listed, and which page of them.
///
/// # Errors
/// Every broken rule.
pub fn queues(request: &ListQueuesRequest) -> Result<(QueueFilter, Page), Error> {
    let mut violations = Violations::default();
    let page = Page::check(request.page, request.page_size, &mut violations);
    let kind: Option<QueueKind> = known(request.kind, "kind", "must be bulk or quick", &mut violations);
    let status = known(request.queue_status, "queue_status", QUEUE_STATUS, &mut violations);
    violations.finish()?;
    Ok((QueueFilter { kind, status }, page))
}

/// Which calls are listed, of which queue, and which page of them.
///
/// # Errors
/// Every broken rule.
pub fn calls(request: &ListQueueCallsRequest) -> Result<(i64, CallFilter, Page), Error> {
    let mut violations = Violations::default();
    let page = Page::check(request.page, request.page_size, &mut violations);
    if request.master_queue_id.is_none() {
        violations.required(&At::field("master_queue_id"));
    }
    let status: Option<CallStatus> = known(request.status, "status", "must be a call's status", &mut violations);
    let outcome: Option<Outcome> = known(request.outcome, "outcome", "must be a call's outcome", &mut violations);
    violations.finish()?;
    let filter = CallFilter { status, batch_id: request.batch_id, outcome, contact_number: request.contact_number };
    Ok((request.master_queue_id.unwrap_or_default(), filter, page))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_calls_tells_all_that_is_wrong_with_what_it_was_asked() {
        let request = ListQueueCallsRequest { page: Some(0), status: Some(99), ..ListQueueCallsRequest::default() };
        let Err(Error::InvalidArgument(broken)) = calls(&request) else { panic!("it is refused") };
        let fields: Vec<&str> = broken.iter().map(|broken| broken.field.as_str()).collect();
        assert_eq!(fields, ["page", "master_queue_id", "status"]);
    }
}
