//! `trunkline bench`: load against a server, for `docs/benchmarks.md`.

mod cpu;
mod dial;
mod flooder;
mod served;

/// What to measure.
#[derive(clap::Subcommand)]
pub enum Bench {
    /// The durable dial rate on an Asterisk, beside a flooder that keeps no book
    Dial(dial::Args),
}

pub async fn run(bench: Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Dial(args) => dial::run(args).await,
    }
}
