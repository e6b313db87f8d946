//! Pages of lists.

use crate::api::{At, Error, Violations};

/// A page that exists or might: `offset` rows before it, at most `size` rows in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// From 1.
    pub number: i32,
    /// 1 to 1000.
    pub size: i32,
}

impl Page {
    /// `page` from 1, default 1; `page_size` 1 to 1000, default 100.
    ///
    /// # Errors
    /// What is out of these ranges.
    pub fn new(page: Option<i32>, page_size: Option<i32>) -> Result<Self, Error> {
        let mut violations = Violations::default();
        let page = Self::check(page, page_size, &mut violations);
        violations.finish()?;
        Ok(page)
    }

    /// The same where the request has more that may be wrong.
    pub fn check(page: Option<i32>, page_size: Option<i32>, violations: &mut Violations) -> Self {
        let (number, size) = (page.unwrap_or(1), page_size.unwrap_or(100));
        if number < 1 {
            violations.invalid(&At::field("page"), "must be at least 1");
        }
        if !(1..=1000).contains(&size) {
            violations.invalid(&At::field("page_size"), "must be 1 to 1000");
        }
        Self { number, size }
    }

    /// Rows before the page.
    #[must_use]
    pub fn offset(self) -> i64 {
        i64::from(self.number - 1) * i64::from(self.size)
    }

    /// Rows in it at most.
    #[must_use]
    pub fn limit(self) -> i64 {
        i64::from(self.size)
    }
}
