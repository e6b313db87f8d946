//! Limits how many legs a client may call on one day, and for how many minutes. Days are those of UTC.

use super::limits::ClientLimits;
use super::wait_reasons::{Limit, Reason, WaitReason};

/// How much a client may spend on one day. A limit that is None does not apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpendLimits {
    /// How many legs may be called, at least 1.
    pub calls: Option<i32>,
    /// How many minutes answered calls may take, at least 1.
    pub minutes: Option<i32>,
}

/// What a client has spent on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// How many legs were called.
    pub calls: i64,
    /// How many seconds answered calls took, with those of live ones so far.
    pub seconds: i64,
}

impl SpendLimits {
    /// Returns the limits of a client; None if it has none.
    #[must_use]
    pub fn of(limits: &ClientLimits) -> Option<Self> {
        let set = Self { calls: limits.max_calls_per_day, minutes: limits.max_minutes_per_day };
        (set != Self::default()).then_some(set)
    }

    /// Returns why no further call may begin before `next_day`, in milliseconds since 1970; None if one may. The last
    /// call may exceed the limit by its own legs and minutes.
    #[must_use]
    pub fn reached(self, spent: Spent, next_day: i64) -> Option<WaitReason> {
        let minutes = spent.seconds / 60;
        let calls = (Reason::ClientCallsPerDay, "max_calls_per_day", self.calls, spent.calls);
        let minutes = (Reason::ClientMinutesPerDay, "max_minutes_per_day", self.minutes, minutes);
        [calls, minutes].into_iter().find_map(|(reason, name, most, used)| {
            let most = most.filter(|most| i64::from(*most) <= used)?;
            let limit = Some(Limit { name: name.to_owned(), value: most.into() });
            Some(WaitReason { limit, used: Some(used), until: Some(next_day), ..WaitReason::new(reason) })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_reached_when_as_much_was_spent() {
        let limits = |calls, minutes| SpendLimits { calls, minutes };
        for (limits, calls, seconds, expected) in [
            (limits(None, None), i64::MAX, i64::MAX, None),
            (limits(Some(3), None), 2, 9999, None),
            (limits(Some(3), None), 3, 0, Some((Reason::ClientCallsPerDay, 3))),
            (limits(Some(3), None), 5, 0, Some((Reason::ClientCallsPerDay, 5))),
            (limits(None, Some(2)), 9999, 119, None),
            (limits(None, Some(2)), 0, 120, Some((Reason::ClientMinutesPerDay, 2))),
            (limits(Some(1), Some(1)), 1, 60, Some((Reason::ClientCallsPerDay, 1))),
        ] {
            let reached = limits.reached(Spent { calls, seconds }, 7);
            let said = reached.as_ref().map(|reason| (reason.reason, reason.used.unwrap_or_default()));
            assert_eq!(said, expected, "{limits:?} {calls} {seconds}");
            assert!(reached.is_none_or(|reason| reason.until == Some(7) && reason.limit.is_some()));
        }
    }
}
