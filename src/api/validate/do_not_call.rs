//! Numbers that are not to be called: what may stand on a list, and which calls a list ends.

use std::collections::HashSet;

use super::text::label;
use crate::api::{At, Error, Violations};
use crate::domain::number::{self, DIGITS};
use crate::domain::status::CallStatus;
use crate::pb::DoNotCallNumber;
use crate::store::calls::NewCall;

/// Numbers in one request at most.
const MAX_NUMBERS: usize = 1000;

/// Checks numbers that are to be put on a list, and reduces them to their digits.
///
/// # Errors
/// Every broken rule, up to 50.
pub fn numbers(asked: &[DoNotCallNumber]) -> Result<Vec<(String, Option<String>)>, Error> {
    let mut violations = Violations::default();
    let at = At::field("numbers");
    if asked.is_empty() || asked.len() > MAX_NUMBERS {
        violations.invalid(&at, format_args!("must hold 1 to {MAX_NUMBERS} items, and holds {}", asked.len()));
    }
    let mut numbers = Vec::with_capacity(asked.len());
    for (index, one) in asked.iter().take(MAX_NUMBERS).enumerate() {
        let at = at.index(index);
        let digits = digits(&one.number, &at.then("number"), &mut violations);
        label(one.reason.as_deref(), &at.then("reason"), &mut violations);
        numbers.extend(digits.map(|digits| (digits, one.reason.clone())));
    }
    violations.finish()?;
    Ok(numbers)
}

/// Reduces a number that is to be taken off a list to its digits.
///
/// # Errors
/// If it is none.
pub fn number(asked: &str) -> Result<String, Error> {
    let mut violations = Violations::default();
    let digits = digits(asked, &At::field("number"), &mut violations);
    violations.finish()?;
    Ok(digits.unwrap_or_default())
}

/// The answer to whoever takes a number off a list that it is not on.
#[must_use]
pub fn not_listed(number: &str) -> Error {
    Error::NotFound(format!("number {number} on the do-not-call list"))
}

/// The numbers that calls would reach, as digits: what a list has to be asked for.
#[must_use]
pub fn called(calls: &[NewCall]) -> Vec<String> {
    let mut numbers: Vec<String> = calls.iter().flat_map(|call| call.spec.reaches(call.contact_number)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Cancels those of the calls that would reach a listed number, and answers a warning for each; `place` says where in
/// its request a call stands.
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

fn digits(text: &str, at: &At<'_>, violations: &mut Violations) -> Option<String> {
    if text.is_empty() {
        violations.required(at);
        return None;
    }
    let digits = number::only_digits(text).filter(|digits| DIGITS.contains(&digits.len()));
    if digits.is_none() {
        violations.invalid(at, format_args!("must be {} to {} digits", DIGITS.start(), DIGITS.end()));
    }
    digits
}
