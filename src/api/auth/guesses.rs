//! Counts the wrong keys of each source, and makes a source that guesses wait longer and longer.

use std::time::Duration;

use moka::future::Cache;

use crate::domain::lockout::{FORGOTTEN_AFTER, Source, WrongKeys};
use crate::domain::time::Millis;

/// How many sources are counted at most; the memory of each is below 200 bytes.
const SOURCES: u64 = 100_000;

/// The sources that have sent wrong keys. A source that has sent none for an hour is forgotten.
pub struct Guesses(Cache<Source, WrongKeys>);

impl Default for Guesses {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(SOURCES).time_to_live(FORGOTTEN_AFTER).build())
    }
}

impl Guesses {
    /// Returns how long a source has to wait before another key of it is read, or None if it need not wait.
    pub async fn wait(&self, source: Source) -> Option<Duration> {
        self.0.get(&source).await?.wait(Millis::now())
    }

    /// Counts a wrong key, given by its SHA-256.
    pub async fn count(&self, source: Source, sha256: &[u8; 32]) {
        let [a, b, c, d, e, f, g, h, ..] = *sha256;
        let digest = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let counted = self.0.entry(source).and_upsert_with(|known| {
            let mut wrong = known.map(moka::Entry::into_value).unwrap_or_default();
            if let Some(delay) = wrong.count(digest, Millis::now()) {
                tracing::warn!(%source, seconds = delay.as_secs(), "a source sent too many wrong API keys and has to wait");
            }
            std::future::ready(wrong)
        });
        counted.await;
    }
}
