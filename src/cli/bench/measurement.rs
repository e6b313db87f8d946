//! The result of one run of a benchmark.

use std::time::Duration;

/// How many calls one run dialed, and how long it took.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// How many calls were dialed.
    pub calls: u32,
    /// The time from the first call to the end of the last.
    pub time: Duration,
    /// The processor time of the process that dialed.
    pub cpu: Duration,
}

impl Measurement {
    /// Returns how many calls ended a second.
    pub fn per_second(self) -> f64 {
        f64::from(self.calls) / self.time.as_secs_f64()
    }

    /// Returns the milliseconds of processor time that each call took.
    pub fn cpu_ms_per_call(self) -> f64 {
        self.cpu.as_secs_f64() * 1000.0 / f64::from(self.calls)
    }
}
