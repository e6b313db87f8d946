//! Chaos: the dialer, its book and its connections are broken over and over, by a seed, while calls come in; then three
//! witnesses (the client, the wire and the book) are held against what Trunkline promises.
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
