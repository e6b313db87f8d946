//! The flags of `trunkline bench dial`.

use std::path::PathBuf;

/// The flags of `trunkline bench dial`.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// Where the Asterisk Manager listens
    #[arg(long, value_name = "HOST:PORT")]
    pub ami: String,
    /// The manager user
    #[arg(long, default_value = "dialer")]
    pub username: String,
    /// Its secret
    #[arg(long, env = "TRUNKLINE_BENCH_SECRET", hide_env_values = true)]
    pub secret: String,
    /// What every call dials
    #[arg(long, default_value = "Local/100@fast/n")]
    pub channel: String,
    /// What runs when it answers
    #[arg(long, default_value = "NoOp")]
    pub application: String,
    /// The application's arguments
    #[arg(long, default_value = "")]
    pub data: String,
    /// Calls that are live at once
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    pub in_flight: u16,
    /// Calls of each run
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    pub calls: u32,
    /// How often each of the two runs
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// Where the server keeps its book, on a real disk [default: the directory for temporary files]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
