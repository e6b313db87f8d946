//! The services, one thin file each: check, ask the store, answer. REST calls the very same methods.

mod admin;
mod calls;
mod clients;
mod convert;
mod explain;
mod insert;
mod key_store;
mod queues;
mod stream_items;
mod watch;

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use admin::Admin;
pub use calls::Calls;
pub use clients::Clients;
pub use convert::event_json;
pub use key_store::Keys;
pub use queues::Queues;

use crate::api::auth::KeyKind;
use crate::api::validate::Rules;
use crate::api::{Error, Reason};
use crate::progress::Hub;
use crate::store::secrets::{Sealer, SecretError};
use crate::store::settings::{self, PlatformPolicy};
use crate::store::{Conn, Db, StoreError, clients as store_clients};
use crate::webhooks::Handle;

/// When to ask again while the store is away.
const STORE_AWAY: std::time::Duration = std::time::Duration::from_secs(1);

/// What all services share.
#[derive(Clone)]
pub struct App {
    /// Where the book is.
    pub db: Db,
    /// What happens, live.
    pub hub: Arc<Hub>,
    /// Seals servers' secrets.
    pub sealer: Sealer,
    /// Notified when a server was added.
    pub servers_changed: Arc<Notify>,
    /// Tries webhooks, and tells that they were changed.
    pub webhooks: Handle,
    /// What kind of keys clients get.
    pub client_keys: KeyKind,
    /// Ends the streams, which would keep a stopping server from its end.
    pub stop: CancellationToken,
}

impl App {
    /// What a client's requests are held against.
    async fn rules(&self, conn: &mut Conn, client_id: i64) -> Result<Rules, Error> {
        let client = store_clients::get(conn, client_id).await?.ok_or(Error::Unauthenticated)?;
        let servers = store_clients::granted_servers(conn, client_id).await?;
        let (platform, _) = settings::get::<PlatformPolicy>(conn).await?;
        Rules::new(client, servers, &platform)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if error.is_unavailable() {
            tracing::warn!(%error, "the store cannot be reached");
            return Self::Unavailable { message: "the store cannot be reached".to_owned(), retry_after: STORE_AWAY };
        }
        Self::internal(error)
    }
}

impl From<SecretError> for Error {
    fn from(error: SecretError) -> Self {
        Self::internal(error)
    }
}

fn no_queue(id: i64) -> Error {
    Error::NotFound(format!("queue {id}"))
}

fn queue_completed(id: i64) -> Error {
    let message = format!("queue {id} was completed by its client");
    Error::FailedPrecondition { reason: Reason::QueueCompleted, message }
}

fn quick_queue(id: i64) -> Error {
    let message = format!("queue {id} is a quick call's own, and takes no other calls");
    Error::FailedPrecondition { reason: Reason::QueueKind, message }
}

/// How many there are in a list that is answered whole.
fn count<T>(list: &[T]) -> i64 {
    i64::try_from(list.len()).unwrap_or(i64::MAX)
}

/// Runs the work of a request to its end, also when the caller hangs up in between: what was begun in the store is
/// then done or not done, never left open.
async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<tonic::Response<T>, tonic::Status> {
    let done = tokio::spawn(work).await.map_err(|error| Error::internal(error.to_string())).flatten()?;
    Ok(tonic::Response::new(done))
}
