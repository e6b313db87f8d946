//! The command line: one file a command.

mod audit;
mod bench;
mod call;
mod check;
mod client_ref;
mod clients;
mod completions;
mod export;
mod fault;
mod first_start;
mod grants;
mod import;
mod keys;
mod kill_switch;
mod migrate;
mod nodes;
mod output;
mod paging;
mod policies;
mod ports;
mod queues;
mod quick;
mod reload;
mod remote;
mod sandbox;
mod serve;
mod serve_sandbox;
mod servers;
mod signals;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand};

/// A centralized calling system: durable queues of phone calls, placed on many Asterisk servers.
#[derive(Parser)]
#[command(name = "trunkline", version, propagate_version = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What `--help` says at its end.
const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 the command line, the configuration or a given file is wrong; 3 the server refused; \
4 the server cannot be reached, or cannot serve now";

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT
    Serve(serve::Args),
    /// Apply the database migrations and exit
    Migrate(migrate::Args),
    /// Run an Asterisk Manager server that rings nobody
    Sandbox(sandbox::Args),
    /// Check the configuration, the store and the login to every Asterisk server
    Check(check::Args),
    /// Who may hand in calls
    Clients(clients::Args),
    /// The keys that clients come with
    Keys(keys::Args),
    /// The Asterisk servers that calls are placed on
    Servers(servers::Args),
    /// Which client may dial through which server, and how much
    Grants(grants::Args),
    /// What clients may dial
    Policies(policies::Args),
    /// The processes that share the store
    Nodes(nodes::Args),
    /// Who changed what
    Audit(audit::Args),
    /// Stop all new calls, everywhere, at once
    KillSwitch(kill_switch::Args),
    /// A client's queues
    Queues(queues::Args),
    /// A single call
    Call(call::Args),
    /// Place one call, ahead of all batches
    Quick(quick::Args),
    /// Send the calls of a CSV file, resumable at any point
    Import(import::Args),
    /// Write the outcome of every call of a queue
    Export(export::Args),
    /// Watch calls, live
    Watch(watch::Args),
    /// Print what a shell needs to complete these commands
    Completions(completions::Args),
    /// Measure, for docs/benchmarks.md
    #[command(subcommand)]
    Bench(bench::Bench),
}

/// All commands with their flags, for completions and for whoever documents them.
#[must_use]
pub fn commands() -> clap::Command {
    Cli::command()
}

/// How long threads that block may go on when all is done: a forced end waits for no disk.
const LINGER: Duration = Duration::from_millis(100);

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fault::report(&error.into()),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Serve(args) => serve::run(args).await,
            Command::Migrate(args) => migrate::run(args).await,
            Command::Sandbox(args) => sandbox::run(args).await,
            Command::Check(args) => check::run(args).await,
            Command::Clients(args) => clients::run(args).await,
            Command::Keys(args) => keys::run(args).await,
            Command::Servers(args) => servers::run(args).await,
            Command::Grants(args) => grants::run(args).await,
            Command::Policies(args) => policies::run(args).await,
            Command::Nodes(args) => nodes::run(args).await,
            Command::Audit(args) => audit::run(args).await,
            Command::KillSwitch(args) => kill_switch::run(args).await,
            Command::Queues(args) => queues::run(args).await,
            Command::Call(args) => call::run(args).await,
            Command::Quick(args) => quick::run(args).await,
            Command::Import(args) => import::run(args).await,
            Command::Export(args) => export::run(args).await,
            Command::Watch(args) => watch::run(args).await,
            Command::Completions(args) => completions::run(&args, commands()),
            Command::Bench(bench) => bench::run(bench).await,
        }
    });
    runtime.shutdown_timeout(LINGER);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fault::report(&error),
    }
}
