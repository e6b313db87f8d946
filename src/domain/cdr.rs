//! Call records (CDRs): what Asterisk itself says a call came to and how long it lasted.

/// How a call record says that its channel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It was answered.
    Answered,
    /// It was busy.
    Busy,
    /// It was not answered; also what a record says that knows nothing better.
    NoAnswer,
    /// There was no way through.
    Congestion,
    /// Anything else.
    Other,
}

/// One record of one channel. Asterisk writes a record for each party that the channel spoke with, so that a channel
/// that was transferred has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cdr {
    /// How it ended.
    pub disposition: Disposition,
    /// Seconds since the answer, as Asterisk counts and rounds them.
    pub billable_seconds: i32,
    /// When it was answered, in seconds of the server's own clock: good for differences alone.
    pub answered: Option<i64>,
    /// When it ended, by the same clock.
    pub ended: Option<i64>,
}

/// The records of a call's A leg, added up in whatever order they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Billing(Option<Span>);

/// The earliest answer, the latest end, and what the longest record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    answered: i64,
    ended: i64,
    longest: i32,
}

impl Billing {
    /// Takes in a record of the A leg. A doubled one changes nothing.
    pub fn add(&mut self, record: &Cdr) {
        let (Disposition::Answered, Some(answered), Some(ended)) = (record.disposition, record.answered, record.ended)
        else {
            return;
        };
        let longest = record.billable_seconds;
        let span = self.0.get_or_insert(Span { answered, ended, longest });
        span.answered = span.answered.min(answered);
        span.ended = span.ended.max(ended);
        span.longest = span.longest.max(longest);
    }

    /// Seconds from the answer to the end; None until a record is there.
    ///
    /// One record is taken at its word. With several, the span from the earliest answer to the latest end counts where
    /// it is longer: records of one call follow one another, or overlap, as in a conference.
    #[must_use]
    pub fn seconds(&self) -> Option<i32> {
        let Span { answered, ended, longest } = self.0?;
        let span = i32::try_from((ended - answered).max(0)).unwrap_or(i32::MAX);
        // Two times in whole seconds are off by one as often as not; that alone is no reason to doubt the record.
        Some(if span > longest.saturating_add(1) { span } else { longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(answered: i64, ended: i64, billable_seconds: i32) -> Cdr {
        Cdr { disposition: Disposition::Answered, billable_seconds, answered: Some(answered), ended: Some(ended) }
    }

    #[test]
    fn one_record_is_taken_at_its_word() {
        let mut billing = Billing::default();
        billing.add(&record(100, 107, 6));
        billing.add(&record(100, 107, 6));
        assert_eq!(billing.seconds(), Some(6));
    }

    #[test]
    fn several_records_of_the_first_leg_count_from_its_answer_to_its_end() {
        let mut billing = Billing::default();
        billing.add(&record(110, 125, 15));
        billing.add(&record(100, 110, 10));
        assert_eq!(billing.seconds(), Some(25));
    }

    #[test]
    fn a_record_of_a_call_that_nobody_answered_says_nothing_about_its_time() {
        let mut billing = Billing::default();
        billing.add(&Cdr { disposition: Disposition::NoAnswer, ..record(0, 9, 0) });
        assert_eq!(billing.seconds(), None);
    }
}
