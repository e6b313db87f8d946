//! Live progress: the event log is tailed into memory for all watchers, and read from the store by those that have
//! fallen behind.

pub mod catch_up;
mod hub;
pub mod listen;
pub mod wake;

pub use hub::{Hub, Subscription, Watchers};
