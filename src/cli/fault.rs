//! How a command fails: its error text, and the exit code that scripts can use.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::process::ExitCode;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::config::ConfigError;

/// The exit code of any failure without a code of its own: a file that cannot be written, a server that failed its
/// test, a part of `serve` that ended by itself.
pub const FAILED: u8 = 1;
/// The exit code for an error in the command line, the configuration or a given file. Nothing was sent. clap uses it
/// too.
pub const USAGE: u8 = 2;
/// The exit code if the server refused: the key, a field, something that does not exist, a limit, a conflict.
pub const REFUSED: u8 = 3;
/// The exit code if nothing answers, or the server cannot serve now. The same command may succeed later.
pub const NOT_REACHABLE: u8 = 4;

/// Why a command failed, in the cases that have an exit code of their own.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// An error in what the user gave: see [`USAGE`].
    #[error("{0}")]
    Usage(String),
    /// Any other failure: see [`FAILED`].
    #[error("{0}")]
    Failed(String),
    /// A server that cannot be reached: see [`NOT_REACHABLE`].
    #[error("{message}\n  {hint}")]
    NotReachable {
        /// What went wrong, in one line.
        message: String,
        /// What the user can do about it.
        hint: &'static str,
    },
    /// An error that the server returned.
    #[error("{}", describe(.0))]
    Answer(Box<Status>),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Answer(Box::new(status))
    }
}

impl Fault {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Failed(_) => FAILED,
            Self::NotReachable { .. } => NOT_REACHABLE,
            Self::Answer(status) => exit_code(status),
        }
    }
}

/// Prints what went wrong, and returns the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        // The reader of our output needs no more of it, like `head`.
        return ExitCode::SUCCESS;
    }
    let (text, code) = if let Some(status) = error.downcast_ref::<Status>() {
        (describe(status), exit_code(status))
    } else if let Some(fault) = error.downcast_ref::<Fault>() {
        (format!("{error:#}"), fault.exit_code())
    } else if error.is::<ConfigError>() {
        (format!("{error:#}"), USAGE)
    } else {
        (format!("{error:#}"), FAILED)
    };
    note(format_args!("trunkline: {text}"));
    ExitCode::from(code)
}

fn exit_code(status: &Status) -> u8 {
    if is_away(status) {
        return NOT_REACHABLE;
    }
    match status.code() {
        Code::Internal | Code::Unknown | Code::DataLoss => FAILED,
        _ => REFUSED,
    }
}

/// Returns true if the same request may succeed later: the connection broke, or the server cannot serve now.
pub fn is_away(status: &Status) -> bool {
    let broke = status.source().is_some() || status.message().starts_with("grpc-status header missing");
    broke || matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}

/// Describes an error of the server, with each field error on a line of its own, and what to do about it.
fn describe(status: &Status) -> String {
    let mut text = if status.source().is_some() {
        format!("the connection failed: {}", causes(status))
    } else {
        status.message().to_owned()
    };
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    if let [first, ..] = violations {
        text = if violations.len() == 1 {
            match first.field.as_str() {
                "" => first.description.clone(),
                field => format!("{field}: {}", first.description),
            }
        } else {
            violations.iter().fold(format!("{} fields are wrong:", violations.len()), |mut text, violation| {
                let _ = write!(text, "\n  {}: {}", violation.field, violation.description);
                text
            })
        };
    }
    if let Some(hint) = hint(status) {
        let _ = write!(text, "\n  {hint}");
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        let _ = write!(text, "\n  try again in {} s", delay.as_secs_f64().ceil());
    }
    text
}

fn hint(status: &Status) -> Option<&'static str> {
    if status.source().is_some() {
        return Some(
            "is --url the address of a Trunkline server? With TLS it begins with https://, without TLS with http://",
        );
    }
    let details = status.get_error_details();
    let mut violations = details.bad_request().into_iter().flat_map(|bad| &bad.field_violations);
    match status.code() {
        Code::Unauthenticated => Some("is the key (--api-key or TRUNKLINE_API_KEY) right, and not revoked or expired?"),
        Code::PermissionDenied
            if violations.any(|it| it.field == "client_id" && it.description.contains("required")) =>
        {
            Some("name the client with --client, by its id or its name; `trunkline clients list` shows them")
        }
        Code::PermissionDenied if status.message().contains("admin key") => {
            Some("`admin.key` in the server's data directory contains an admin key")
        }
        _ if status.message().starts_with("grpc-status header missing") => {
            Some("is --url the address of a Trunkline server, and not of another one or a proxy?")
        }
        _ => None,
    }
}

/// Writes an error and all its causes on one line, each text once.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            let _ = write!(text, ": {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// Prints a note for the user to standard error, because standard output is for the response alone. A reader that needs
/// no more of it, like `head`, is no fault.
pub fn note(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn every_field_error_is_listed_with_its_path() {
        let mut details = ErrorDetails::new();
        details
            .add_bad_request_violation("data[0].action", "required")
            .add_bad_request_violation("batch_id", "required");
        let status = Status::with_error_details(Code::InvalidArgument, "data[0].action: required", details);
        assert_eq!(describe(&status), "2 fields are wrong:\n  data[0].action: required\n  batch_id: required");
        assert_eq!(exit_code(&status), REFUSED);
    }

    #[test]
    fn the_hint_names_the_key_or_the_flag_that_is_missing() {
        let hint_for = |message: &str| hint(&Status::permission_denied(message)).unwrap();
        assert!(hint_for("needs an admin key").contains("admin.key"));
        let denied = |message: &str| {
            let details = ErrorDetails::with_bad_request_violation("client_id", message);
            hint(&Status::with_error_details(Code::PermissionDenied, message, details))
        };
        assert!(denied("required with an administrator's key").unwrap().contains("--client"));
        assert_eq!(denied("only an administrator may name another client"), None);
    }

    #[test]
    fn an_error_that_may_be_gone_later_has_a_code_of_its_own() {
        assert_eq!(exit_code(&Status::unavailable("draining")), NOT_REACHABLE);
        assert_eq!(exit_code(&Status::not_found("queue 1 not found")), REFUSED);
        assert_eq!(exit_code(&Status::internal("request id x")), FAILED);
    }
}
