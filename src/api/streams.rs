//! Limits how many streams a client has open on this node.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::counter;

use crate::api::Error;
use crate::api::auth::{Caller, CallerKind};

/// The name of the limit, which is that of its setting.
const NAME: &str = "max_streams_per_client";

/// When a client should try again whose streams are all open.
const RETRY: Duration = Duration::from_secs(5);

/// Counts the open streams of all clients. A clone shares the counts.
#[derive(Clone)]
pub struct Streams {
    most: usize,
    write_timeout: Duration,
    open: Arc<Mutex<HashMap<Holder, usize>>>,
}

/// Whose streams are counted together: a client's, or those of one admin key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Client(i64),
    AdminKey(String),
}

/// The permission to have a stream open, which ends when it is dropped.
pub struct StreamPermit {
    open: Arc<Mutex<HashMap<Holder, usize>>>,
    holder: Holder,
}

impl Streams {
    /// Lets each client have `most` streams open, each of which may be left unread for `write_timeout`.
    #[must_use]
    pub fn new(most: usize, write_timeout: Duration) -> Self {
        Self { most, write_timeout, open: Arc::default() }
    }

    /// Admits a new stream of the caller.
    ///
    /// # Errors
    /// Returns [`Error::ResourceExhausted`] if the caller has as many streams open as a client may have.
    pub fn admit(&self, caller: &Caller) -> Result<StreamPermit, Error> {
        let holder = match caller.kind {
            CallerKind::Client { client_id } => Holder::Client(client_id),
            CallerKind::Admin => Holder::AdminKey(caller.key_id.clone()),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(holder.clone()).or_default();
        if *count >= self.most {
            counter!("trunkline_streams_refused_total").increment(1);
            return Err(Error::ResourceExhausted { limit: NAME, retry_after: RETRY });
        }
        *count += 1;
        drop(open);
        Ok(StreamPermit { open: Arc::clone(&self.open), holder })
    }

    /// Returns how long a client may leave a stream unread.
    #[must_use]
    pub const fn write_timeout(&self) -> Duration {
        self.write_timeout
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(self.holder.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(kind: CallerKind, key_id: &str) -> Caller {
        Caller { kind, key_id: key_id.to_owned(), name: None }
    }

    #[test]
    fn each_client_and_each_admin_key_has_streams_of_its_own() {
        let streams = Streams::new(2, Duration::from_secs(60));
        let (one, other) = (CallerKind::Client { client_id: 1 }, CallerKind::Client { client_id: 2 });
        let open = [streams.admit(&caller(one, "a")), streams.admit(&caller(one, "b"))];
        let Err(Error::ResourceExhausted { limit, .. }) = streams.admit(&caller(one, "c")) else {
            panic!("a third stream was admitted");
        };
        assert_eq!(limit, "max_streams_per_client");
        assert!(streams.admit(&caller(other, "d")).is_ok() && streams.admit(&caller(CallerKind::Admin, "e")).is_ok());
        drop(open);
        assert!(streams.admit(&caller(one, "c")).is_ok());
        assert!(streams.open.lock().unwrap().is_empty(), "nothing is kept of streams that have ended");
    }
}
