//! The hash chain of the audit: how an entry is hashed. No IO.
//!
//! The hash of an entry covers its content and the hash of the entry before it, so that a changed, added or missing entry
//! breaks the chain from there on. `docs/administration.md` describes the encoding, so that others can verify it, too.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The action of an entry that covers entries without a hash.
pub const ANCHOR: &str = "AnchorAudit";

/// Begins the encoding of every entry, so that a later encoding cannot be taken for this one.
const FORMAT: &[u8] = b"trunkline audit 1\n";

/// The hash of an entry, which also stands for all entries before it. It is written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// The text is not a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits")]
pub struct NoHash;

/// Everything of an entry that its hash covers.
#[derive(Clone, Copy, Debug)]
pub struct Content<'e> {
    /// The entry's id, which rises with every entry and may have gaps.
    pub id: i64,
    /// The entry's number in the chain, from 1 and without gaps. None for an entry that was written before there was a
    /// chain.
    pub seq: Option<i64>,
    /// When the change was made, in milliseconds since 1970.
    pub at: i64,
    /// The name of the key that made the change.
    pub actor: &'e str,
    /// The method that was called.
    pub action: &'e str,
    /// The object that was changed.
    pub target: &'e str,
    /// The IP address that the request came from.
    pub remote_address: Option<&'e str>,
    /// The id of the request.
    pub request_id: &'e str,
    /// The request as JSON.
    pub detail: &'e str,
    /// The changed fields as they were, as JSON.
    pub before: Option<&'e str>,
    /// The changed fields as they are since then, as JSON.
    pub after: Option<&'e str>,
}

/// The hashes of an entry in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The hash of the entry before it.
    pub previous: Hash,
    /// The hash of the entry itself.
    pub hash: Hash,
}

/// The entries without a hash between two entries of the chain, in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unchained {
    first_id: i64,
    last_id: i64,
    entries: u64,
    digest: Hash,
}

/// What the detail of an [`ANCHOR`] says about the entries that it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The id of the first of them.
    pub first_id: i64,
    /// The id of the last of them.
    pub last_id: i64,
    /// How many there are.
    pub entries: u64,
    /// The digest of all of them, each hashed with the one before it.
    pub sha256: String,
}

impl Hash {
    /// Stands for what is before the first entry.
    pub const START: Self = Self([0; 32]);

    /// Returns the hash of an entry that follows the one with the hash `previous`.
    #[must_use]
    pub fn of(previous: Self, content: &Content<'_>) -> Self {
        let mut sha = Sha256::new();
        sha.update(FORMAT);
        sha.update(previous.0);
        let optional = |sha: &mut Sha256, value: Option<&[u8]>| match value {
            None => sha.update([0]),
            Some(bytes) => {
                sha.update([1]);
                sha.update((bytes.len() as u64).to_be_bytes());
                sha.update(bytes);
            }
        };
        optional(&mut sha, Some(&content.id.to_be_bytes()));
        optional(&mut sha, content.seq.map(i64::to_be_bytes).as_ref().map(<[u8; 8]>::as_slice));
        optional(&mut sha, Some(&content.at.to_be_bytes()));
        let texts = [
            Some(content.actor),
            Some(content.action),
            Some(content.target),
            content.remote_address,
            Some(content.request_id),
            Some(content.detail),
            content.before,
            content.after,
        ];
        for text in texts {
            optional(&mut sha, text.map(str::as_bytes));
        }
        Self(sha.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Hash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let text = text.as_bytes();
        if text.len() != 64 {
            return Err(NoHash);
        }
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(NoHash);
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(text.chunks_exact(2)) {
            *byte = (digit(digits[0])? << 4) | digit(digits[1])?;
        }
        Ok(Self(hash))
    }
}

impl Unchained {
    /// Adds an entry without a hash to those before it, of which there may be none.
    #[must_use]
    pub fn with(before: Option<Self>, content: &Content<'_>) -> Self {
        let digest = Hash::of(before.map_or(Hash::START, |before| before.digest), content);
        let (first_id, entries) = before.map_or((content.id, 0), |before| (before.first_id, before.entries));
        Self { first_id, last_id: content.id, entries: entries + 1, digest }
    }

    /// Returns the id of the first entry.
    #[must_use]
    pub const fn first_id(&self) -> i64 {
        self.first_id
    }

    /// Returns the id of the last entry.
    #[must_use]
    pub const fn last_id(&self) -> i64 {
        self.last_id
    }

    /// Returns what an anchor has to say about these entries.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        let Self { first_id, last_id, entries, digest } = *self;
        Anchor { first_id, last_id, entries, sha256: digest.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = Hash([0xab; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!("x".repeat(64).parse::<Hash>(), Err(NoHash));
        assert_eq!("ab".parse::<Hash>(), Err(NoHash));
    }

    #[test]
    fn a_hash_covers_every_field_and_where_a_field_ends() {
        let base = Content {
            id: 1,
            seq: Some(1),
            at: 5,
            actor: "ab",
            action: "c",
            target: "t",
            remote_address: None,
            request_id: "r",
            detail: "{}",
            before: None,
            after: None,
        };
        let other_fields = [
            Content { id: 2, ..base },
            Content { seq: Some(2), ..base },
            Content { seq: None, ..base },
            Content { at: 6, ..base },
            Content { actor: "a", action: "bc", ..base },
            Content { target: "u", ..base },
            Content { remote_address: Some(""), ..base },
            Content { request_id: "s", ..base },
            Content { detail: "{ }", ..base },
            Content { before: Some("{}"), ..base },
            Content { after: Some("{}"), ..base },
        ];
        let hash = Hash::of(Hash::START, &base);
        for other in other_fields {
            assert_ne!(Hash::of(Hash::START, &other), hash, "{other:?}");
        }
        assert_ne!(Hash::of(hash, &base), hash, "the hash does not cover the entry before");
        // The encoding is documented and must not change: stored hashes were made with it.
        assert_eq!(hash.to_string(), "c670c9b20162cba4bec85300eb832f9526f5d686b42533b5ca2de958baa56ef0");
    }
}
