//! Checks requests that apply to many calls.

use super::call_search;
use super::new_queue::millis;
use super::page_token;
use crate::api::fields;
use crate::api::{At, Error, Violations};
use crate::domain::number::Numbering;
use crate::domain::status::CallStatus;
use crate::domain::time::Millis;
use crate::pb::{CallFilter, CancelCallsRequest, ListCallsRequest, MoveCallsRequest, RetryCallsRequest};
use crate::store::call_search::{CallSearch, Cursor};

/// What a request does with many calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Cancels the calls that wait, and hangs up those that are live if `hang_up_live` is true.
    Cancel { hang_up_live: bool },
    /// Dials the calls again that ended in failure; with a deadline, not after it.
    Retry { deadline: Option<Millis> },
    /// Moves the calls that wait to the server with this code.
    Move { to: String },
}

/// A request that applies to many calls.
#[derive(Debug)]
pub struct Operation {
    /// What is done with the calls.
    pub action: Action,
    /// The searches that find the calls, each of which finds calls of one status.
    pub passes: Vec<CallSearch>,
    /// The pass at which the operation begins, and where in it.
    pub begin: (usize, Option<Cursor>),
    /// The number of calls that the client expects.
    pub expected_count: Option<i64>,
    /// True if the calls are only counted.
    pub dry_run: bool,
    /// True if the operation continues an earlier one.
    pub is_resumed: bool,
    /// The filter, to which the tokens are bound.
    filter: ListCallsRequest,
}

/// The fields that all requests have.
struct Common<'a> {
    filter: Option<&'a CallFilter>,
    expected_count: Option<i64>,
    dry_run: bool,
    resume_token: Option<&'a str>,
}

/// Whose calls a request applies to, and how their numbers are read.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The client whose calls are meant; None for all clients.
    pub client_id: Option<i64>,
    /// What numbers mean on the servers through which the calls may have been dialed.
    pub numberings: &'a [Numbering],
    /// When the request arrived.
    pub now: Millis,
}

/// Checks a request to cancel calls.
///
/// # Errors
/// Returns every broken rule.
pub fn cancel(request: &CancelCallsRequest, scope: Scope<'_>) -> Result<Operation, Error> {
    let CancelCallsRequest { filter, expected_count, dry_run, hang_up_live, resume_token, .. } = request;
    let common = Common {
        filter: filter.as_ref(),
        expected_count: *expected_count,
        dry_run: *dry_run,
        resume_token: resume_token.as_deref(),
    };
    let live: &[CallStatus] = if *hang_up_live { CallStatus::LIVE } else { &[] };
    let statuses = [CallStatus::WAITING, live].concat();
    operation(fields::violations(request), common, scope, statuses, Action::Cancel { hang_up_live: *hang_up_live })
}

/// Checks a request to dial calls again.
///
/// # Errors
/// Returns every broken rule.
pub fn retry(request: &RetryCallsRequest, scope: Scope<'_>) -> Result<Operation, Error> {
    let RetryCallsRequest { filter, expected_count, dry_run, deadline, resume_token, .. } = request;
    let mut violations = fields::violations(request);
    let deadline = deadline.and_then(millis);
    if deadline.is_some_and(|deadline| deadline <= scope.now) {
        violations.invalid_if_new(&At::field("deadline"), "must be in the future");
    }
    // A call whose result is unknown may have been answered, and is called twice only if it is asked for.
    let asks_for_unknown = filter.as_ref().and_then(|filter| filter.status) == Some(CallStatus::Unknown.code().into());
    let status = if asks_for_unknown { CallStatus::Unknown } else { CallStatus::Failed };
    let common = Common {
        filter: filter.as_ref(),
        expected_count: *expected_count,
        dry_run: *dry_run,
        resume_token: resume_token.as_deref(),
    };
    operation(violations, common, scope, vec![status], Action::Retry { deadline })
}

/// Checks a request to move calls to another server, which must exist.
///
/// # Errors
/// Returns every broken rule.
pub fn relocate(request: &MoveCallsRequest, scope: Scope<'_>) -> Result<Operation, Error> {
    let MoveCallsRequest { filter, to_asterisk_server_code, expected_count, dry_run, resume_token, .. } = request;
    let common = Common {
        filter: filter.as_ref(),
        expected_count: *expected_count,
        dry_run: *dry_run,
        resume_token: resume_token.as_deref(),
    };
    let action = Action::Move { to: to_asterisk_server_code.clone() };
    let mut operation = operation(fields::violations(request), common, scope, CallStatus::WAITING.to_vec(), action)?;
    for pass in &mut operation.passes {
        pass.other_server_than = Some(to_asterisk_server_code.clone());
    }
    Ok(operation)
}

