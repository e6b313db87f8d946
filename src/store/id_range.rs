//! Ranges of the ids of calls, which rise with the time.

use uuid::Uuid;

/// A range of ids, with both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The first id in the range.
    pub first: Uuid,
    /// The last id in the range.
    pub last: Uuid,
}

impl IdRange {
    /// The range of all ids.
    pub const ALL: Self = Self { first: Uuid::nil(), last: Uuid::max() };

    /// Returns the ids that are in both ranges; None if there are none.
    #[must_use]
    pub fn and(self, other: Self) -> Option<Self> {
        let both = Self { first: self.first.max(other.first), last: self.last.min(other.last) };
        (both.first <= both.last).then_some(both)
    }

    /// Returns the ids of the range before `id`; None if there are none.
    #[must_use]
    pub fn before(self, id: Uuid) -> Option<Self> {
        let last = Uuid::from_u128(id.as_u128().checked_sub(1)?);
        self.and(Self { first: Uuid::nil(), last })
    }

    /// Returns true if the range holds an id.
    #[must_use]
    pub fn has(self, id: Uuid) -> bool {
        (self.first..=self.last).contains(&id)
    }

    /// Returns the ids that were made at a time or later, or before it.
    #[must_use]
    pub fn made(from: Option<i64>, to: Option<i64>) -> Self {
        /// The first id of a millisecond: the first 48 bits of an id are its time.
        fn first_of(millis: i64) -> u128 {
            u128::from(u64::try_from(millis.clamp(0, (1 << 48) - 1)).unwrap_or(0)) << 80
        }
        Self {
            first: from.map_or(Uuid::nil(), |from| Uuid::from_u128(first_of(from))),
            last: to.map_or(Uuid::max(), |to| Uuid::from_u128(first_of(to))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(millis: u128, rest: u128) -> Uuid {
        Uuid::from_u128((millis << 80) | rest)
    }

    #[test]
    fn the_ids_before_one_do_not_include_it() {
        let range = IdRange { first: id(1, 0), last: id(1, 5) };
        assert_eq!(range.before(id(1, 3)), Some(IdRange { last: id(1, 2), ..range }));
        assert_eq!(range.before(id(2, 0)), Some(range));
        assert_eq!(range.before(id(1, 0)), None);
        assert_eq!(IdRange::ALL.before(Uuid::nil()), None);
    }
}
