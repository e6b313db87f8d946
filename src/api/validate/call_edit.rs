//! Checks a change of a call that waits.

use super::new_queue::millis;
use super::patch::Mask;
use crate::api::{At, Error, Violations, fields};
use crate::domain::time::Millis;
use crate::pb::UpdateCallRequest;
use crate::store::call_edits::{CallEdit, Due};
use crate::store::calls::Call;

/// Checks what a request changes, without the call.
///
/// # Errors
/// Returns every broken rule.
pub fn edit(request: &UpdateCallRequest, now: Millis) -> Result<CallEdit, Error> {
    let mut violations = fields::violations(request);
    let UpdateCallRequest { deadline, not_before, retry, dial_next, update_mask, .. } = request;
    let known = [
        ("deadline", deadline.is_some()),
        ("not_before", not_before.is_some()),
        ("retry", retry.is_some()),
        ("dial_next", *dial_next),
    ];
    let mask = Mask::new(update_mask, &known, &mut violations)?;
    let deadline = mask.has("deadline").then(|| deadline.and_then(millis));
    if deadline.flatten().is_some_and(|deadline| deadline <= now) {
        violations.invalid_if_new(&At::field("deadline"), "must be in the future");
    }
    let not_before = mask.has("not_before").then(|| not_before.and_then(millis).unwrap_or(now));
    let is_next = mask.has("dial_next") && *dial_next;
    if is_next && not_before.is_some() {
        let why = "cannot be given together with not_before, which says when the call is dialed";
        violations.invalid_if_new(&At::field("dial_next"), why);
    }
    violations.finish()?;
    let due = not_before.map(Due::At).or_else(|| is_next.then_some(Due::Next));
    Ok(CallEdit { deadline, due, max_retries: mask.has("retry").then(|| retry.unwrap_or_default()) })
}

/// Checks that a call could still be dialed after the change.
///
/// # Errors
/// Says which of the fields that the request gives is wrong.
pub fn fits(edit: &CallEdit, call: &Call) -> Result<(), Error> {
    let mut violations = Violations::default();
    let deadline = edit.deadline.unwrap_or_else(|| call.deadline.map(Millis));
    let due = match edit.due {
        Some(Due::At(at)) => at,
        Some(Due::Next) => return Ok(()),
        None => Millis(call.due_at),
    };
    if deadline.is_some_and(|deadline| deadline <= due) {
        match edit.due {
            Some(_) => violations.invalid(&At::field("not_before"), "must be earlier than the deadline of the call"),
            None => violations.invalid(&At::field("deadline"), "must be later than due_at of the call"),
        }
    }
    violations.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::Timestamp;

    const NOW: Millis = Millis(1_000_000);

    fn time(seconds: i64) -> Option<Timestamp> {
        Some(Timestamp { seconds, nanos: 0 })
    }

    fn broken(request: &UpdateCallRequest) -> Vec<String> {
        let Err(Error::InvalidArgument(broken)) = edit(request, NOW) else { panic!("it is refused") };
        broken.into_iter().map(|broken| broken.field).collect()
    }

    fn request() -> UpdateCallRequest {
        UpdateCallRequest { call_id: "0193a5b0-1234-7abc-8def-0123456789ab".to_owned(), ..UpdateCallRequest::default() }
    }

    #[test]
    fn what_is_set_or_named_is_changed_and_nothing_else() {
        let set = UpdateCallRequest { deadline: time(2_000), ..request() };
        let expected = CallEdit { deadline: Some(Some(Millis(2_000_000))), ..CallEdit::default() };
        assert_eq!(edit(&set, NOW).unwrap(), expected);
        let mask = ["deadline", "not_before", "retry"].map(str::to_owned).to_vec();
        let expected = CallEdit { deadline: Some(None), due: Some(Due::At(NOW)), max_retries: Some(0) };
        assert_eq!(edit(&UpdateCallRequest { update_mask: mask, ..request() }, NOW).unwrap(), expected);
        let next = UpdateCallRequest { dial_next: true, ..request() };
        assert_eq!(edit(&next, NOW).unwrap(), CallEdit { due: Some(Due::Next), ..CallEdit::default() });
    }

    #[test]
    fn a_change_that_cannot_be_is_refused_at_its_field() {
        assert_eq!(broken(&UpdateCallRequest { deadline: time(1_000), ..request() }), ["deadline"]);
        let both = UpdateCallRequest { not_before: time(2_000), dial_next: true, ..request() };
        assert_eq!(broken(&both), ["dial_next"]);
        assert_eq!(broken(&request()), [""], "nothing is changed");
    }
}
