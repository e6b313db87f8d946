//! Calling windows are the hours in which a queue's calls may be dialed, by the clock of the called person.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::time::Millis;

/// The milliseconds of a minute.
const MINUTE: i64 = 60_000;
/// The minutes of a day.
pub const DAY_MINUTES: u16 = 24 * 60;
/// How far ahead the next opening is searched for, in milliseconds: a week; a second one, because a clock may skip an
/// hour or a day of the first (Samoa skipped all of 30 December 2011); and a day to spare for the change of the clock
/// itself.
const HORIZON: i64 = 15 * DAY_MINUTES as i64 * MINUTE;

/// When a queue's calls may be dialed. As JSON it is the column `queues.windows`.
///
/// A window is open while the wall clock of the zone shows a time in it. So when clocks go forward, an hour that is
/// skipped opens nothing; when they go back, an hour that is shown twice is open twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// The IANA name of the time zone of calls that have none of their own, such as `Europe/Berlin`. None means UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The windows. A call may be dialed while at least one of them is open, so never if there are none.
    pub windows: Vec<Window>,
}

/// A period of the day, on some or all days of the week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days of the week, from Monday 1 to Sunday 7 (ISO 8601). Empty means every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<i8>,
    /// The minute of the local day at which the window opens, 0 to 1439.
    pub from: u16,
    /// The minute of the local day at which the window closes, above `from`, at most 1440.
    pub to: u16,
}

/// Returns the time zone with an IANA name, ignoring case; None if there is no such zone.
///
/// The host's own database is used before the built-in one, because it may be newer.
#[must_use]
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok().filter(|zone| !zone.is_unknown())
}

impl Windows {
    /// Returns `at` itself if a call may be dialed then, otherwise the time of the next opening; None if there is none.
    ///
    /// `time_zone` is that of the called person, and overrides the queue's. In a zone that this host does not know, no
    /// window is ever open, so that no phone rings at night because of a missing database.
    #[must_use]
    pub fn next_open(&self, time_zone: Option<&str>, at: Millis) -> Option<Millis> {
        let zone = match time_zone.or(self.time_zone.as_deref()) {
            Some(name) => zone(name)?,
            None => TimeZone::UTC,
        };
        // Between two changes of a zone's clock, its wall clock runs evenly. So each step goes to the next opening by
        // this clock, or to the change of the clock if that is earlier.
        let mut now = at;
        while now.0 - at.0 <= HORIZON {
            let time = Timestamp::from_millisecond(now.0).ok()?;
            let wait = self.wait(zone.to_datetime(time))?;
            if wait == 0 {
                return Some(now);
            }
            let opens = Millis(now.0 + wait);
            now = match zone.following(time).next() {
                Some(change) if change.timestamp().as_millisecond() < opens.0 => {
                    Millis(change.timestamp().as_millisecond())
                }
                _ => opens,
            };
        }
        None
    }

    /// Returns the milliseconds from a time on the wall clock to the next opening, as if the clock never changed. It is
    /// 0 while a window is open, and None if no window ever opens.
    fn wait(&self, local: DateTime) -> Option<i64> {
        let today = local.weekday().to_monday_one_offset();
        let passed = milliseconds_of_day(local);
        self.windows.iter().flat_map(|window| (0..=7).filter_map(move |ahead| window.wait(today, passed, ahead))).min()
    }
}

impl Window {
    /// Returns the milliseconds from `passed`, the milliseconds since today's midnight, to the window's opening `ahead`
    /// days from today. It is 0 while the window is open, and None if the window does not open or has closed that day.
    fn wait(&self, today: i8, passed: i64, ahead: i8) -> Option<i64> {
        let day = (today - 1 + ahead) % 7 + 1;
        if self.from >= self.to || !(self.days.is_empty() || self.days.contains(&day)) {
            return None;
        }
        let midnight = i64::from(ahead) * i64::from(DAY_MINUTES) * MINUTE;
        let opens = midnight + i64::from(self.from) * MINUTE - passed;
        let closes = midnight + i64::from(self.to) * MINUTE - passed;
        (closes > 0).then_some(opens.max(0))
    }
}

