//! How long a source that sends wrong keys must wait. No IO.
//!
//! A limiter at a constant rate would not do: it would let a patient source guess for ever at that rate, or lock out an
//! application with a mistyped key at once.

use core::net::IpAddr;
use std::fmt;
use std::time::Duration;

use super::time::Millis;

/// What a key costs that the source has not just sent: a guess.
const GUESS: u32 = 10;
/// What a key costs that the source has just sent: an application that repeats a mistyped key is not guessing.
const REPEAT: u32 = 1;
/// A source has to wait as soon as its wrong keys cost so much: after 10 guesses, or after 91 times the same key.
const FREE: u32 = 100;
/// The first delay. Each further one is twice as long.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest delay that a source has to wait.
const LONGEST_DELAY: Duration = Duration::from_secs(300);
/// A source that sends no wrong key for so long is forgotten.
pub const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// How many bits of an IPv6 address name a source, because every host chooses the others.
const IPV6_PREFIX: u32 = 64;

/// A source of requests: an IPv4 address, or the first 64 bits of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

/// The wrong keys of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrongKeys {
    /// What the wrong keys cost so far, up to [`FREE`].
    cost: u32,
    /// How often the source had to wait.
    delays: u32,
    /// Until when the source has to wait, in milliseconds since 1970.
    until: i64,
    /// When the source sent its last wrong key, in milliseconds since 1970.
    last: i64,
    /// Digests of the last wrong keys.
    recent: [u64; 4],
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> (128 - IPV6_PREFIX) << (128 - IPV6_PREFIX)).into()),
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(formatter),
            IpAddr::V6(v6) => write!(formatter, "{v6}/{IPV6_PREFIX}"),
        }
    }
}

impl WrongKeys {
    /// Returns how long the source has to wait before another key is read, or None if it need not wait.
    #[must_use]
    pub fn wait(&self, now: Millis) -> Option<Duration> {
        let left = u64::try_from(self.until - now.0).ok().filter(|left| *left > 0)?;
        // A clock that was set back must not lock a source out for longer.
        Some(Duration::from_millis(left).min(LONGEST_DELAY))
    }

    /// Counts a wrong key, given by a digest of it. Returns the delay that begins with it, if one does. A key that was
    /// read while a delay had already begun does not count, so that many keys at one moment cause one delay.
    pub fn count(&mut self, key: u64, now: Millis) -> Option<Duration> {
        if self.wait(now).is_some() {
            return None;
        }
        if now.0 - self.last >= millis(FORGOTTEN_AFTER) {
            *self = Self::default();
        }
        self.last = now.0;
        self.cost += if self.recent.contains(&key) { REPEAT } else { GUESS };
        self.recent.rotate_right(1);
        self.recent[0] = key;
        if self.cost < FREE {
            return None;
        }
        self.cost = FREE;
        let delay = FIRST_DELAY.saturating_mul(2_u32.saturating_pow(self.delays)).min(LONGEST_DELAY);
        self.delays = self.delays.saturating_add(1);
        self.until = now.0 + millis(delay);
        Some(delay)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(address: &str) -> Source {
        Source::from(address.parse::<IpAddr>().unwrap())
    }

    /// Sends a new wrong key as soon as the source may, and returns how long it had to wait before each.
    fn waits(guesses: u64) -> Vec<u64> {
        let (mut wrong, mut now, mut waits) = (WrongKeys::default(), 1_000_000_000_000, Vec::new());
        for key in 1..=guesses {
            let wait = wrong.wait(Millis(now)).map_or(0, |wait| wait.as_secs());
            now += i64::try_from(wait).unwrap() * 1000;
            wrong.count(key, Millis(now));
            waits.push(wait);
        }
        waits
    }

    #[test]
    fn after_ten_guesses_each_delay_is_twice_as_long_as_the_one_before_up_to_five_minutes() {
        assert_eq!(waits(22), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    }

    #[test]
    fn an_application_that_repeats_one_wrong_key_is_given_more_time_than_one_that_guesses() {
        let mut wrong = WrongKeys::default();
        let free = (0..).take_while(|_| wrong.count(7, Millis(1)).is_none()).count();
        assert_eq!(free, 90);
    }

    #[test]
    fn keys_that_were_read_at_one_moment_cause_one_delay() {
        let mut wrong = WrongKeys::default();
        let delays: Vec<Duration> = (1..=1000).filter_map(|key| wrong.count(key, Millis(5))).collect();
        assert_eq!(delays, [FIRST_DELAY]);
    }

    #[test]
    fn a_source_without_wrong_keys_for_an_hour_is_forgotten() {
        let mut wrong = WrongKeys::default();
        for key in 1..=10 {
            wrong.count(key, Millis(0));
        }
        let later = Millis(millis(FORGOTTEN_AFTER));
        assert_eq!(wrong.count(11, later), None);
        assert_eq!(wrong, WrongKeys { cost: GUESS, last: later.0, recent: [11, 0, 0, 0], ..WrongKeys::default() });
    }

    #[test]
    fn an_ipv4_address_is_a_source_and_of_an_ipv6_address_its_first_half() {
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.1"));
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1:2:3"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
    }

    proptest! {
        #[test]
        fn no_source_waits_for_more_than_the_longest_delay(
            steps in prop::collection::vec((0_u64..20, 0_i64..400_000), 1..200),
        ) {
            let (mut wrong, mut now) = (WrongKeys::default(), 1_000_000_000_000_i64);
            for (key, passed) in steps {
                now += passed;
                let delay = wrong.count(key, Millis(now));
                prop_assert!(wrong.wait(Millis(now)) >= delay);
                prop_assert_eq!(wrong.wait(Millis(now + millis(LONGEST_DELAY))), None);
            }
        }

        #[test]
        fn however_it_spreads_them_a_source_makes_few_guesses_in_an_hour(
            pauses in prop::collection::vec(0_i64..120_000, 1..500),
        ) {
            let (mut wrong, mut now, mut read) = (WrongKeys::default(), 1_000_000_000_000_i64, 0);
            for (key, pause) in (1_u64..).zip(pauses) {
                now += pause;
                if now >= 1_000_000_000_000 + 3_600_000 {
                    break;
                }
                if wrong.wait(Millis(now)).is_none() {
                    read += 1;
                    wrong.count(key, Millis(now));
                }
            }
            // Ten are free, nine delays of 1 to 256 s take 511 s, and each further guess takes 300 s.
            prop_assert!(read <= 10 + 9 + (3600 - 511) / 300 + 1, "{} guesses in an hour", read);
        }
    }
}
