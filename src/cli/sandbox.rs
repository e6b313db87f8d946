//! `trunkline sandbox`: runs the sandbox's Asterisk Manager server alone, as a target for tests and load.

use std::net::SocketAddr;

use anyhow::bail;
use tokio_util::sync::CancellationToken;

use super::signals::asked_to_stop;
use crate::sandbox::{Options, Sandbox};

/// The flags of `sandbox`.
#[derive(clap::Args)]
pub struct Args {
    /// The address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5038")]
    listen: SocketAddr,
    /// The name of the manager user
    #[arg(long, default_value = "dialer")]
    username: String,
    /// The secret of the manager user
    #[arg(long, default_value = "dialer-secret")]
    secret: String,
    /// The seed for the random lengths of ringing and talking
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many times faster than real calls its calls are
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    speed: f64,
}

/// Parses a speed, which is a finite number above 0.
///
/// # Errors
/// Returns a text for the user if it is none.
pub fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("must be a number above 0".to_owned()),
    }
}

#[expect(clippy::print_stdout, reason = "the address is this command's output")]
/// Runs a sandbox until SIGTERM or SIGINT.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let options = Options {
        listen: args.listen,
        username: args.username,
        secret: args.secret.into(),
        seed: args.seed,
        speed: args.speed,
    };
    let sandbox = Sandbox::new(options).await?;
    println!("sandbox listening on {}", sandbox.handle().address);
    tokio::select! {
        stopped = asked_to_stop() => stopped,
        () = sandbox.run(CancellationToken::new()) => bail!("the sandbox ended without having been asked to stop"),
    }
}
