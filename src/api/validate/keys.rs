//! API keys: until when and from where they can be used.

use crate::api::{At, Violations};
use crate::domain::networks::Networks;
use crate::domain::time::Millis;
use crate::pb;

/// Checks when a key is to expire, which must be in the future.
pub fn expires_at(time: Option<pb::Timestamp>, now: Millis, violations: &mut Violations) -> Option<Millis> {
    let time = time.and_then(|time| jiff::Timestamp::try_from(time).ok());
    let end = time.map(|time| Millis(time.as_millisecond()));
    if end.is_some_and(|end| end <= now) {
        violations.invalid(&At::field("expires_at"), "has passed");
    }
    end
}

/// Checks the networks that a key can be used from.
pub fn networks(texts: &[String], violations: &mut Violations) -> Networks {
    let at = At::field("networks");
    for (index, text) in texts.iter().enumerate() {
        if let Err((_, why)) = Networks::parse([text]) {
            violations.invalid(&at.index(index), why);
        }
    }
    // What is wrong has been noted.
    Networks::parse(texts).unwrap_or_default()
}
