//! The streams that are open, by the key that they were opened with, so that they end when the key does.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::api::auth::standing::Ended;
use crate::api::auth::store::KeyName;

/// The keys of the streams that are open. Each stream holds a [`KeyEnd`].
#[derive(Default)]
pub struct OpenStreams(Mutex<HashMap<KeyName, watch::Sender<Option<Ended>>>>);

/// Tells a stream that its key is no longer valid.
pub struct KeyEnd(watch::Receiver<Option<Ended>>);

impl OpenStreams {
    /// Adds a stream, which is open until the result is dropped.
    pub fn open(&self, key: &KeyName) -> KeyEnd {
        let mut keys = self.keys();
        KeyEnd(keys.entry(key.clone()).or_insert_with(|| watch::channel(None).0).subscribe())
    }

    /// Returns the keys of the streams that are open, and forgets those whose last stream was closed.
    pub fn in_use(&self) -> Vec<KeyName> {
        let mut keys = self.keys();
        keys.retain(|_, streams| streams.receiver_count() > 0);
        keys.keys().cloned().collect()
    }

    /// Ends all streams of a key.
    pub fn end(&self, key: &KeyName, why: Ended) {
        if let Entry::Occupied(streams) = self.keys().entry(key.clone()) {
            streams.remove().send_replace(Some(why));
        }
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<KeyName, watch::Sender<Option<Ended>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyEnd {
    /// Waits until the key is no longer valid, and returns why.
    pub async fn ended(mut self) -> Ended {
        loop {
            if let Some(why) = *self.0.borrow_and_update() {
                return why;
            }
            if self.0.changed().await.is_err() {
                // The server is gone, and with it whoever would end the key.
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn key(key_id: &str) -> KeyName {
        KeyName { is_admin: false, key_id: key_id.to_owned() }
    }

    #[test]
    fn all_streams_of_a_key_end_and_no_others() {
        let streams = OpenStreams::default();
        let (one, two, other) = (streams.open(&key("a")), streams.open(&key("a")), streams.open(&key("b")));
        streams.end(&key("a"), Ended::Revoked);
        assert_eq!(one.ended().now_or_never(), Some(Ended::Revoked));
        assert_eq!(two.ended().now_or_never(), Some(Ended::Revoked));
        assert_eq!(other.ended().now_or_never(), None);
    }

    #[test]
    fn a_key_without_streams_is_forgotten() {
        let streams = OpenStreams::default();
        let open = streams.open(&key("a"));
        assert_eq!(streams.in_use(), [key("a")]);
        drop(open);
        assert_eq!(streams.in_use(), []);
        streams.end(&key("a"), Ended::Expired);
        assert_eq!(streams.open(&key("a")).ended().now_or_never(), None, "an earlier end is no end of a new stream");
    }
}
