//! The chaos test: it breaks the dialer, its store and its connections again and again, by a seed, while calls are
//! inserted. Then it compares what three witnesses saw (the client, the wire and the store) with what Trunkline
//! promises.
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

mod checker;
mod client;
mod disk;
mod fifty_thousand;
mod forged;
mod found;
mod history;
mod observer;
mod originates;
mod plan;
mod reader;
mod run;
mod scenarios;
mod target;
mod world;
