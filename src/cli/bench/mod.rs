//! `trunkline bench`: load against a server, for `docs/benchmarks.md`.

mod args;
mod cpu;
mod dial;
mod flooder;
mod served;
mod taken;

/// What to measure.
#[derive(clap::Subcommand)]
pub enum Bench {
    /// The durable dial rate on an Asterisk, beside a flooder that keeps no book
    Dial(args::Args),
}

pub async fn run(bench: Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Dial(args) => dial::run(args).await,
    }
}
