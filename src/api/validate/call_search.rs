//! Checks a search for calls.

use uuid::Uuid;

use super::filters::known;
use super::{contact, labels, page_token};
use crate::api::{At, Error, Violations, fields};
use crate::domain::number::Numbering;
use crate::domain::time::Millis;
use crate::pb::{ListCallsRequest, Timestamp};
use crate::store::call_search::{CallSearch, Cursor, TimeRange};
use crate::store::id_range::IdRange;

/// The hexadecimal digits of an id.
const DIGITS: usize = 32;

/// A search for calls, and which page of what it finds is asked for.
#[derive(Debug)]
pub struct CallQuery {
    /// Which calls are found.
    pub search: CallSearch,
    /// Where the page begins; None for the first page.
    pub after: Option<Cursor>,
    /// The most calls on the page.
    pub size: i32,
    /// The request without what may differ between its pages.
    filter: ListCallsRequest,
}

impl CallQuery {
    /// Checks which calls are searched for among those of a client, or of all clients. `numberings` are those of the
    /// servers through which the calls may have been dialed.
    ///
    /// # Errors
    /// Returns every broken rule.
    pub fn new(request: &ListCallsRequest, client_id: Option<i64>, numberings: &[Numbering]) -> Result<Self, Error> {
        let mut violations = fields::violations(request);
        let filter = ListCallsRequest { page_size: None, page_token: None, client_id, ..request.clone() };
        let after = request.page_token.as_deref().and_then(|token| {
            let at = At::field("page_token");
            page_token::read(&filter, token).map_err(|error| violations.invalid_if_new(&at, error)).ok()
        });
        let search = search(&filter, &At::root(), numberings, &mut violations);
        violations.finish()?;
        Ok(Self { search, after, size: request.page_size.unwrap_or(100), filter })
    }

    /// Returns the token of the page that begins after `cursor`.
    #[must_use]
    pub fn token(&self, cursor: Cursor) -> String {
        page_token::of(&self.filter, cursor)
    }
}

/// Returns which calls a request searches for, whose client is `request.client_id`; None stands for all clients. The
/// request is at `at`, and its fields have been checked.
pub fn search(
    request: &ListCallsRequest,
    at: &At<'_>,
    numberings: &[Numbering],
    violations: &mut Violations,
) -> CallSearch {
    let is_national = request.contact_number_national.unwrap_or(false);
    let contact_numbers = match request.contact_number {
        Some(number) if is_national => Some(contact::stored(number, numberings)),
        number => number.map(|number| vec![number]),
    };
    CallSearch {
        client_id: request.client_id,
        queue_id: request.queue_id,
        ids: ids(request.call_id_prefix.as_deref(), &at.then("call_id_prefix"), violations),
        contact_numbers,
        action_id: request.action_id.clone(),
        channel_id: request.channel_id.clone(),
        project: request.project.clone(),
        label: labels::filter(request.label.as_deref(), &at.then("label"), violations),
        status: known(request.status, &at.then("status"), violations),
        outcome: known(request.outcome, &at.then("outcome"), violations),
        server_code: request.asterisk_server_code.clone(),
        other_server_than: None,
        trunk: request.trunk.clone(),
        created: range(request.created_from, request.created_to),
        started: range(request.started_from, request.started_to),
        ended: range(request.ended_from, request.ended_to),
    }
}

/// Reads times, which have been checked.
fn range(from: Option<Timestamp>, to: Option<Timestamp>) -> TimeRange {
    let millis = |time: Timestamp| jiff::Timestamp::try_from(time).ok().map(|time| Millis(time.as_millisecond()));
    TimeRange { from: from.and_then(millis), to: to.and_then(millis) }
}

/// Returns the ids that begin with these hexadecimal digits, among which there may be hyphens.
fn ids(prefix: Option<&str>, at: &At<'_>, violations: &mut Violations) -> Option<IdRange> {
    let digits = prefix?.replace('-', "");
    let with = |digit: &str| Uuid::parse_str(&format!("{digits}{}", digit.repeat(DIGITS.saturating_sub(digits.len()))));
    match (digits.is_empty(), with("0"), with("f")) {
        (false, Ok(first), Ok(last)) => Some(IdRange { first, last }),
        _ => {
            let message = format_args!("must be 1 to {DIGITS} hexadecimal digits, and hyphens");
            violations.invalid_if_new(at, message);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_for_all_ids_that_begin_with_it() {
        let ids = |prefix: &str| ids(Some(prefix), &At::field("call_id_prefix"), &mut Violations::default());
        let range = |first: &str, last: &str| {
            Some(IdRange { first: Uuid::parse_str(first).unwrap(), last: Uuid::parse_str(last).unwrap() })
        };
        let expected = range("0193a5b0-0000-0000-0000-000000000000", "0193a5bf-ffff-ffff-ffff-ffffffffffff");
        assert_eq!(ids("0193a5b"), expected);
        assert_eq!(ids("0193A5B-"), expected);
        let whole = "0193a5b0-1234-7abc-8def-0123456789ab";
        assert_eq!(ids(whole), range(whole, whole));
        for wrong in ["-", "x", "0193a5b0-1234-7abc-8def-0123456789abc"] {
            assert_eq!(ids(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_broken_rule_of_a_search_is_reported() {
        let request = ListCallsRequest {
            page_size: Some(0),
            page_token: Some("x".to_owned()),
            call_id_prefix: Some("xyz".to_owned()),
            project: Some(String::new()),
            label: Some("campaign".to_owned()),
            status: Some(99),
            ..ListCallsRequest::default()
        };
        let Err(Error::InvalidArgument(broken)) = CallQuery::new(&request, None, &[]) else { panic!("it is refused") };
        let fields: Vec<&str> = broken.iter().map(|broken| broken.field.as_str()).collect();
        assert_eq!(fields, ["page_size", "page_token", "call_id_prefix", "project", "label", "status"]);
    }
}
