//! Posts clients' events to URLs of theirs: each event at least once, in order, signed as Standard Webhooks says.
//!
//! [`Service`] takes the webhooks that no other node delivers and runs a [`sender`] for each; a sender reads the event
//! log from its own cursor and waits for its own receiver, so that a slow one holds up nothing else.
//! `docs/webhooks.md` is for those who receive.

pub mod post;
mod render;
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

/// What others need of webhooks: to try one, and to tell that they were changed.
#[derive(Clone)]
pub struct Handle {
    /// Posts.
    pub poster: Poster,
    /// Notified when a webhook was made or ended.
    pub changed: Arc<Notify>,
}
