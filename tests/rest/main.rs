//! The REST contract, section by section, against services that only record what reaches them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test fails by panicking, and talks to whoever reads its output"
)]

mod auth;
mod errors;
mod events;
mod guide;
mod headers;
mod json;
mod support;