fn milliseconds_of_day(local: DateTime) -> i64 {
    let seconds = i64::from(local.hour()) * 3600 + i64::from(local.minute()) * 60 + i64::from(local.second());
    seconds * 1000 + i64::from(local.millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Millis {
        Millis(text.parse::<Timestamp>().unwrap().as_millisecond())
    }

    fn windows(zone: Option<&str>, list: &[(&[i8], u16, u16)]) -> Windows {
        let windows = list.iter().map(|&(days, from, to)| Window { days: days.to_vec(), from, to }).collect();
        Windows { time_zone: zone.map(str::to_owned), windows }
    }

    const OFFICE: (&[i8], u16, u16) = (&[1, 2, 3, 4, 5], 9 * 60, 18 * 60);

    #[test]
    fn a_call_goes_out_at_once_while_a_window_is_open() {
        let office = windows(Some("Europe/Berlin"), &[OFFICE]);
        let noon = at("2026-11-25T11:00:00Z");
        assert_eq!(office.next_open(None, noon), Some(noon));
        let last = at("2026-11-25T16:59:59.999Z");
        assert_eq!(office.next_open(None, last), Some(last));
    }

    #[test]
    fn a_call_waits_for_the_next_day_that_has_a_window() {
        let office = windows(Some("Europe/Berlin"), &[OFFICE]);
        assert_eq!(office.next_open(None, at("2026-11-25T17:00:00Z")), Some(at("2026-11-26T08:00:00Z")));
        assert_eq!(
            office.next_open(None, at("2026-11-27T17:00:00Z")),
            Some(at("2026-11-30T08:00:00Z")),
            "no window opens on the weekend"
        );
    }

    #[test]
    fn the_zone_of_the_called_person_overrides_the_queues() {
        let office = windows(Some("Europe/Berlin"), &[OFFICE]);
        let morning = at("2026-11-25T08:30:00Z");
        assert_eq!(office.next_open(Some("America/New_York"), morning), Some(at("2026-11-25T14:00:00Z")));
        assert_eq!(office.next_open(None, morning), Some(morning));
    }

    #[test]
    fn an_unknown_zone_and_a_list_without_windows_are_never_open() {
        let now = at("2026-11-25T11:00:00Z");
        assert_eq!(windows(None, &[OFFICE]).next_open(Some("Mars/Olympus"), now), None);
        assert_eq!(windows(None, &[]).next_open(None, now), None);
        assert_eq!(windows(None, &[(&[], 60, 60)]).next_open(None, now), None);
        assert!(zone("Etc/Unknown").is_none());
    }

    #[test]
    fn an_hour_that_the_clock_skips_opens_nothing() {
        // Berlin, 29 March 2026: 02:00 is followed by 03:00.
        let skipped = windows(Some("Europe/Berlin"), &[(&[], 2 * 60 + 15, 2 * 60 + 45)]);
        assert_eq!(skipped.next_open(None, at("2026-03-28T12:00:00Z")), Some(at("2026-03-30T00:15:00Z")));
        let only_sundays = windows(Some("Europe/Berlin"), &[(&[7], 2 * 60 + 15, 2 * 60 + 45)]);
        assert_eq!(only_sundays.next_open(None, at("2026-03-28T12:00:00Z")), Some(at("2026-04-05T00:15:00Z")));
        let begins_in_it = windows(Some("Europe/Berlin"), &[(&[], 2 * 60 + 30, 5 * 60)]);
        assert_eq!(begins_in_it.next_open(None, at("2026-03-29T00:00:00Z")), Some(at("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn an_hour_that_the_clock_shows_twice_is_open_twice() {
        // Berlin, 25 October 2026: 03:00 is followed by 02:00.
        let twice = windows(Some("Europe/Berlin"), &[(&[], 2 * 60 + 15, 2 * 60 + 45)]);
        assert_eq!(twice.next_open(None, at("2026-10-25T00:00:00Z")), Some(at("2026-10-25T00:15:00Z")));
        assert_eq!(twice.next_open(None, at("2026-10-25T00:45:00Z")), Some(at("2026-10-25T01:15:00Z")));
        assert_eq!(twice.next_open(None, at("2026-10-25T01:45:00Z")), Some(at("2026-10-26T01:15:00Z")));
    }

    #[test]
    fn a_day_that_a_zone_skips_opens_nothing() {
        let fridays = windows(Some("Pacific/Apia"), &[(&[5], 9 * 60, 18 * 60)]);
        assert_eq!(fridays.next_open(None, at("2011-12-29T12:00:00Z")), Some(at("2012-01-05T19:00:00Z")));
    }

    #[test]
    fn windows_are_read_as_they_were_written() {
        let written = r#"{"time_zone":"Europe/Berlin","windows":[{"days":[1,7],"from":540,"to":1440}]}"#;
        let read: Windows = serde_json::from_str(written).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    }

    /// Returns true if a window is open at one instant, straight from the definition.
    fn open(windows: &Windows, zone: &TimeZone, at: Millis) -> bool {
        let local = zone.to_datetime(Timestamp::from_millisecond(at.0).unwrap());
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap();
        let day = local.weekday().to_monday_one_offset();
        windows.windows.iter().any(|window| {
            (window.days.is_empty() || window.days.contains(&day)) && window.from <= minute && minute < window.to
        })
    }

    fn some_windows() -> impl Strategy<Value = Vec<Window>> {
        let window = (prop::collection::vec(1i8..=7, 0..3), 0u16..DAY_MINUTES, 1u16..=600)
            .prop_map(|(days, from, long)| Window { days, from, to: (from + long).min(DAY_MINUTES) });
        prop::collection::vec(window, 1..4)
    }

    proptest! {
        /// The zones include some whose clocks change at midnight, by half an hour, or have an offset in quarters of an
        /// hour.
        #[test]
        fn the_next_opening_is_the_first_minute_that_the_wall_clock_allows(
            windows in some_windows(),
            name in prop::sample::select(vec![
                "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu",
                "Pacific/Chatham", "Africa/Casablanca", "Pacific/Apia",
            ]),
            // The minutes of 2026, with that year's changes of the clocks.
            minute in 29_453_760i64..29_979_360,
        ) {
            let zone = zone(name).unwrap();
            let windows = Windows { time_zone: None, windows };
            let at = Millis(minute * MINUTE);
            let next = windows.next_open(Some(name), at).unwrap();
            prop_assert!(open(&windows, &zone, next));
            let mut before = at;
            while before < next {
                prop_assert!(!open(&windows, &zone, before), "{before:?} was open before {next:?}");
                before = Millis(before.0 + MINUTE);
            }
        }
    }
}
