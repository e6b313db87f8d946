//! The command line, with one file for each command.

mod audit;
mod bench;
mod call;
mod calls;
mod check;
mod client_ref;
mod clients;
mod completions;
mod core_dumps;
mod counted;
mod data_files;
mod descriptors;
mod do_not_call;
mod event_type;
mod export;
mod fault;
mod first_start;
mod grants;
pub(crate) mod import;
mod key_files;
mod keys;
mod kill_switch;
mod labels;
mod migrate;
mod nodes;
mod output;
mod paging;
mod policies;
mod queue_rules;
mod queues;
mod quick;
mod remote;
mod report;
mod sandbox;
mod secrets;
mod serve;
mod servers;
mod signals;
mod time;
mod trusted;
mod watch;
mod webhooks;

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

/// The last part of `--help`.
const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 failed; 2 the command line, the configuration or a given file is wrong; 3 the server refused; \
4 the server cannot be reached, or cannot serve now";

#[derive(Subcommand)]
enum Command {
    /// Run the server until SIGTERM or SIGINT
    Serve(serve::Args),
    /// Apply the database migrations and exit
    Migrate(migrate::Args),
    /// Run an Asterisk Manager server that makes no phone ring
    Sandbox(sandbox::Args),
    /// Check the configuration, the store and the login to each Asterisk server
    Check(check::Args),
    /// Manage clients, which insert calls
    Clients(clients::Args),
    /// Manage the API keys of clients
    Keys(keys::Args),
    /// Manage the Asterisk servers that calls are placed on
    Servers(servers::Args),
    /// Manage which client may dial through which server, and its limits there
    Grants(grants::Args),
    /// Manage what clients may dial
    Policies(policies::Args),
    /// Manage the nodes, which are the processes that share the store
    Nodes(nodes::Args),
    /// Manage the webhooks that a client's events are posted to, and their dead letters
    Webhooks(webhooks::Args),
    /// List the audit log: who changed what, and when
    Audit(audit::Args),
    /// Show and rotate the keys that the stored secrets are sealed with
    Secrets(secrets::Args),
    /// Stop all new calls on all servers at once
    KillSwitch(kill_switch::Args),
    /// Manage a client's queues
    Queues(queues::Args),
    /// Manage the lists of numbers that must not be called
    DoNotCall(do_not_call::Args),
    /// Find calls in all queues, and cancel, retry or move all that are found
    Calls(calls::Args),
    /// Show, change, cancel or hang up a single call
    Call(call::Args),
    /// Place one call, before the calls of all batches
    Quick(quick::Args),
    /// Insert the calls of a CSV file; an interrupted import can be resumed
    Import(import::Args),
    /// Write the outcome of every call of a queue
    Export(export::Args),
    /// Print statistics of calls: answers, durations and delays
    Report(report::Args),
    /// Show the events of calls as they happen
    Watch(watch::Args),
    /// Print a shell's completion script for these commands
    Completions(completions::Args),
    /// Measure how fast calls are dialed, for docs/benchmarks.md
    #[command(subcommand)]
    Bench(bench::Bench),
}

/// Returns all commands with their flags, for completions and for tests of the documentation.
#[must_use]
pub fn commands() -> clap::Command {
    Cli::command()
}

/// How long blocking threads may go on after the command has ended. A forced end does not wait for the disk.
const LINGER: Duration = Duration::from_millis(100);

/// Runs the command that the arguments name, and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if matches!(cli.command, Command::Serve(_) | Command::Migrate(_) | Command::Secrets(_)) {
        // Before anything is written or logged, and before there is a second thread.
        data_files::keep_private();
    }
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
            Command::Webhooks(args) => webhooks::run(args).await,
            Command::Audit(args) => audit::run(args).await,
            Command::Secrets(args) => secrets::run(args).await,
            Command::KillSwitch(args) => kill_switch::run(args).await,
            Command::Queues(args) => queues::run(args).await,
            Command::DoNotCall(args) => do_not_call::run(args).await,
            Command::Calls(args) => calls::run(args).await,
            Command::Call(args) => call::run(args).await,
            Command::Quick(args) => quick::run(args).await,
            Command::Import(args) => import::run(args).await,
            Command::Export(args) => export::run(args).await,
            Command::Report(args) => report::run(args).await,
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
