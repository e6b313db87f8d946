//! The real parts that tests run against: Asterisk, sipp, PostgreSQL, nginx and the `trunkline` binary itself.
//!
//! A test binary includes it with `#[path = "../support/mod.rs"] mod support;`. Everything here is synchronous, so that
//! it works in `#[test]` and `#[tokio::test]`, listens on loopback only, and ends when its handle is dropped or when
//! the test process ends in any way (see [`process`]).
#![allow(dead_code, reason = "each test binary uses its own part of the support")]

pub mod ami;
pub mod api;
pub mod asterisk;
pub mod dial_corpus;
pub mod nginx;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod server;
pub mod sipp;
pub mod skip;
pub mod wait;
pub mod wire;
pub mod witness;
