//! Compiles the protos into messages, services, their JSON and their REST routes.

#[path = "build/code.rs"]
mod code;
#[path = "build/default_message.rs"]
mod default_message;
#[path = "build/descriptors.rs"]
mod descriptors;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/field_rules.rs"]
mod field_rules;
#[path = "build/http_rule.rs"]
mod http_rule;
#[path = "build/routes.rs"]
mod routes;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// The files of the dashboard, as `clients/dashboard` builds them.
const DASHBOARD: &str = "clients/dashboard/dist";

/// The package whose services are served. Services of imported packages are not.
const PACKAGE: &str = "trunkline.v1";

#[expect(clippy::print_stderr, reason = "cargo shows it when the build fails")]
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    for input in ["proto", "build"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let compiled = descriptors::compile(&["proto"])?;
    std::fs::write(out.join("descriptors.bin"), &compiled.descriptors)?;
    code::generate(&compiled)?;
    let services = routes::read(&compiled.pool)?;
    std::fs::write(out.join("routes.rs"), emit::routes(&services))?;
    std::fs::write(out.join("field_checks.rs"), field_rules::checks(&compiled.pool)?)?;
    std::fs::write(out.join("bounds.rs"), field_rules::bounds(&compiled.pool)?)?;
    embed_dashboard();
    Ok(())
}

/// Puts the dashboard's files into the binary, if the dashboard was built. A debug build reads them when they are asked for.
fn embed_dashboard() {
    println!("cargo::rustc-check-cfg=cfg(dashboard)");
    if PathBuf::from(DASHBOARD).join("index.html").is_file() {
        memory_serve::load_directory(DASHBOARD);
        println!("cargo::rustc-cfg=dashboard");
    } else {
        // A path that does not exist would have the script run at each build.
        println!("cargo::rerun-if-changed=clients/dashboard");
    }
}
