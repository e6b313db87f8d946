//! The dialer: it places the calls, with one lane for each Asterisk server.
//!
//! A [`lane`] never waits for the store. It is one task that holds all its state, and the tasks beside it do the
//! waiting: the [`feeder`] reads due calls (a [`feed`]), the [`journal`] commits what happens in groups, and the
//! [`lease`] keeps the lane's lease. [`requests`] holds what the lane asks of Asterisk besides originating, and
//! [`claim`] makes an attempt of a waiting call. The [`tracker`] decides what follows from an AMI message.
//!
//! [`dispatch`] decides which calls begin now: the [`scheduler`] says whose turn it is, and the [`limiters`] whether a
//! limit is reached, with one [`limiter::Limiter`] for each limit. [`clients`] holds the limiters that lanes share. The
//! feeder checks what it reads against the present [`rules`] ([`check`]), so that the lane receives only calls that are
//! [`ready`].

mod brakes;
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
mod reservation;
pub mod resume;
pub mod rules;
pub mod scheduler;
pub mod service;
pub mod tracker;
pub mod wire;

pub use service::{Dialer, Options};
