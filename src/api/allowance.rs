//! How fast the large bodies of one client are read, after decompression.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How many bytes of large bodies are read each second. A client that inserts a hundred thousand calls a second sends
/// less.
const BYTES_PER_SECOND: u32 = 32 * 1024 * 1024;

/// What a client saves while it sends nothing, as the time that it takes to read it.
const SAVED: Duration = Duration::from_secs(1);

/// The bytes that a client may still send. All of its requests spend from the same.
#[derive(Debug)]
pub struct Allowance {
    /// Up to when everything that was read is paid for.
    paid_until: Mutex<Instant>,
}

impl Default for Allowance {
    /// Returns an allowance of which nothing was spent.
    fn default() -> Self {
        Self { paid_until: Mutex::new(Instant::now() - SAVED) }
    }
}

impl Allowance {
    /// Spends so many bytes, and waits while more was spent than there is.
    pub async fn spend(&self, bytes: usize) {
        let takes = Duration::from_secs(1)
            .mul_f64(f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / f64::from(BYTES_PER_SECOND));
        let free_at = {
            let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
            *paid_until = (*paid_until).max(Instant::now() - SAVED) + takes;
            *paid_until
        };
        sleep_until(free_at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_saved_is_read_at_once_and_the_rest_in_its_time() {
        tokio::time::advance(Duration::from_secs(10)).await;
        let (allowance, began) = (Allowance::default(), Instant::now());
        for _ in 0..4 {
            allowance.spend(8 * 1024 * 1024).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        allowance.spend(16 * 1024 * 1024).await;
        assert!((500..=502).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
        tokio::time::advance(Duration::from_secs(60)).await;
        let began = Instant::now();
        allowance.spend(64 * 1024 * 1024).await;
        assert!((1000..=1002).contains(&began.elapsed().as_millis()), "no more than a second is saved");
    }
}
