//! The brake on a client that suddenly calls destinations which it never called before, as someone does who has stolen
//! its key.
//!
//! For a day from its first attempt a client learns: whatever it calls then becomes known. After that, a destination is
//! new until a day has passed since its first call, and only so many calls to new destinations begin on one day (UTC).
//! The next one brakes the client: what is new then stays new, and waits until an administrator releases the brake.

use super::time::{DAY, Millis};

/// The limit of an installation that sets none.
pub const DEFAULT_LIMIT: i32 = 100;

/// The fewest digits of a number that has a country code. Shorter ones are extensions and short numbers of a country.
const LEAST_DIGITS: usize = 7;

/// The country codes with two digits. All others have three, but for `1` and `7`.
const TWO_DIGITS: [&str; 44] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49", "51",
    "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84", "86", "90",
    "91", "92", "93", "94", "95", "98",
];

/// The area codes of the countries and territories that share the code 1 with the United States and Canada, by the list
/// of the North American Numbering Plan Administrator. Calls to many of them cost far more.
const SHARE_CODE_1: [&str; 27] = [
    "1242", "1246", "1264", "1268", "1284", "1340", "1345", "1441", "1473", "1649", "1658", "1664", "1670", "1671",
    "1684", "1721", "1758", "1767", "1784", "1787", "1809", "1829", "1849", "1868", "1869", "1876", "1939",
];

/// What of a client decides which destinations are new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// When the client's first attempt began.
    pub learns_from: Millis,
    /// When the client was braked; None if it is not.
    pub braked_at: Option<Millis>,
}

/// A destination that a client has called, or that a call of the client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialed {
    /// When the first call to it began, or was held.
    pub first_at: Millis,
    /// True if an administrator has released the brake since.
    pub released: bool,
}

/// What the commit of a claim looks up again if destinations of the call may be new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrakeCheck {
    /// How many calls to new destinations may begin on one day; 0 if any number may.
    pub limit: i32,
    /// The destination of each number that rings, also if two of them have the same.
    pub destinations: Vec<String>,
}

/// A client whose calls to new destinations are held, and what it has called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Braked {
    /// How many calls to new destinations were allowed on one day when the client was braked.
    pub limit: i32,
    /// How many of them had begun on that day.
    pub calls: i64,
    /// The new destinations, sorted.
    pub destinations: Vec<String>,
}

impl Brake {
    /// Returns true while all that the client calls becomes known.
    #[must_use]
    pub const fn learns(&self, now: Millis) -> bool {
        now.0 < self.learns_from.0 + DAY
    }

    /// Returns true if a destination is new. `dialed` is None if the client has never called it.
    #[must_use]
    pub fn is_new(&self, dialed: Option<&Dialed>, now: Millis) -> bool {
        let Some(dialed) = dialed else { return !self.learns(now) };
        if dialed.released || self.learns(dialed.first_at) {
            return false;
        }
        // While the client is braked, time does not pass for what is new.
        dialed.first_at.0 > self.braked_at.unwrap_or(now).0 - DAY
    }

    /// Returns true if a call to a new destination has to wait, after so many on the same day.
    #[must_use]
    pub fn holds(&self, limit: i32, calls: i64) -> bool {
        limit > 0 && (self.braked_at.is_some() || calls >= i64::from(limit))
    }
}

impl Braked {
    /// Returns the new destinations as a text, such as `+44, +1242`, with at most twenty of them.
    #[must_use]
    pub fn named(&self) -> String {
        let named: Vec<String> = self.destinations.iter().take(20).map(|code| format!("+{code}")).collect();
        let more = self.destinations.len() - named.len();
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        format!("{}{more}", named.join(", "))
    }
}

/// Returns the destination of a number in its canonical form: its country code, or the first four digits if that country
/// shares the code 1. None if the number has no country code, as a national number of an unknown country and an extension.
#[must_use]
pub fn destination(canonical: &str) -> Option<&str> {
    let is_plain = canonical.len() >= LEAST_DIGITS && canonical.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain || canonical.starts_with('0') {
        return None;
    }
    let digits = match canonical.as_bytes()[0] {
        b'1' if SHARE_CODE_1.contains(&&canonical[..4]) => 4,
        b'1' | b'7' => 1,
        _ if TWO_DIGITS.contains(&&canonical[..2]) => 2,
        _ => 3,
    };
    Some(&canonical[..digits])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_country_code_or_the_area_code_of_a_country_that_shares_code_1() {
        for (number, expected) in [
            ("493023125018", Some("49")),
            ("442079460000", Some("44")),
            ("12025550143", Some("1")),
            ("14165550143", Some("1")),
            ("12425550143", Some("1242")),
            ("74955550143", Some("7")),
            ("77005550143", Some("7")),
            ("919877000000", Some("91")),
            ("3531234567", Some("353")),
            ("88213001234", Some("882")),
            ("2961234567", Some("296")),
            ("9951234567", Some("995")),
            ("2471234", Some("247")),
            ("03023125018", None),
            ("112", None),
            ("123456", None),
            ("1000", None),
            ("", None),
            ("*314930123", None),
        ] {
            assert_eq!(destination(number), expected, "{number}");
        }
    }

    #[test]
    fn a_destination_is_new_for_a_day_after_the_first_day_of_the_client() {
        const HOUR: i64 = 3_600_000;
        let at = |hours: i64| Millis(hours * HOUR);
        let first = |hours: i64, released| Some(Dialed { first_at: at(hours), released });
        // The client learns in the hours 0 to 24.
        for (dialed, braked, now, expected) in [
            (None, None, 23, false),
            (None, None, 24, true),
            (first(0, false), None, 1, false),
            (first(23, false), None, 25, false),
            (first(23, false), Some(25), 26, false),
            (first(24, false), None, 25, true),
            (first(30, false), None, 53, true),
            (first(30, false), None, 54, false),
            (first(30, false), Some(40), 54, true),
            (first(30, false), Some(40), 9999, true),
            (first(30, false), Some(54), 55, false),
            (first(50, false), Some(40), 9999, true),
            (first(30, true), Some(40), 41, false),
            (None, Some(40), 9999, true),
        ] {
            let brake = Brake { learns_from: at(0), braked_at: braked.map(at) };
            assert_eq!(brake.is_new(dialed.as_ref(), at(now)), expected, "{dialed:?} {braked:?} {now}");
        }
    }

    #[test]
    fn a_call_is_held_beyond_the_limit_and_while_the_client_is_braked() {
        let brake = |braked_at| Brake { learns_from: Millis(0), braked_at };
        for (braked_at, limit, calls, expected) in [
            (None, 2, 1, false),
            (None, 2, 2, true),
            (None, 2, 3, true),
            (Some(Millis(5)), 2, 0, true),
            (None, 0, 999, false),
            (Some(Millis(5)), 0, 999, false),
        ] {
            assert_eq!(brake(braked_at).holds(limit, calls), expected, "{braked_at:?} {limit} {calls}");
        }
    }

    #[test]
    fn at_most_twenty_destinations_are_named() {
        let braked = |count: usize| Braked {
            limit: 1,
            calls: 1,
            destinations: (0..count).map(|index| (30 + index).to_string()).collect(),
        };
        assert_eq!(braked(2).named(), "+30, +31");
        assert!(braked(22).named().ends_with(", +49 and 2 more"), "{}", braked(22).named());
    }
}
