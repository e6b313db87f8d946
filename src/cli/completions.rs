//! `trunkline completions SHELL`: prints a shell's completion script.

use std::io::{self, Write};

use clap_complete::Shell;

/// The flags and arguments of `completions`.
#[derive(clap::Args)]
pub struct Args {
    /// The shell to print the script for
    shell: Shell,
}

/// Prints the completion script.
pub fn run(args: &Args, mut commands: clap::Command) -> anyhow::Result<()> {
    // Not directly to standard output, because clap_complete panics if the reader closes it early.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut commands, "trunkline", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}
