//! How long the phones ring and talk, drawn from a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::call::Call;
use super::outcome::Outcome;
use super::script::Pause;

/// Draws times. The same seed with the same calls in the same order draws the same times.
pub struct Timing {
    random: StdRng,
    /// How many times faster than real calls everything happens.
    pub speed: f64,
}

impl Timing {
    pub fn new(seed: u64, speed: f64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), speed }
    }

    /// Returns how long a pause of this call lasts, or `None` if it does not end.
    pub fn pause(&mut self, pause: Pause, call: &Call) -> Option<Duration> {
        let seconds = match pause {
            Pause::Setup if call.dialed.is_prompt() => 0.0,
            Pause::Setup => self.random.random_range(0.1..0.5),
            Pause::Ring => self.random.random_range(1.0..4.0),
            Pause::LongRing => 25.0,
            Pause::Moment => 0.2,
            Pause::Talk => self.talk(call),
            Pause::Forever => return None,
        };
        Some(self.scaled(seconds))
    }

    /// Converts seconds of the phone's time to our time.
    pub fn scaled(&self, seconds: f64) -> Duration {
        Duration::try_from_secs_f64(seconds / self.speed).unwrap_or(Duration::MAX)
    }

    /// Draws how long a call lasts, in seconds. The far end hangs up after a random time, the near end when its
    /// application ends.
    fn talk(&mut self, call: &Call) -> f64 {
        let far: f64 = self.random.random_range(3.0..20.0);
        let near = match call.asked.application.to_ascii_lowercase().as_str() {
            "wait" => call.asked.data.trim().parse().ok().filter(|seconds: &f64| *seconds >= 0.0),
            "noop" | "hangup" | "verbose" | "log" => Some(0.0),
            _ => None,
        };
        match near {
            Some(near) if call.dialed.outcome == Outcome::Talk => near,
            Some(near) => far.min(near),
            None => far,
        }
    }
}
