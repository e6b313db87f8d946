//! Checks the filters of list requests.

use super::paging::Page;
use crate::api::{At, Error, Violations, fields};
use crate::domain::status::{CallStatus, Outcome, QueueKind, UnknownCode};
use crate::pb::{ListQueueCallsRequest, ListQueuesRequest};
use crate::store::call_lists::CallFilter;
use crate::store::queues::QueueFilter;

/// Returns which queues are listed, and which page of them.
///
/// # Errors
/// Returns every broken rule.
pub fn queues(request: &ListQueuesRequest) -> Result<(QueueFilter, Page), Error> {
    let mut violations = fields::violations(request);
    let kind: Option<QueueKind> = known(request.kind, "kind", &mut violations);
    let status = known(request.queue_status, "queue_status", &mut violations);
    violations.finish()?;
    Ok((QueueFilter { kind, status }, Page::new(request.page, request.page_size)))
}

/// Returns the queue whose calls are listed, which calls, and which page of them.
///
/// # Errors
/// Returns every broken rule.
pub fn calls(request: &ListQueueCallsRequest) -> Result<(i64, CallFilter, Page), Error> {
    let mut violations = fields::violations(request);
    let status: Option<CallStatus> = known(request.status, "status", &mut violations);
    let outcome: Option<Outcome> = known(request.outcome, "outcome", &mut violations);
    violations.finish()?;
    let filter = CallFilter { status, batch_id: request.batch_id, outcome, contact_number: request.contact_number };
    Ok((request.master_queue_id.unwrap_or_default(), filter, Page::new(request.page, request.page_size)))
}

/// Reads a code of the API, which is the store's code as well.
pub fn known<T: TryFrom<i16, Error = UnknownCode>>(
    code: Option<i32>,
    field: &'static str,
    violations: &mut Violations,
) -> Option<T> {
    let known = i16::try_from(code?).ok().and_then(|code| T::try_from(code).ok());
    if known.is_none() {
        violations.invalid_if_new(&At::field(field), "is not supported");
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
