//! The state that the services share.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::api::Error;
use crate::api::auth::KeyKind;
use crate::api::streams::Streams;
use crate::api::validate::Rules;
use crate::progress::Hub;
use crate::store::secrets::Sealer;
use crate::store::settings::{self, PlatformPolicy};
use crate::store::{Conn, Db, clients};
use crate::webhooks::Handle;

/// The state that all services share: the store, the event hub, and the links to the rest of the process.
#[derive(Clone)]
pub struct App {
    /// The connection pools of the database.
    pub db: Db,
    /// Delivers events to those who watch calls.
    pub hub: Arc<Hub>,
    /// Encrypts the secrets of servers and webhooks.
    pub sealer: Sealer,
    /// Notified when servers or nodes were changed, so that the dialer of this node reads them at once.
    pub servers_changed: Arc<Notify>,
    /// Posts to webhooks that are tested, and is notified when webhooks were changed.
    pub webhooks: Handle,
    /// Limits the open streams of each client.
    pub streams: Streams,
    /// The kind of keys that clients get.
    pub client_keys: KeyKind,
    /// Ends the streams when the server stops; otherwise they would keep it from stopping.
    pub stop: CancellationToken,
}

impl App {
    /// Reads the rules that a client's requests are checked against.
    pub(super) async fn rules(&self, conn: &mut Conn, client_id: i64) -> Result<Rules, Error> {
        let client = clients::get(conn, client_id).await?.ok_or(Error::Unauthenticated)?;
        let servers = clients::granted_servers(conn, client_id).await?;
        let (platform, _) = settings::get::<PlatformPolicy>(conn).await?;
        Rules::new(client, servers, &platform)
    }
}
