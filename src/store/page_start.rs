//! Where a page of a list begins.

/// Where a page of a list begins: the number of rows before it, or the last row of the page before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageStart {
    /// The page begins after so many rows.
    Offset(i64),
    /// The page begins after the row with this key, and costs the same at any depth.
    After(i64),
}

impl From<i64> for PageStart {
    fn from(offset: i64) -> Self {
        Self::Offset(offset)
    }
}
