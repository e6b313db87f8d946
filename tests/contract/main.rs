//! Tests the contract, section by section, as a black box: the real binary with its sandbox, over REST and gRPC.
//!
//! `docs/contract-coverage.md` lists the tests of each sentence.
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

mod calls;
mod dial_corpus;
mod documents;
mod envelope;
mod field_rules;
mod headers;
mod legacy_forms;
mod limits;
mod paths;
mod queues;
mod sandbox;
