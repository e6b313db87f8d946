//! Tests the store with one conformance suite, which runs with SQLite and with a real PostgreSQL.
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

mod audit;
mod brakes;
mod call_operations;
mod compiled;
mod conformance;
mod dead_letters;
mod dialing;
mod engines;
mod governing;
mod keys;
mod lists;
mod live_calls;
mod numbers;
mod plans;
mod recordings;
mod retries;
mod rules;
mod search;
mod secrets;
mod spend;
mod store;
mod streams;
mod waiting;
mod webhooks;
