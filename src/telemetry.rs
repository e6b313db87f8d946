//! Writes log lines. `docs/logging.md` says what is logged at which level, and what is never logged.

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::config::{Config, ConfigError, LogFormat};

/// The log of this process, whose filter can be changed. A clone is the same log.
#[derive(Clone)]
pub struct Log(reload::Handle<EnvFilter, Registry>);

/// Starts to write log lines to standard error.
///
/// # Errors
/// Returns an error if the filter is malformed, or the process has a log already.
pub fn start(config: &Config) -> Result<Log, ConfigError> {
    let (filter, handle) = reload::Layer::new(filter(&config.log)?);
    let on_terminal = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.log_format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json }) {
        LogFormat::Text => lines.with_ansi(on_terminal).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry().with(filter).with(lines).try_init();
    started.map_err(|error| ConfigError::Value(error.to_string()))?;
    Ok(Log(handle))
}

/// Parses a filter for log lines.
///
/// # Errors
/// Returns an error if the filter is malformed.
pub fn filter(text: &str) -> Result<EnvFilter, ConfigError> {
    // The dashboard's files are not told one by one, unless the filter asks for it.
    EnvFilter::try_new(format!("memory_serve=warn,{text}")).map_err(|error| ConfigError::Value(format!("log: {error}")))
}

impl Log {
    /// Replaces the filter.
    ///
    /// # Errors
    /// Returns an error if the new filter is malformed; the old one stays.
    pub fn set_filter(&self, text: &str) -> Result<(), ConfigError> {
        self.0.reload(filter(text)?).map_err(|error| ConfigError::Value(error.to_string()))
    }
}
