//! The state that the services share.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::errors::no_queue;
use crate::api::auth::KeyKind;
use crate::api::streams::Streams;
use crate::api::validate::Rules;
use crate::api::{Error, Reason};
use crate::progress::Hub;
use crate::store::clients::{self, Client};
use crate::store::queues;
use crate::store::secrets::Sealer;
use crate::store::settings::{self, PlatformPolicy};
use crate::store::{Conn, Db};
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
    /// Reads the rules that the requests of a client, or for it, are checked against. Nothing is dialed for a disabled
    /// client, and an administrator cannot insert anything for it either.
    pub(super) async fn rules(&self, conn: &mut Conn, client_id: i64) -> Result<Rules, Error> {
        let client = self.client(conn, client_id).await?;
        if client.disabled {
            let message = format!("client {client_id} is disabled");
            return Err(Error::FailedPrecondition { reason: Reason::ClientDisabled, message });
        }
        let servers = clients::granted_servers(conn, client_id).await?;
        let (platform, _) = settings::get::<PlatformPolicy>(conn).await?;
        Rules::new(client, servers, &platform)
    }

    /// Checks that the client and the queues exist to which a search or a stream is limited; None stands for all clients.
    pub(super) async fn check_scope(
        &self,
        conn: &mut Conn,
        client_id: Option<i64>,
        queue_ids: &[i64],
    ) -> Result<(), Error> {
        if let Some(client_id) = client_id {
            self.client(conn, client_id).await?;
        }
        for &queue_id in queue_ids {
            queues::get(conn, client_id, queue_id).await?.ok_or_else(|| no_queue(queue_id))?;
        }
        Ok(())
    }

    /// Reads a client, which an administrator may have named.
    pub(super) async fn client(&self, conn: &mut Conn, client_id: i64) -> Result<Client, Error> {
        clients::get(conn, client_id).await?.ok_or_else(|| Error::NotFound(format!("client {client_id}")))
    }
}
