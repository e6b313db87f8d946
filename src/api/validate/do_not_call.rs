//! Numbers that are not to be called: what is put on a list, and which calls a list ends.

use std::collections::HashSet;

use crate::api::Error;
use crate::domain::number::{self, Numbering, Reached};
use crate::domain::status::CallStatus;
use crate::pb::DoNotCallNumber;
use crate::store::calls::NewCall;

/// Returns the canonical form of numbers that are put on a list, and have been checked; each keeps its reason.
#[must_use]
pub fn numbers(asked: Vec<DoNotCallNumber>) -> Vec<(String, Option<String>)> {
    asked.into_iter().map(|one| (canonical(&one.number), one.reason)).collect()
}

/// Returns the canonical form of a number that has been checked.
#[must_use]
pub fn canonical(number: &str) -> String {
    number::read_field(number).map(|number| Numbering::listed(&number)).unwrap_or_default()
}

/// Answers a request to take a number off a list that it is not on.
#[must_use]
pub fn not_listed(number: &str) -> Error {
    Error::NotFound(format!("number {number} on the do-not-call list"))
}

/// Returns every form of the numbers that calls would reach: those to look up in the lists.
#[must_use]
pub fn called(calls: &[NewCall]) -> Vec<String> {
    let mut numbers: Vec<String> =
        calls.iter().flat_map(|call| &call.reaches).flat_map(|number| &number.forms).cloned().collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Returns those of these numbers that are listed, each in its listed form and with the field that names it.
pub fn among<'a>(numbers: &'a [Reached], listed: &'a HashSet<String>) -> impl Iterator<Item = (&'static str, &'a str)> {
    numbers.iter().filter_map(|number| {
        let form = number.forms.iter().find(|form| listed.contains(*form))?;
        Some((number.field, form.as_str()))
    })
}

/// Cancels those of the calls that would reach a listed number, and returns a warning for each; `place` returns where
/// in the request a call is.
pub fn cancel_listed(calls: &mut [NewCall], listed: &HashSet<String>, place: impl Fn(usize) -> String) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, call) in calls.iter_mut().enumerate().filter(|(_, call)| call.status == CallStatus::Queued) {
        if let Some((_, number)) = among(&call.reaches, listed).next() {
            call.status = CallStatus::Canceled;
            warnings.push(format!("{}: {number} is on the do-not-call list, the call is canceled", place(index)));
        }
    }
    warnings
}