fn operation(
    mut violations: Violations,
    common: Common<'_>,
    scope: Scope<'_>,
    statuses: Vec<CallStatus>,
    action: Action,
) -> Result<Operation, Error> {
    let Common { filter, expected_count, dry_run, resume_token } = common;
    let at = At::field("filter");
    let given = filter.cloned().unwrap_or_default();
    if given == CallFilter::default() && expected_count.is_none() && !dry_run && resume_token.is_none() {
        let why = "is empty, which stands for all calls: give expected_count as well, or dry_run to count them";
        violations.invalid_if_new(&at, why);
    }
    let filter = ListCallsRequest { client_id: scope.client_id, ..given.into() };
    let search = call_search::search(&filter, &at, scope.numberings, &mut violations);
    let statuses = statuses.into_iter().filter(|status| search.status.is_none_or(|asked| asked == *status));
    let passes: Vec<CallSearch> =
        statuses.map(|status| CallSearch { status: Some(status), ..search.clone() }).collect();
    let mut begin = (0, None);
    if let Some(token) = resume_token {
        let at = At::field("resume_token");
        if dry_run {
            violations.invalid_if_new(&at, "is not for a dry_run, which changes nothing that could be continued");
        }
        let read =
            |(index, pass): (usize, &CallSearch)| Some((index, page_token::read(&of_pass(&filter, pass), token)));
        match passes.iter().enumerate().filter_map(read).find(|(_, read)| read.is_ok()) {
            Some((index, Ok(cursor))) => begin = (index, Some(cursor)),
            _ => violations
                .invalid_if_new(&at, "is not a token of this request; use the `resume_token` of a response as it is"),
        }
    }
    violations.finish()?;
    Ok(Operation { action, passes, begin, expected_count, dry_run, is_resumed: resume_token.is_some(), filter })
}

impl Operation {
    /// Returns the token with which a request continues after a place in one of the passes.
    #[must_use]
    pub fn token(&self, pass: usize, after: Cursor) -> Option<String> {
        Some(page_token::of(&of_pass(&self.filter, self.passes.get(pass)?), after))
    }
}

/// Returns the filter of one pass, to which a token of this pass is bound.
fn of_pass(filter: &ListCallsRequest, pass: &CallSearch) -> ListCallsRequest {
    ListCallsRequest { status: pass.status.map(|status| status.code().into()), ..filter.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope<'_> = Scope { client_id: Some(1), numberings: &[], now: Millis(1_000) };

    fn of_queue() -> Option<CallFilter> {
        Some(CallFilter { queue_id: Some(5), ..CallFilter::default() })
    }

    fn broken(result: Result<Operation, Error>) -> Vec<String> {
        let Err(Error::InvalidArgument(broken)) = result else { panic!("it is refused") };
        broken.into_iter().map(|broken| broken.field).collect()
    }

    fn statuses(operation: &Operation) -> Vec<CallStatus> {
        operation.passes.iter().filter_map(|pass| pass.status).collect()
    }

    #[test]
    fn each_action_applies_to_the_statuses_that_it_can_change() {
        let request = CancelCallsRequest { filter: of_queue(), ..CancelCallsRequest::default() };
        assert_eq!(statuses(&cancel(&request, SCOPE).unwrap()), CallStatus::WAITING);
        let request = CancelCallsRequest { hang_up_live: true, ..request };
        assert_eq!(
            statuses(&cancel(&request, SCOPE).unwrap()).len(),
            CallStatus::WAITING.len() + CallStatus::LIVE.len()
        );
        let of = |status: CallStatus| Some(CallFilter { status: Some(status.code().into()), ..of_queue().unwrap() });
        let retried = |filter| statuses(&retry(&RetryCallsRequest { filter, ..Default::default() }, SCOPE).unwrap());
        assert_eq!(retried(of_queue()), [CallStatus::Failed]);
        assert_eq!(retried(of(CallStatus::Unknown)), [CallStatus::Unknown]);
        assert_eq!(retried(of(CallStatus::Completed)), []);
    }

    #[test]
    fn all_calls_are_meant_only_if_the_request_says_so_twice() {
        let all = CancelCallsRequest { filter: Some(CallFilter::default()), ..CancelCallsRequest::default() };
        assert_eq!(broken(cancel(&all, SCOPE)), ["filter"]);
        assert_eq!(broken(cancel(&CancelCallsRequest::default(), SCOPE)), ["filter"]);
        assert!(cancel(&CancelCallsRequest { expected_count: Some(3), ..all.clone() }, SCOPE).is_ok());
        assert!(cancel(&CancelCallsRequest { dry_run: true, ..all }, SCOPE).is_ok());
    }

    #[test]
    fn what_is_wrong_with_a_filter_is_told_at_its_path() {
        let filter = CallFilter {
            call_id_prefix: Some("xyz".to_owned()),
            label: Some("campaign".to_owned()),
            status: Some(99),
            ..CallFilter::default()
        };
        let deadline = Some(crate::pb::Timestamp { seconds: 1, nanos: 0 });
        let request = RetryCallsRequest { filter: Some(filter), deadline, ..RetryCallsRequest::default() };
        let fields = ["filter.call_id_prefix", "filter.label", "filter.status", "deadline"];
        assert_eq!(broken(retry(&request, SCOPE)), fields);
    }

    #[test]
    fn a_token_continues_the_pass_that_it_is_from() {
        let request = CancelCallsRequest { filter: of_queue(), ..CancelCallsRequest::default() };
        let begun = cancel(&request, SCOPE).unwrap();
        let resume_token = begun.token(1, Cursor::Position(7));
        let resumed =
            cancel(&CancelCallsRequest { resume_token: resume_token.clone(), ..request.clone() }, SCOPE).unwrap();
        assert_eq!((resumed.begin, resumed.is_resumed), ((1, Some(Cursor::Position(7))), true));
        let other = Some(CallFilter { queue_id: Some(6), ..CallFilter::default() });
        let other = CancelCallsRequest { filter: other, resume_token: resume_token.clone(), ..request.clone() };
        assert_eq!(broken(cancel(&other, SCOPE)), ["resume_token"]);
        assert_eq!(
            broken(cancel(&CancelCallsRequest { dry_run: true, resume_token, ..request }, SCOPE)),
            ["resume_token"]
        );
    }
}
