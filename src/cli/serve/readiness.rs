//! Checks whether the server is ready: the store can be reached, every migration is applied, and it is not stopping.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::readiness::Readiness;
use crate::store::{Db, migrate};

/// How long a result is used. Anyone may ask, without a key, and must not keep the store busy by asking often.
const USED_FOR: Duration = Duration::from_millis(250);

/// What anyone is told about a store that cannot be used. The log says why.
const STORE_AWAY: &str = "the store cannot be reached";

/// The last result, and when it was found.
type Last = Option<(Instant, Result<(), String>)>;

/// Returns the check of the server. Once `stop` is cancelled, the server is not ready any more.
pub fn readiness(db: Db, stop: CancellationToken) -> Readiness {
    let last = Arc::new(Mutex::new(Last::None));
    Arc::new(move || {
        let (db, stop, last) = (db.clone(), stop.clone(), Arc::clone(&last));
        async move {
            if stop.is_cancelled() {
                return Err("draining".to_owned());
            }
            // A task of its own, so that the query is finished even if the caller disconnects.
            let checked = tokio::spawn(async move { check(&db, &mut *last.lock().await).await }).await;
            checked.unwrap_or_else(|error| {
                warn!(%error, "cannot check whether the server is ready");
                Err(STORE_AWAY.to_owned())
            })
        }
        .boxed()
    })
}

/// Checks the store, unless that was done a moment ago. Those who ask at the same time share one check.
async fn check(db: &Db, last: &mut Last) -> Result<(), String> {
    if let Some((at, result)) = last
        && at.elapsed() < USED_FOR
    {
        return result.clone();
    }
    let was_ready = last.as_ref().is_none_or(|(_, result)| result.is_ok());
    let result = match migrate::is_ready(db).await {
        Ok(true) => Ok(()),
        Ok(false) => Err("migrations are missing".to_owned()),
        Err(error) => {
            if was_ready {
                warn!(%error, "the server is not ready, because the store cannot be used");
            }
            Err(STORE_AWAY.to_owned())
        }
    };
    if result.is_ok() && !was_ready {
        info!("the server is ready again");
    }
    *last = Some((Instant::now(), result.clone()));
    result
}
