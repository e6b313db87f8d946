//! Compiles the protos into messages, services, their JSON and their REST routes.

#[path = "build/emit.rs"]
mod emit;
#[path = "build/http_rule.rs"]
mod http_rule;
#[path = "build/protos.rs"]
mod protos;
#[path = "build/routes.rs"]
mod routes;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

/// The package whose services are served; what it imports is only referred to.
const PACKAGE: &str = "trunkline.v1";

#[expect(clippy::print_stderr, reason = "what cargo shows when the build fails")]
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
    let compiled = protos::compile()?;
    std::fs::write(out.join("descriptors.bin"), &compiled.descriptors)?;
    protos::generate_code(&compiled)?;
    let services = routes::read(&compiled.pool)?;
    std::fs::write(out.join("routes.rs"), emit::routes(&services))?;
    Ok(())
}
