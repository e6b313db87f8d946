//! Ids of calls and attempts: UUIDs of version 7, so that they sort by the time they were made.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The id of a call, as clients see it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub Uuid);

/// The id of an attempt of a call. On the wire it is the Originate's ActionID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub Uuid);

macro_rules! uuid_id {
    ($name:ident) => {
        impl $name {
            /// Makes a new id, later than every id made before on this node.
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
/// Ids made here all have the same length, so none is ever a prefix of another: Asterisk 22 refuses an Originate whose
/// id begins with that of a live channel. The second attempt of a client's own id appends `-r2`, the third `-r3`.
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
    fn a_second_try_of_a_clients_own_channel_id_is_told_from_the_first() {
        let id = AttemptId::new();
        assert_eq!(channel_id(Some("channel-123"), id, 1), "channel-123");
        assert_eq!(channel_id(Some("channel-123"), id, 2), "channel-123-r2");
    }

    #[test]
    fn channel_ids_made_here_all_have_one_length() {
        let lengths: std::collections::HashSet<_> =
            (1..12).map(|n| channel_id(None, AttemptId::new(), n).len()).collect();
        assert_eq!(lengths.len(), 1);
    }
}
