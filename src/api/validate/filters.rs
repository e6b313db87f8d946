//! Checks the filters of list requests.

use super::paging::Page;
use super::{contact, labels, page_token};
use crate::api::{At, Error, Violations, fields};
use crate::domain::labels::text;
use crate::domain::number::Numbering;
use crate::domain::status::{CallStatus, Outcome, QueueKind, UnknownCode};
use crate::pb::{ListQueueCallsRequest, ListQueuesRequest, WatchCallsRequest};
use crate::store::call_lists::CallFilter;
use crate::store::call_search::Cursor;
use crate::store::page_start::PageStart;
use crate::store::queues::QueueFilter;

/// A request for queues.
pub struct QueueQuery {
    /// Which queues are listed.
    pub filter: QueueFilter,
    /// The page of the queues. Its number is 0 if it is asked for by a token.
    pub page: Page,
    /// Where the page begins.
    pub start: PageStart,
    /// The request without what may differ between its pages.
    list: ListQueuesRequest,
}

impl QueueQuery {
    /// Returns the token of the page after the queue with this id.
    #[must_use]
    pub fn token(&self, last: i64) -> String {
        page_token::of(&self.list, Cursor::Position(last))
    }
}

/// Returns which queues are listed, and which page of them. `client_id` is the one whose queues are listed, or None for
/// those of all clients.
///
/// # Errors
/// Returns every broken rule.
pub fn queues(request: &ListQueuesRequest, client_id: Option<i64>) -> Result<QueueQuery, Error> {
    let list = ListQueuesRequest { page: None, page_size: None, page_token: None, client_id, ..request.clone() };
    let mut violations = fields::violations(request);
    let kind: Option<QueueKind> = known(request.kind, &At::field("kind"), &mut violations);
    let status = known(request.queue_status, &At::field("queue_status"), &mut violations);
    let label = labels::filter(request.label.as_deref(), &At::field("label"), &mut violations);
    let (number, size, token) = (request.page, request.page_size, request.page_token.as_deref());
    let start = page_token::start(&list, number, size, token, &mut violations);
    violations.finish()?;
    let label = label.map(|(key, value)| text(&key, &value));
    let number = token.map_or(number, |_| Some(0));
    Ok(QueueQuery { filter: QueueFilter { kind, status, label }, page: Page::new(number, size), start, list })
}

/// A request for the calls of a queue.
pub struct CallQuery {
    /// The queue whose calls are listed.
    pub queue_id: i64,
    /// The page of the calls. Its number is 0 if it is asked for by a token.
    pub page: Page,
    /// Where the page begins.
    pub start: PageStart,
    /// The request without what may differ between its pages.
    list: ListQueueCallsRequest,
    status: Option<CallStatus>,
    batch_id: Option<i64>,
    outcome: Option<Outcome>,
    contact_numbers: Vec<i64>,
}

impl CallQuery {
    /// Checks which calls are listed, and which page of them. `numberings` are those of the servers through which the
    /// client may dial.
    ///
    /// # Errors
    /// Returns every broken rule.
    pub fn new(request: &ListQueueCallsRequest, numberings: &[Numbering]) -> Result<Self, Error> {
        let mut violations = fields::violations(request);
        let status: Option<CallStatus> = known(request.status, &At::field("status"), &mut violations);
        let outcome: Option<Outcome> = known(request.outcome, &At::field("outcome"), &mut violations);
        let is_national = request.contact_number_national.unwrap_or(false);
        let contact_numbers = match request.contact_number {
            Some(number) if is_national => contact::stored(number, numberings),
            number => number.into_iter().collect(),
        };
        let list = ListQueueCallsRequest { page: None, page_size: None, page_token: None, ..request.clone() };
        let (number, size, token) = (request.page, request.page_size, request.page_token.as_deref());
        let start = page_token::start(&list, number, size, token, &mut violations);
        violations.finish()?;
        Ok(Self {
            queue_id: request.master_queue_id.unwrap_or_default(),
            page: Page::new(token.map_or(number, |_| Some(0)), size),
            start,
            list,
            status,
            batch_id: request.batch_id,
            outcome,
            contact_numbers,
        })
    }

    /// Returns the token of the page after the call at this position.
    #[must_use]
    pub fn token(&self, last: i64) -> String {
        page_token::of(&self.list, Cursor::Position(last))
    }

    /// Returns which calls are listed.
    #[must_use]
    pub fn filter(&self) -> CallFilter<'_> {
        let Self { status, batch_id, outcome, ref contact_numbers, .. } = *self;
        CallFilter { status, batch_id, outcome, contact_numbers }
    }
}

/// Returns the codes of the kinds of events that are streamed, empty if all are, and the label that their calls must have.
///
/// # Errors
/// Returns every broken rule.
pub fn events(request: &WatchCallsRequest) -> Result<(Vec<i16>, Option<String>), Error> {
    let mut violations = fields::violations(request);
    let mut kinds = Vec::with_capacity(request.types.len());
    for (index, code) in request.types.iter().enumerate() {
        match i16::try_from(*code) {
            Ok(kind) => kinds.push(kind),
            Err(_) => violations.invalid_if_new(&At::field("types").index(index), "is not supported"),
        }
    }
    let label = labels::filter(request.label.as_deref(), &At::field("label"), &mut violations);
    violations.finish()?;
    Ok((kinds, label.map(|(key, value)| text(&key, &value))))
}

/// Reads a code of the API, which is the store's code as well.
pub fn known<T: TryFrom<i16, Error = UnknownCode>>(
    code: Option<i32>,
    at: &At<'_>,
    violations: &mut Violations,
) -> Option<T> {
    let known = i16::try_from(code?).ok().and_then(|code| T::try_from(code).ok());
    if known.is_none() {
        violations.invalid_if_new(at, "is not supported");
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_calls_tells_all_that_is_wrong_with_what_it_was_asked() {
        let request = ListQueueCallsRequest { page: Some(0), status: Some(99), ..ListQueueCallsRequest::default() };
        let Err(Error::InvalidArgument(broken)) = CallQuery::new(&request, &[]) else { panic!("it is refused") };
        let fields: Vec<&str> = broken.iter().map(|broken| broken.field.as_str()).collect();
        assert_eq!(fields, ["page", "master_queue_id", "status"]);
    }
}
