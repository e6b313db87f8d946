//! The ids of calls and attempts. They are UUIDs of version 7, which sort by the time at which they were made.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The id of a call, which clients see in the API.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub Uuid);

/// The id of an attempt. On the wire it is the ActionID of the Originate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub Uuid);

macro_rules! uuid_id {
    ($name:ident) => {
        impl $name {
            /// Makes a new id, which sorts after all ids made before in this process.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "two defaults would differ")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

uuid_id!(CallId);
uuid_id!(AttemptId);

/// Returns the channel id of a call's `attempt`th attempt: the client's own, or one made from the attempt's id.
///
/// Ids that are made here all have the same length, so that none is a prefix of another, because Asterisk 22 refuses an
/// Originate if a live channel's id begins with the new id. The second attempt of a call with a client's own id appends
/// `-r2` to it, the third `-r3`.
#[must_use]
pub fn channel_id(own: Option<&str>, id: AttemptId, attempt: i32) -> String {
    match own {
        None => format!("tl-{id}"),
        Some(own) if attempt <= 1 => own.to_owned(),
        Some(own) => format!("{own}-r{attempt}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_attempt_changes_a_clients_own_channel_id() {
        let id = AttemptId::new();
        assert_eq!(channel_id(Some("channel-123"), id, 1), "channel-123");
        assert_eq!(channel_id(Some("channel-123"), id, 2), "channel-123-r2");
    }

    #[test]
    fn channel_ids_made_here_all_have_the_same_length() {
        let lengths: std::collections::HashSet<_> =
            (1..12).map(|n| channel_id(None, AttemptId::new(), n).len()).collect();
        assert_eq!(lengths.len(), 1);
    }
}
