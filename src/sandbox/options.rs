//! How a sandbox is configured.

use std::net::SocketAddr;

use secrecy::SecretString;

/// Where a sandbox listens, who may log in, and how fast its calls pass.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address that it listens at; port 0 takes a free port.
    pub listen: SocketAddr,
    /// The manager user that may log in.
    pub username: String,
    /// The manager user's secret.
    pub secret: SecretString,
    /// The seed of the random numbers that decide how long calls ring and talk.
    pub seed: u64,
    /// How much faster than real calls: 1 rings for seconds, 100 for hundredths. Timeouts pass as much faster.
    pub speed: f64,
}
