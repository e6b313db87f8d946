//! Computes how long to wait before something that failed is tried again.

use std::time::Duration;

/// Returns the pause after the `failures`th failure in a row, counted from 1. It is `share`, 0 to 1, of a bound that
/// doubles with each failure from `first` up to `most`.
///
/// With a random share this is full jitter: tasks that failed at the same time do not try again at the same time.
#[must_use]
pub fn pause(failures: u32, first: Duration, most: Duration, share: f64) -> Duration {
    // 2^31 times the shortest sensible pause is longer than any sensible bound.
    let doublings = failures.saturating_sub(1).min(31);
    let bound = first.saturating_mul(1 << doublings).min(most);
    bound.mul_f64(share.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const MOST: Duration = Duration::from_secs(300);

    #[test]
    fn the_bound_doubles_up_to_the_longest_pause() {
        let bounds: Vec<u64> = (1..=11).map(|failures| pause(failures, FIRST, MOST, 1.0).as_secs()).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(pause(u32::MAX, FIRST, MOST, 1.0), MOST);
    }

    #[test]
    fn the_pause_is_the_given_share_of_the_bound() {
        assert_eq!(pause(3, FIRST, MOST, 0.5), Duration::from_secs(2));
        assert_eq!(pause(3, FIRST, MOST, 0.0), Duration::ZERO);
    }
}
