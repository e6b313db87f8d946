//! Which faults come, in which order: drawn from a seed.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::proxy::Way;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// `kill -9` of the server, and a restart.
    KillServer,
    /// SIGTERM, and a restart.
    StopServer,
    /// The connection to Asterisk is cut after so many more bytes.
    Cut { way: Way, after: usize },
    /// It swallows everything until both ends give it up.
    HalfOpen(Duration),
    /// Everything takes so much longer, for a while.
    Delay { by: Duration, lasting: Duration },
    /// Asterisk dies as in a power cut, and stays away for a while.
    KillAsterisk { away: Duration },
    /// The disk of the book is full for a while; the server may be killed meanwhile.
    FillDisk { lasting: Duration, kill: bool },
    /// The wall clock of the server jumps.
    JumpClock { seconds: i64 },
    /// The database dies and stays away for a while; the server may be killed meanwhile.
    KillDatabase { away: Duration, kill: bool },
}

impl Fault {
    /// The server is killed in it.
    pub fn kills(self) -> bool {
        matches!(self, Self::KillServer | Self::FillDisk { kill: true, .. } | Self::KillDatabase { kill: true, .. })
    }
}

/// What a run can break.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// The book is on a disk of its own that can be filled.
    pub disk: bool,
    /// The book is in a database that can be killed.
    pub database: bool,
    /// The server's clock can be set.
    pub clock: bool,
}

/// A fault, and how long the world is left alone before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub after: Duration,
    pub fault: Fault,
}

/// Steps up to the `kills`th kill of the server. Equal seeds draw equal plans.
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
                // Never far back: a call is not dialed before it is due, and it was due by the clock of its time.
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
