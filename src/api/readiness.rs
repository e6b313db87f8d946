//! Whether the server is ready to serve.

use std::sync::Arc;

use futures_util::future::BoxFuture;

/// Checks whether the server can serve. An error says why it cannot; it is what `/readyz` answers.
pub type Readiness = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;
