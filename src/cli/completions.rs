//! `trunkline completions SHELL`: what a shell needs to complete our commands.

use std::io::{self, Write};

use clap_complete::Shell;

/// The flags.
#[derive(clap::Args)]
pub struct Args {
    /// For which shell
    shell: Shell,
}

pub fn run(args: &Args, mut commands: clap::Command) -> anyhow::Result<()> {
    // Not straight to standard output: clap_complete panics when the reader has seen enough.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut commands, "trunkline", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}
