//! Draws the faults of a run and their order from a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::proxy::Way;

/// A fault that the test causes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The server is killed with SIGKILL and restarted.
    KillServer,
    /// The server is stopped with SIGTERM and restarted.
    StopServer,
    /// The connection to Asterisk is cut after this many more bytes.
    Cut { way: Way, after: usize },
    /// The connection passes on nothing until both ends give it up.
    HalfOpen(Duration),
    /// Everything is passed on late, for a while.
    Delay { by: Duration, lasting: Duration },
    /// Asterisk is killed as by a power cut and restarted after a while.
    KillAsterisk { away: Duration },
    /// The store's disk is full for a while, in which the server may be killed.
    FillDisk { lasting: Duration, kill: bool },
    /// The wall clock of the server jumps.
    JumpClock { seconds: i64 },
    /// The database is killed and restarted after a while, in which the server may be killed.
    KillDatabase { away: Duration, kill: bool },
}

impl Fault {
    /// Returns true if the fault kills the server.
    pub fn kills(self) -> bool {
        matches!(self, Self::KillServer | Self::FillDisk { kill: true, .. } | Self::KillDatabase { kill: true, .. })
    }
}

/// Which parts a run can break.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// True if the store is on its own disk, which can be filled.
    pub disk: bool,
    /// True if the store is a database that can be killed.
    pub database: bool,
    /// True if the server's clock can be set.
    pub clock: bool,
}

/// A fault and the pause before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub after: Duration,
    pub fault: Fault,
}

/// Draws steps up to the `kills`th kill of the server. Equal seeds draw equal plans.
pub fn draw(seed: u64, kills: usize, means: Means) -> Vec<Step> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut steps = Vec::new();
    let mut killed = 0;
    while killed < kills {
        let step = Step { after: millis(random.random_range(100..1500)), fault: fault(&mut random, means) };
        killed += usize::from(step.fault.kills());
        steps.push(step);
    }
    steps
}

fn fault(random: &mut StdRng, means: Means) -> Fault {
    loop {
        let kill = random.random_bool(0.5);
        let lasting = millis(random.random_range(200..2500));
        return match random.random_range(0..20) {
            0..10 => Fault::KillServer,
            10 => Fault::StopServer,
            11 | 12 => {
                let way = if kill { Way::Out } else { Way::In };
                Fault::Cut { way, after: random.random_range(0..3000) }
            }
            13 => Fault::HalfOpen(lasting),
            14 => Fault::Delay { by: millis(random.random_range(50..2000)), lasting },
            15 => Fault::KillAsterisk { away: lasting },
            16 | 17 if means.disk => Fault::FillDisk { lasting, kill },
            16 | 17 if means.database => Fault::KillDatabase { away: lasting, kill },
            18 if means.clock => {
                // The clock never goes back far: calls that became due by the earlier time would wait for it again.
                let seconds = if kill { random.random_range(1..4000) } else { -random.random_range(1..4) };
                Fault::JumpClock { seconds }
            }
            _ => continue,
        };
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Means = Means { disk: true, database: false, clock: true };

    #[test]
    fn equal_seeds_draw_equal_plans() {
        assert_eq!(draw(7, 20, ALL), draw(7, 20, ALL));
        assert_ne!(draw(7, 20, ALL), draw(8, 20, ALL));
    }

    #[test]
    fn a_plan_has_as_many_kills_as_were_asked_for() {
        for seed in 0..20 {
            assert_eq!(draw(seed, 10, ALL).iter().filter(|step| step.fault.kills()).count(), 10);
        }
    }

    #[test]
    fn what_a_run_cannot_break_is_left_alone() {
        let none = Means { disk: false, database: false, clock: false };
        let touches = |fault: Fault| {
            matches!(fault, Fault::FillDisk { .. } | Fault::KillDatabase { .. } | Fault::JumpClock { .. })
        };
        assert!(!draw(1, 100, none).iter().any(|step| touches(step.fault)));
        assert!(draw(1, 100, ALL).iter().any(|step| touches(step.fault)));
    }
}
