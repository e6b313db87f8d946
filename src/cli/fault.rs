//! How a command fails: what it says, and the exit code that scripts can use.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;
use std::process::ExitCode;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::config::ConfigError;

/// Anything that has no code of its own: a file that cannot be written, a server that failed its test.
pub const FAILED: u8 = 1;
/// The command line, the configuration or a file that was given is wrong; nothing was sent. clap exits with it too.
pub const USAGE: u8 = 2;
/// The server understood and refused: the key, a field, what is named does not exist, a limit, a conflict.
pub const REFUSED: u8 = 3;
/// Nothing answers, or the server says that it cannot serve now: the same command may succeed later.
pub const NOT_REACHABLE: u8 = 4;

/// Why a command that talks to a server, or about a file, failed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// See [`USAGE`].
    #[error("{0}")]
    Usage(String),
    /// See [`FAILED`].
    #[error("{0}")]
    Failed(String),
    /// See [`NOT_REACHABLE`].
    #[error("{message}\n  {hint}")]
    NotReachable {
        /// What happened.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// The server's own answer.
    #[error("{}", told(.0))]
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

/// Says what is wrong, and answers what to exit with.
#[expect(clippy::print_stderr, reason = "the log may not have been started, and this is for who typed the command")]
pub fn report(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        // Who read our output has seen enough, as `head` does.
        return ExitCode::SUCCESS;
    }
    let (text, code) = if let Some(status) = error.downcast_ref::<Status>() {
        (told(status), exit_code(status))
    } else if let Some(fault) = error.downcast_ref::<Fault>() {
        (format!("{error:#}"), fault.exit_code())
    } else if error.is::<ConfigError>() {
        (format!("{error:#}"), USAGE)
    } else {
        (format!("{error:#}"), FAILED)
    };
    eprintln!("trunkline: {text}");
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

/// Whether the same request may succeed later: the connection broke, or the server cannot serve now.
pub fn is_away(status: &Status) -> bool {
    let broke = status.source().is_some() || status.message().starts_with("grpc-status header missing");
    broke || matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}

/// What the server answered, each field error on a line of its own, and what to do about it.
fn told(status: &Status) -> String {
    let mut text = if status.source().is_some() {
        format!("the connection failed: {}", causes(status))
    } else {
        status.message().to_owned()
    };
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
    if let [first, ..] = violations {
        text = if violations.len() == 1 && !first.field.is_empty() {
            format!("{}: {}", first.field, first.description)
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
        return Some("does --url name a Trunkline server? One with TLS needs https://, one without http://");
    }
    match status.code() {
        Code::Unauthenticated => Some("is the key (--api-key or TRUNKLINE_API_KEY) right, and not revoked or expired?"),
        Code::PermissionDenied if status.message().contains("admin key") => {
            Some("this command is an administrator's: `admin.key` in the server's data directory holds such a key")
        }
        Code::PermissionDenied if status.message().contains("client's key") => {
            Some("this command is a client's: an administrator makes keys with `trunkline keys create`")
        }
        _ if status.message().starts_with("grpc-status header missing") => {
            Some("what answers at --url is no Trunkline server, or a proxy in front of it")
        }
        _ => None,
    }
}

/// An error and all that caused it, on one line, each once.
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

/// A note beside the output, for people: to standard error.
#[expect(clippy::print_stderr, reason = "standard output holds the answer alone")]
pub fn note(text: impl fmt::Display) {
    eprintln!("{text}");
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
        assert_eq!(told(&status), "2 fields are wrong:\n  data[0].action: required\n  batch_id: required");
        assert_eq!(exit_code(&status), REFUSED);
    }

    #[test]
    fn what_may_succeed_later_has_a_code_of_its_own() {
        assert_eq!(exit_code(&Status::unavailable("draining")), NOT_REACHABLE);
        assert_eq!(exit_code(&Status::not_found("queue 1 not found")), REFUSED);
        assert_eq!(exit_code(&Status::internal("request id x")), FAILED);
    }
}
