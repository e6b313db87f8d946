//! Checks which page of a list is requested.

/// A page of a list: at most `size` rows after the first `offset` ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The number of the page, from 1.
    pub number: i32,
    /// The most rows in a page.
    pub size: i32,
}

impl Page {
    /// Makes a page from `page` (default 1) and `page_size` (default 100), which must have been checked.
    #[must_use]
    pub fn new(page: Option<i32>, page_size: Option<i32>) -> Self {
        Self { number: page.unwrap_or(1), size: page_size.unwrap_or(100) }
    }

    /// The number of rows before the page.
    #[must_use]
    pub fn offset(self) -> i64 {
        i64::from(self.number - 1) * i64::from(self.size)
    }

    /// The most rows in the page.
    #[must_use]
    pub fn limit(self) -> i64 {
        i64::from(self.size)
    }
}
