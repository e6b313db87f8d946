//! What the parsers promise for any input, as functions that panic if a promise is broken. The fuzz targets call them,
//! and so does `tests/fuzz`, which runs them in every test run on the kept corpora and on random inputs.

#![allow(clippy::expect_used, reason = "a broken promise is reported by a panic")]

mod ami;
mod applications;
mod asterisk;
mod csv;
mod cursors;
mod dial;
mod json;
mod keys;
mod numbers;
mod servers;

/// A fuzz target: its name, which is also that of its corpus, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Lists all fuzz targets, in the order of their names.
pub const TARGETS: [Target; 8] = [
    ("ami", ami::check),
    ("applications", applications::check),
    ("csv", csv::check),
    ("cursors", cursors::check),
    ("dial", dial::check),
    ("json", json::check),
    ("keys", keys::check),
    ("numbers", numbers::check),
];

/// Gives an input to the target of that name.
///
/// # Panics
/// Panics if there is no such target, or if it finds a broken promise.
pub fn run(target: &str, input: &[u8]) {
    let (_, check) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of that name");
    check(input);
}
