//! Tests the REST contract, section by section, with services that only keep the requests that reach them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test fails by panicking, and prints for the people who read its output"
)]

mod access;
mod auth;
mod errors;
mod events;
mod guide;
mod headers;
mod json;
mod keys;
mod requests;
mod stored_keys;
mod support;
