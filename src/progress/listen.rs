//! Hears of commits that other nodes make.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::StreamExt;
use tokio::sync::Notify;
use tracing::debug;

use crate::store::postgres::EVENTS_CHANNEL;

/// Notifies `told` for every notification that PostgreSQL sends; for ever. What is lost while the connection is down,
/// the hub's slow poll finds.
pub async fn listen(url: &str, told: &Notify) {
    loop {
        if let Err(error) = hear(url, told).await {
            debug!(%error, "cannot listen for the commits of other nodes, and tries again");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn hear(url: &str, told: &Notify) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut conn = AsyncPgConnection::establish(url).await?;
    diesel::sql_query(format!("LISTEN {EVENTS_CHANNEL}")).execute(&mut conn).await?;
    let mut notifications = std::pin::pin!(conn.notifications_stream());
    while let Some(notification) = notifications.next().await {
        notification?;
        told.notify_one();
    }
    Ok(())
}

/// The same, where there are other nodes at all.
pub async fn listen_if_shared(url: Option<String>, told: Arc<Notify>) {
    match url {
        Some(url) => listen(&url, &told).await,
        None => std::future::pending().await,
    }
}
