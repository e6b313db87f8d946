//! `trunkline sandbox`: an Asterisk Manager server by itself, as a target for tests and load.

use std::net::SocketAddr;

use tokio_util::sync::CancellationToken;

use crate::sandbox::{self, Options};

/// The flags.
#[derive(clap::Args)]
pub struct Args {
    /// Where to listen
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5038")]
    listen: SocketAddr,
    /// The manager user that may log in
    #[arg(long, default_value = "dialer")]
    username: String,
    /// Its secret
    #[arg(long, default_value = "dialer-secret")]
    secret: String,
    /// Seed of how long calls ring and talk
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How much faster than real calls
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
}

/// A speed that times can be divided by.
pub fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("must be a number above 0".to_owned()),
    }
}

#[expect(clippy::print_stdout, reason = "where it listens is what this command prints")]
pub async fn run(args: Args) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let options = Options {
        listen: args.listen,
        username: args.username,
        secret: args.secret.into(),
        seed: args.seed,
        speed: args.speed,
    };
    let handle = sandbox::start(options, stop.clone()).await?;
    println!("sandbox listening on {}", handle.address);
    super::signals::asked_to_stop().await?;
    stop.cancel();
    Ok(())
}
