//! The command line: one file a command.

mod first_start;
mod migrate;
mod sandbox;
mod serve;
mod serve_sandbox;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::ConfigError;

/// A centralized calling system: durable queues of phone calls, placed on many Asterisk servers.
#[derive(Parser)]
#[command(name = "trunkline", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT
    Serve(serve::Args),
    /// Apply the database migrations and exit
    Migrate(migrate::Args),
    /// Run an Asterisk Manager server that rings nobody
    Sandbox(sandbox::Args),
}

/// What a wrong configuration exits with; anything else that fails exits with 1.
const MISCONFIGURED: u8 = 2;

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::run(args).await,
            Command::Migrate(args) => migrate::run(args).await,
            Command::Sandbox(args) => sandbox::run(args).await,
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// One line that says what is wrong.
#[expect(clippy::print_stderr, reason = "the log may not have been started yet")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("trunkline: {error:#}");
    if error.is::<ConfigError>() { ExitCode::from(MISCONFIGURED) } else { ExitCode::FAILURE }
}

/// Waits for SIGTERM or SIGINT.
async fn asked_to_stop() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
