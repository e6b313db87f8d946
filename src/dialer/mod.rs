//! Places the calls: one lane per Asterisk server.
//!
//! A [`lane`] never waits for the store. It is one task that holds all its state, with three beside it that do:
//! the [`feeder`] reads what is due, the [`journal`] commits what happens in groups, and the [`keeper`] holds the lease.
//! What it asks Asterisk besides originating is in [`ask`], what makes a waiting call an attempt in [`claim`].
//! What follows from an AMI message is decided in the [`tracker`], which call goes next in the [`scheduler`].

pub mod ask;
pub mod claim;
pub mod feeder;
pub mod journal;
pub mod keeper;
pub mod lane;
pub mod scheduler;
pub mod service;
pub mod tracker;
pub mod wire;

pub use service::{Dialer, Options};
