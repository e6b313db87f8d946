//! How many seconds of an answered attempt are billed: by Asterisk's CDRs if they tell the whole call, else by our
//! clock.

use std::time::Duration;

use crate::domain::cdr::{Cdr, Disposition};
use crate::domain::time::Millis;

/// A call that goes on this much longer than its A leg was transferred, and is not billed by that leg's CDRs.
const OUTLIVED: Duration = Duration::from_secs(2);

/// What is known about the billed seconds of an attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Billing {
    cdrs: Cdrs,
    a_leg_gone_at: Option<Millis>,
}

impl Billing {
    /// Takes in a CDR of the A leg.
    pub(super) fn add(&mut self, cdr: &Cdr) {
        self.cdrs.add(cdr);
    }

    /// Notes that the A leg is gone.
    pub(super) fn a_leg_gone(&mut self, at: Millis) {
        self.a_leg_gone_at.get_or_insert(at);
    }

    /// Returns true if the A leg is gone.
    pub(super) fn a_leg_is_gone(&self) -> bool {
        self.a_leg_gone_at.is_some()
    }

    /// Returns the billed seconds of an attempt that was answered and has ended at these times.
    pub(super) fn seconds(&self, answered: Millis, ended: Millis) -> i32 {
        let by_cdr = self.cdrs.seconds().filter(|_| !self.outlived_a_leg(ended));
        by_cdr.unwrap_or_else(|| i32::try_from(ended.since(answered).as_secs()).unwrap_or(i32::MAX))
    }

    /// Returns the CDRs of an attempt that has ended at this time, if the A leg's CDRs tell the whole call.
    pub(super) fn cdrs(&self, ended: Millis) -> Option<Cdrs> {
        (!self.outlived_a_leg(ended)).then_some(self.cdrs)
    }

    /// Returns true if the A leg was transferred away, so that its CDRs tell only a part of the call.
    fn outlived_a_leg(&self, ended: Millis) -> bool {
        self.a_leg_gone_at.is_some_and(|gone| ended.since(gone) >= OUTLIVED)
    }
}

/// The CDRs of a call's A leg, added up in whatever order they are received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cdrs(Option<Span>);

/// The earliest answer, the latest end, and the seconds of the longest CDR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    answered: i64,
    ended: i64,
    longest: i32,
}

impl Cdrs {
    /// Takes in a CDR of the A leg. One that is received twice changes nothing.
    pub(super) fn add(&mut self, cdr: &Cdr) {
        let (Disposition::Answered, Some(answered), Some(ended)) = (cdr.disposition, cdr.answered, cdr.ended) else {
            return;
        };
        let longest = cdr.billable_seconds;
        let span = self.0.get_or_insert(Span { answered, ended, longest });
        span.answered = span.answered.min(answered);
        span.ended = span.ended.max(ended);
        span.longest = span.longest.max(longest);
    }

    /// Returns the seconds from the answer to the end; None before the first CDR of an answered call.
    ///
    /// A single CDR is taken at its word. With several, the span from the earliest answer to the latest end counts if it
    /// is longer: the CDRs of one call follow one another, or overlap, as in a conference.
    pub(super) fn seconds(&self) -> Option<i32> {
        let Span { answered, ended, longest } = self.0?;
        let span = i32::try_from((ended - answered).max(0)).unwrap_or(i32::MAX);
        // Two times in whole seconds are off by one as often as not; that alone is no reason to doubt the CDR.
        Some(if span > longest.saturating_add(1) { span } else { longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cdr(answered: i64, ended: i64, billable_seconds: i32) -> Cdr {
        Cdr { disposition: Disposition::Answered, billable_seconds, answered: Some(answered), ended: Some(ended) }
    }

    #[test]
    fn a_single_cdr_is_taken_at_its_word() {
        let mut cdrs = Cdrs::default();
        cdrs.add(&cdr(100, 107, 6));
        cdrs.add(&cdr(100, 107, 6));
        assert_eq!(cdrs.seconds(), Some(6));
    }

    #[test]
    fn several_cdrs_of_the_a_leg_count_from_its_answer_to_its_end() {
        let mut cdrs = Cdrs::default();
        cdrs.add(&cdr(110, 125, 15));
        cdrs.add(&cdr(100, 110, 10));
        assert_eq!(cdrs.seconds(), Some(25));
    }

    #[test]
    fn a_cdr_of_a_call_that_was_not_answered_says_nothing_about_its_time() {
        let mut cdrs = Cdrs::default();
        cdrs.add(&Cdr { disposition: Disposition::NoAnswer, ..cdr(0, 9, 0) });
        assert_eq!(cdrs.seconds(), None);
    }
}
