//! Every way in which a request can fail, and its one translation into a google.rpc status.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::api::context;
use crate::api::field_violation::FieldViolation;

/// `domain` of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "trunkline";

/// Why a request was not served.
///
/// Its text is the message that the caller sees. gRPC and REST both tell what [`Status::from`] makes of it, so that they
/// cannot differ.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields break rules, at least one and at most 50.
    #[error("{}", first(.0))]
    InvalidArgument(Vec<FieldViolation>),
    /// The request cannot be read at all, as JSON that is none; the text says why and where.
    #[error("{0}")]
    Malformed(String),
    /// What was named does not exist, or is another client's: the caller cannot tell which. As `queue 12`.
    #[error("{0} not found")]
    NotFound(String),
    /// It exists already with other content.
    #[error("{message}")]
    AlreadyExists {
        /// What exists where, for people.
        message: String,
        /// The same for programs, as `queue_id` and `12`.
        metadata: Vec<(&'static str, String)>,
    },
    /// The state of things does not allow it, and waiting does not help.
    #[error("{message}")]
    FailedPrecondition {
        /// For programs.
        reason: Reason,
        /// For people.
        message: String,
    },
    /// No key, or none that is valid: one text for all, so that guessing learns nothing.
    #[error("missing or invalid API key")]
    Unauthenticated,
    /// The key is valid and may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// Fields ask for what the client may not use.
    #[error("{}", first(.0))]
    PermissionDenied(Vec<FieldViolation>),
    /// A limit is reached.
    #[error("limit {limit} is reached")]
    ResourceExhausted {
        /// As in the client's limits.
        limit: &'static str,
        /// When another try may succeed.
        retry_after: Duration,
    },
    /// The server cannot serve now, as `the store cannot be reached`.
    #[error("{message}")]
    Unavailable {
        /// Why.
        message: String,
        /// When another try may succeed.
        retry_after: Duration,
    },
    /// Somebody else does the same at the same time.
    #[error("{0}")]
    Aborted(String),
    /// A cursor beyond the last event.
    #[error("{0}")]
    OutOfRange(String),
    /// It took too long; it may have happened or not.
    #[error("not done in time")]
    DeadlineExceeded,
    /// No such path. Only over HTTP.
    #[error("no such path: {0}")]
    NoSuchPath(String),
    /// No such service or method, as gRPC tells an unknown path.
    #[error("no such method: {0}")]
    NoSuchMethod(String),
    /// The path exists, with other methods; they are in `Allow`. Only over HTTP.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The body is too large. Only over HTTP.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// In bytes, after decompression.
        limit: usize,
    },
    /// The body is not what its headers have to say. Only over HTTP.
    #[error("{0}")]
    UnsupportedMediaType(&'static str),
    /// A fault of ours. The caller learns the request's id only; the log has the rest.
    #[error("internal error, request id {}", context::request_id())]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

/// What a program can tell failures of one code apart by: `reason` in `google.rpc.ErrorInfo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A batch was sent to a queue that its client has completed.
    QueueCompleted,
    /// Calls were sent to the queue of a quick call, which takes no other.
    QueueKind,
    /// The call stands where what was asked of it cannot be done.
    CallStatus,
    /// Calls wait for a server that is to be removed, or live on it.
    ServerInUse,
    /// Something of that name or number exists with other content.
    ContentDiffers,
    /// A limit is reached; its name is in the metadata.
    LimitReached,
    /// HTTP 405.
    MethodNotAllowed,
    /// HTTP 413.
    BodyTooLarge,
    /// HTTP 415.
    UnsupportedMediaType,
}

impl Reason {
    const ALL: [Self; 9] = [
        Self::QueueCompleted,
        Self::QueueKind,
        Self::CallStatus,
        Self::ServerInUse,
        Self::ContentDiffers,
        Self::LimitReached,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
    ];

    /// As in `ErrorInfo`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueCompleted => "QUEUE_COMPLETED",
            Self::QueueKind => "QUEUE_KIND",
            Self::CallStatus => "CALL_STATUS",
            Self::ServerInUse => "SERVER_IN_USE",
            Self::ContentDiffers => "CONTENT_DIFFERS",
            Self::LimitReached => "LIMIT_REACHED",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::BodyTooLarge => "BODY_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
        }
    }

    /// The HTTP status where the contract wants another one than the code's own.
    const fn http_status(self) -> Option<StatusCode> {
        match self {
            Self::QueueCompleted | Self::QueueKind | Self::CallStatus | Self::ServerInUse => Some(StatusCode::CONFLICT),
            Self::MethodNotAllowed => Some(StatusCode::METHOD_NOT_ALLOWED),
            Self::BodyTooLarge => Some(StatusCode::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::ContentDiffers | Self::LimitReached => None,
        }
    }
}

