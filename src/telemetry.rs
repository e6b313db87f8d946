//! Log lines. `docs/logging.md` says what is logged at which level, and what never is.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

use crate::config::{Config, ConfigError, LogFormat};

/// Starts to log, to standard error.
///
/// # Errors
/// Where the filter cannot be understood.
pub fn start(config: &Config) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&config.log).map_err(|error| ConfigError::Value(format!("log: {error}")))?;
    let on_terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started: Result<(), TryInitError> =
        match config.log_format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json }) {
            LogFormat::Text => {
                tracing_subscriber::util::SubscriberInitExt::try_init(lines.with_ansi(on_terminal).finish())
            }
            LogFormat::Json => {
                tracing_subscriber::util::SubscriberInitExt::try_init(lines.json().flatten_event(true).finish())
            }
        };
    started.map_err(|error| ConfigError::Value(error.to_string()))
}
