//! `trunkline bench`: measures a server under load, for `docs/benchmarks.md`.

mod args;
mod cpu;
mod dial;
mod flooder;
mod measurement;
mod served;

/// The benchmarks that can be run.
#[derive(clap::Subcommand)]
pub enum Bench {
    /// Measure how fast calls are dialed durably on an Asterisk, compared with a flooder that stores nothing
    Dial(args::Args),
}

/// Runs the benchmark that was chosen.
pub async fn run(bench: Bench) -> anyhow::Result<()> {
    match bench {
        Bench::Dial(args) => dial::run(args).await,
    }
}
