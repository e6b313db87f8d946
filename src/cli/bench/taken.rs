//! What a run of a bench took.

use std::time::Duration;

/// How many calls one run dialed, and how long it took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The calls that were dialed.
    pub calls: u32,
    /// The time from the first to the last of them.
    pub time: Duration,
    /// The processor time of the process that dialed.
    pub cpu: Duration,
}

impl Taken {
    /// Returns the calls that ended a second.
    pub fn per_second(self) -> f64 {
        f64::from(self.calls) / self.time.as_secs_f64()
    }

    /// Returns the milliseconds of processor time that each call took.
    pub fn cpu_ms_per_call(self) -> f64 {
        self.cpu.as_secs_f64() * 1000.0 / f64::from(self.calls)
    }
}
