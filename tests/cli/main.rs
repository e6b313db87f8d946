//! Tests of the `trunkline` command as its users see it: the built binary, its output, its exit codes, its files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a test fails by panicking, and prints for the people who run it"
)]

#[path = "../support/mod.rs"]
mod support;

mod acting;
mod auditing;
mod catching_up;
mod certificate;
mod client_certificates;
mod command;
mod configuration;
mod connections;
mod data_files;
mod documented;
mod exit_codes;
mod exporting;
mod importing;
mod metrics;
mod secrets;
mod stopping;
mod supervision;
mod watching;
