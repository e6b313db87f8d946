//! Receives PostgreSQL's notifications of commits on other nodes.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::StreamExt;
use tokio::sync::Notify;
use tracing::debug;

use crate::store::postgres::EVENTS_CHANNEL;

/// Notifies `events` at every notification that PostgreSQL sends; never returns. Commits that it misses while the
/// connection is down are found by the hub's poll.
pub async fn listen(url: &str, events: &Notify) {
    loop {
        if let Err(error) = receive(url, events).await {
            debug!(%error, "cannot listen for the commits of other nodes; trying again");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn receive(url: &str, events: &Notify) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut conn = AsyncPgConnection::establish(url).await?;
    diesel::sql_query(format!("LISTEN {EVENTS_CHANNEL}")).execute(&mut conn).await?;
    let mut notifications = std::pin::pin!(conn.notifications_stream());
    while let Some(notification) = notifications.next().await {
        notification?;
        events.notify_one();
    }
    Ok(())
}

/// Calls [`listen`] if the store is shared with other nodes, else waits for ever.
pub async fn listen_if_shared(url: Option<String>, events: Arc<Notify>) {
    match url {
        Some(url) => listen(&url, &events).await,
        None => std::future::pending().await,
    }
}