impl Error {
    /// One broken rule, where a request can break only that one.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidArgument(vec![FieldViolation { field: field.into(), message: message.into() }])
    }

    /// A fault of ours, with what caused it.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    fn code(&self) -> Code {
        match self {
            Self::InvalidArgument(_) | Self::Malformed(_) | Self::UnsupportedMediaType(_) => Code::InvalidArgument,
            Self::NotFound(_) | Self::NoSuchPath(_) => Code::NotFound,
            Self::AlreadyExists { .. } => Code::AlreadyExists,
            Self::FailedPrecondition { .. } => Code::FailedPrecondition,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden(_) | Self::PermissionDenied(_) => Code::PermissionDenied,
            Self::ResourceExhausted { .. } => Code::ResourceExhausted,
            Self::Unavailable { .. } => Code::Unavailable,
            // tonic refuses a message that is too large with the same code.
            Self::Aborted(_) => Code::Aborted,
            Self::OutOfRange(_) | Self::BodyTooLarge { .. } => Code::OutOfRange,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::MethodNotAllowed | Self::NoSuchMethod(_) => Code::Unimplemented,
            Self::Internal(_) => Code::Internal,
        }
    }

    fn details(&self) -> ErrorDetails {
        let mut details = ErrorDetails::new();
        match self {
            Self::InvalidArgument(violations) | Self::PermissionDenied(violations) => {
                for FieldViolation { field, message } in violations {
                    details.add_bad_request_violation(field, message);
                }
            }
            Self::AlreadyExists { metadata, .. } => {
                let metadata = metadata.iter().map(|(key, value)| (*key, value.clone()));
                info(&mut details, Reason::ContentDiffers, metadata);
            }
            Self::FailedPrecondition { reason, .. } => info(&mut details, *reason, []),
            Self::ResourceExhausted { limit, retry_after } => {
                info(&mut details, Reason::LimitReached, [("limit", (*limit).to_owned())]);
                details.set_retry_info(Some(*retry_after));
            }
            Self::Unavailable { retry_after, .. } => {
                details.set_retry_info(Some(*retry_after));
            }
            Self::MethodNotAllowed => info(&mut details, Reason::MethodNotAllowed, []),
            Self::BodyTooLarge { .. } => info(&mut details, Reason::BodyTooLarge, []),
            Self::UnsupportedMediaType(_) => info(&mut details, Reason::UnsupportedMediaType, []),
            Self::Internal(_) => {
                details.set_request_info(context::request_id(), "");
            }
            Self::Malformed(_)
            | Self::NotFound(_)
            | Self::Unauthenticated
            | Self::Forbidden(_)
            | Self::Aborted(_)
            | Self::OutOfRange(_)
            | Self::DeadlineExceeded
            | Self::NoSuchPath(_)
            | Self::NoSuchMethod(_) => {}
        }
        details
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        if let Error::Internal(source) = &error {
            tracing::error!(error = source.as_ref(), "internal error");
        }
        Self::with_error_details(error.code(), error.to_string(), error.details())
    }
}

/// The HTTP status of a google.rpc status: that of its code, unless its reason has one of its own.
#[must_use]
pub fn http_status(code: Code, reason: Option<&str>) -> StatusCode {
    let own = Reason::ALL.into_iter().find(|known| Some(known.as_str()) == reason).and_then(Reason::http_status);
    own.unwrap_or(match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        // "Client closed request": nginx's, and google.rpc's mapping.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

fn info(details: &mut ErrorDetails, reason: Reason, metadata: impl IntoIterator<Item = (&'static str, String)>) {
    let metadata: HashMap<String, String> = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    details.set_error_info(reason.as_str(), DOMAIN, metadata);
}

fn first(violations: &[FieldViolation]) -> String {
    match violations.first() {
        Some(FieldViolation { field, message }) if field.is_empty() => message.clone(),
        Some(FieldViolation { field, message }) => format!("{field}: {message}"),
        None => "invalid".to_owned(),
    }
}
