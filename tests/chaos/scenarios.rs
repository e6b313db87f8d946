//! The runs: short ones with every test run, and the long one with `bin/test chaos`.

use crate::run::{Run, Tally};
use crate::support::asterisk::Version;
use crate::target::Kind;
use crate::world::Engine;

/// Returns the seed. `TRUNKLINE_CHAOS_SEED` sets another one, and `TRUNKLINE_CHAOS_KILLS` the number of kills.
fn seed() -> u64 {
    std::env::var("TRUNKLINE_CHAOS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

async fn run(kind: Kind, engine: Engine, kills: usize) {
    let kills = std::env::var("TRUNKLINE_CHAOS_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(kills);
    if let Some(tally) = (Run { seed: seed(), kind, engine, kills }).go().await {
        println!("{tally:?}");
    }
}

#[tokio::test]
async fn nothing_is_lost_or_dialed_twice_on_the_sandbox() {
    run(Kind::Sandbox, Engine::Sqlite, 10).await;
}

#[tokio::test]
async fn nothing_is_lost_or_dialed_twice_with_postgresql() {
    run(Kind::Sandbox, Engine::Postgres, 5).await;
}

#[tokio::test]
async fn nothing_is_lost_or_dialed_twice_on_asterisk_22() {
    run(Kind::Asterisk(Version::V22), Engine::Sqlite, 4).await;
}

#[tokio::test]
async fn nothing_is_lost_or_dialed_twice_on_asterisk_16() {
    run(Kind::Asterisk(Version::V16), Engine::Sqlite, 4).await;
}

/// Makes `TRUNKLINE_CHAOS_SEEDS` runs of ten kills each, in turn on every kind of target and engine.
#[tokio::test]
#[ignore = "takes a quarter of an hour: bin/test chaos"]
async fn nothing_is_lost_or_dialed_twice_over_two_hundred_kills() {
    let seeds = std::env::var("TRUNKLINE_CHAOS_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20);
    let parts = [
        (Kind::Sandbox, Engine::Sqlite),
        (Kind::Asterisk(Version::V22), Engine::Sqlite),
        (Kind::Sandbox, Engine::Postgres),
        (Kind::Asterisk(Version::V16), Engine::Sqlite),
        (Kind::Asterisk(Version::V22), Engine::Postgres),
    ];
    let mut sum = Tally::default();
    for (seed, (kind, engine)) in (seed()..seed() + seeds).zip(parts.into_iter().cycle()) {
        let run = Run { seed, kind, engine, kills: 10 };
        let Some(tally) = run.go().await else { continue };
        println!("{run:?}: {tally:?}");
        sum.kills += tally.kills;
        sum.faults += tally.faults;
        sum.calls += tally.calls;
        sum.originates += tally.originates;
        sum.unknown += tally.unknown;
    }
    println!("{sum:?}, 0 violations");
}
