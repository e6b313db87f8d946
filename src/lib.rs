//! Trunkline: a centralized calling system. `docs/architecture.md` explains how it is built.

#![forbid(unsafe_code)]

pub mod ami;
pub mod api;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod dialer;
pub mod domain;
#[doc(hidden)]
pub mod fuzzing;
pub mod pb;
pub mod progress;
pub mod sandbox;
pub mod statistics;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod webhooks;
