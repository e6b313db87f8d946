//! Places the calls: one lane per Asterisk server.
//!
//! A [`lane`] never waits for the store. It is one task that holds all its state, with three beside it that do:
//! the [`feeder`] reads what is due (a [`feed`]), the [`journal`] commits what happens in groups, and the [`lease`] holds the lease.
//! What it asks Asterisk besides originating is in [`requests`], what makes a waiting call an attempt in [`claim`].
//! What follows from an AMI message is decided in the [`tracker`].
//!
//! Which calls begin now is decided in [`dispatch`]: whose turn it is by the [`scheduler`], and whether anything stands
//! in the way by the [`limiters`], one [`limiter::Limiter`] for each limit; [`clients`] holds those that lanes share. What the
//! feeder reads it holds against the [`rules`] of now ([`check`]), so that the lane gets only calls that are [`ready`].

pub mod check;
pub mod claim;
pub mod clients;
pub mod dispatch;
pub mod feed;
pub mod feeder;
#[cfg(test)]
mod fixtures;
pub mod journal;
pub mod lane;
pub mod lease;
pub mod limiter;
pub mod limiters;
pub mod metrics;
pub mod permits;
pub mod ready;
pub mod requests;
pub mod resume;
pub mod rules;
pub mod scheduler;
pub mod service;
pub mod tracker;
pub mod wire;

pub use service::{Dialer, Options};
