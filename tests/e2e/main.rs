//! End-to-end tests with the built binary, real Asterisks, sipp phones, PostgreSQL and nginx. They are one test binary,
//! which is linked once.
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

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod bad_input;
mod calls;
mod dialing;
mod key_swap;
mod link;
mod main_job;
mod memory;
mod proxied;
mod queues;
mod real_parts;
mod revocation;
mod sandboxed;
mod statistics;
mod watched_events;
mod watching;
mod webhooks;
