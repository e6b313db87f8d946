//! Which page of a list.

/// The flags.
#[derive(Clone, Copy, clap::Args)]
pub struct Paging {
    /// Which page, from 1
    #[arg(long, value_name = "N")]
    pub page: Option<i32>,
    /// How many a page, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N")]
    pub page_size: Option<i32>,
}
