//! The flags of `trunkline bench dial`.

use std::path::PathBuf;

/// The flags of `trunkline bench dial`.
#[derive(Clone, clap::Args)]
pub struct Args {
    /// The address of the Asterisk Manager Interface
    #[arg(long, value_name = "HOST:PORT")]
    pub ami: String,
    /// The name of the manager user
    #[arg(long, default_value = "dialer")]
    pub username: String,
    /// The secret of the manager user
    #[arg(long, env = "TRUNKLINE_BENCH_SECRET", hide_env_values = true)]
    pub secret: String,
    /// The channel that every call dials
    #[arg(long, default_value = "Local/100@fast/n")]
    pub channel: String,
    /// The application that runs when a call is answered
    #[arg(long, default_value = "NoOp")]
    pub application: String,
    /// The arguments of the application
    #[arg(long, default_value = "")]
    pub data: String,
    /// How many calls are live at once
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    pub in_flight: u16,
    /// How many calls each run dials
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    pub calls: u32,
    /// How many times each of the two runs
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub rounds: u16,
    /// The directory for the server's database, on a real disk [default: the directory for temporary files]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
