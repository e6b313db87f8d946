//! Decides when an event that was not accepted is posted again, and when it becomes a dead letter.

use std::time::Duration;

use crate::domain::backoff;
use crate::domain::time::Millis;
use crate::store::webhooks::Delivery;

/// The longest pause after a first failure. It doubles with every further failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two tries.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// How long an event is tried again after its first failure.
pub const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// What follows a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The event is posted again, as the delivery says.
    Again(Delivery),
    /// The event is a dead letter, and the delivery goes on after it.
    Dead {
        /// The delivery after the event.
        after: Delivery,
        /// When the first try of the event failed.
        first_failed_at: Millis,
    },
}

/// Returns what follows when the event `seq` was not accepted at `now`. `share` is the random share of the pause, 0 to
/// 1.
///
/// The last try is at the end of the 24 hours, and the next event is posted at once. The pauses go on growing from
/// event to event until one is accepted.
#[must_use]
pub fn after_failure(before: &Delivery, seq: i64, why: String, now: Millis, share: f64) -> Next {
    let since = before.failing_since.filter(|_| before.failing_seq == Some(seq)).map_or(now, Millis);
    let end = since.plus(PATIENCE);
    let failed = without_event(before, why, now, share);
    if now >= end {
        let after =
            Delivery { delivered_seq: seq, next_try_at: now.0, failing_seq: None, failing_since: None, ..failed };
        return Next::Dead { after, first_failed_at: since };
    }
    let next_try_at = failed.next_try_at.min(end.0);
    Next::Again(Delivery { next_try_at, failing_seq: Some(seq), failing_since: Some(since.0), ..failed })
}

/// Returns what follows a failure before any event was tried: another try after a pause, without end.
#[must_use]
pub fn without_event(before: &Delivery, why: String, now: Millis, share: f64) -> Delivery {
    let failures = before.failures.saturating_add(1);
    let in_a_row = u32::try_from(failures).unwrap_or(u32::MAX);
    let pause = backoff::pause(in_a_row, FIRST_PAUSE, LONGEST_PAUSE, share);
    Delivery { failures, next_try_at: now.plus(pause).0, last_error: Some(why), ..before.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_700_000_000_000);

    fn failed(before: &Delivery, seq: i64, now: Millis) -> Next {
        after_failure(before, seq, "the receiver answered 500".to_owned(), now, 1.0)
    }

    #[test]
    fn an_event_is_tried_for_24_hours_with_growing_pauses_and_then_dead() {
        let mut delivery = Delivery { delivered_seq: 6, ..Delivery::default() };
        let (mut now, mut tries) = (START, 0);
        let (after, first_failed_at) = loop {
            tries += 1;
            match failed(&delivery, 7, now) {
                Next::Again(next) => {
                    assert_eq!((next.delivered_seq, next.failing_since), (6, Some(START.0)));
                    assert!(now.0 < next.next_try_at && next.next_try_at <= now.plus(LONGEST_PAUSE).0, "{next:?}");
                    now = Millis(next.next_try_at);
                    delivery = next;
                }
                Next::Dead { after, first_failed_at } => break (after, first_failed_at),
            }
        };
        assert_eq!((now, first_failed_at), (START.plus(PATIENCE), START), "the last try is at the end of the 24 hours");
        assert_eq!(tries, 9 + 287 + 1, "1 + 2 + … + 256 s, then every 300 s, and the last one");
        assert_eq!((after.delivered_seq, after.next_try_at, after.failing_since), (7, now.0, None));
        assert_eq!((after.failures, after.last_error.is_some()), (tries, true));
        // The next event has 24 hours of its own.
        let Next::Again(next) = failed(&after, 8, now) else { panic!("the next event is not tried") };
        assert_eq!((next.failing_seq, next.failing_since), (Some(8), Some(now.0)));
    }

    #[test]
    fn the_time_of_another_event_does_not_count() {
        // A version without dead letters moves the cursor, and leaves what it does not know.
        let stale = Delivery { failing_seq: Some(7), failing_since: Some(START.0), ..Delivery::default() };
        let now = START.plus(PATIENCE * 2);
        assert!(matches!(failed(&stale, 9, now), Next::Again(next) if next.failing_since == Some(now.0)));
        assert!(matches!(failed(&stale, 7, now), Next::Dead { .. }));
    }

    #[test]
    fn nothing_dies_while_nothing_can_be_posted() {
        let stale = Delivery { failing_seq: Some(7), failing_since: Some(START.0), ..Delivery::default() };
        let next = without_event(&stale, "its secret cannot be read".to_owned(), START.plus(PATIENCE * 2), 0.0);
        assert_eq!((next.delivered_seq, next.failures, next.failing_since), (0, 1, Some(START.0)));
    }
}
