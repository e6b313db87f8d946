//! Posts clients' events to their URLs: each event at least once, in order, and signed as Standard Webhooks specifies.
//!
//! [`Service`] leases the webhooks that no other node delivers and runs a [`sender`] for each. A sender reads the event
//! log from its own cursor and waits for its own receiver, so that a slow receiver delays no other. `docs/webhooks.md`
//! is for the authors of receivers.

pub mod post;
mod render;
mod retry;
pub mod route;
mod sender;
mod service;
pub mod sign;
pub mod target;

use std::sync::Arc;

use tokio::sync::Notify;

pub use post::{Answer, Poster};
pub use render::Render;
pub use service::{Options, Service};

/// The interface of the webhooks for the API: to test one, and to report that one was changed.
#[derive(Clone)]
pub struct Handle {
    /// Posts a test event.
    pub poster: Poster,
    /// Notify it when a webhook was made or ended.
    pub changed: Arc<Notify>,
}
