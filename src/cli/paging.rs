//! The flags that select a page of a list.

/// The page of a list, and its length.
#[derive(Clone, Copy, clap::Args)]
pub struct Paging {
    /// The page to list, from 1
    #[arg(long, value_name = "N")]
    pub page: Option<i32>,
    /// The length of a page, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N")]
    pub page_size: Option<i32>,
}
