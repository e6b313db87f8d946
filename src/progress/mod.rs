//! Live progress: the event log, tailed into memory for everybody who watches, and read from the store by whoever has
//! fallen behind.

pub mod hub;
pub mod listen;
pub mod wake;

pub use hub::{Hub, Subscription, Watchers};
