//! Numbers that are not to be called: what is put on a list, and which calls a list ends.

use std::collections::HashSet;

use crate::api::Error;
use crate::domain::number;
use crate::domain::status::CallStatus;
use crate::pb::DoNotCallNumber;
use crate::store::calls::NewCall;

/// Reduces numbers that are put on a list, and have been checked, to their digits; each keeps its reason.
#[must_use]
pub fn numbers(asked: Vec<DoNotCallNumber>) -> Vec<(String, Option<String>)> {
    asked.into_iter().map(|one| (digits(&one.number), one.reason)).collect()
}

/// Reduces a number that has been checked to its digits.
#[must_use]
pub fn digits(number: &str) -> String {
    number::digits(number).unwrap_or_default()
}

/// Answers a request to take a number off a list that it is not on.
#[must_use]
pub fn not_listed(number: &str) -> Error {
    Error::NotFound(format!("number {number} on the do-not-call list"))
}

/// Returns the numbers that calls would reach, as digits: those to look up in the lists.
#[must_use]
pub fn called(calls: &[NewCall]) -> Vec<String> {
    let mut numbers: Vec<String> = calls.iter().flat_map(|call| call.spec.reaches(call.contact_number)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Cancels those of the calls that would reach a listed number, and returns a warning for each; `place` returns where
/// in the request a call is.
pub fn cancel_listed(calls: &mut [NewCall], listed: &HashSet<String>, place: impl Fn(usize) -> String) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, call) in calls.iter_mut().enumerate().filter(|(_, call)| call.status == CallStatus::Queued) {
        if let Some(number) = call.spec.reaches(call.contact_number).into_iter().find(|number| listed.contains(number))
        {
            call.status = CallStatus::Canceled;
            warnings.push(format!("{}: {number} is on the do-not-call list, the call is canceled", place(index)));
        }
    }
    warnings
}
