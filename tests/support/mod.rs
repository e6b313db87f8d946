//! The real parts that tests run against: Asterisk, sipp, PostgreSQL and the `trunkline` binary itself.
//!
//! A test binary takes it in with `#[path = "../support/mod.rs"] mod support;`. Everything here is synchronous, so that it
//! serves `#[test]` and `#[tokio::test]` alike, listens on loopback only, and is gone when its handle is dropped or when
//! the test process dies, however it dies (see [`process`]).
#![allow(dead_code, reason = "each test binary uses its own part of the support")]

pub mod ami;
pub mod api;
pub mod asterisk;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod server;
pub mod sipp;
pub mod skip;
pub mod wait;
pub mod witness;
