//! Every way in which a request can fail, and the one place that turns it into a google.rpc status.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::api::context;
use crate::api::field_violation::FieldViolation;

/// The `domain` of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "trunkline";

/// The reason why a request failed.
///
/// Its text is the message that the caller sees. gRPC and REST both send the status that [`Status::from`] makes of it, so
/// that they cannot differ.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields of the request break rules; the list has 1 to 50 of them.
    #[error("{}", first(.0))]
    InvalidArgument(Vec<FieldViolation>),
    /// The request cannot be read, for example because it is not JSON; the text says why, and at which line and column.
    #[error("{0}")]
    Malformed(String),
    /// The resource, as `queue 12`, does not exist or belongs to another client; the caller cannot tell which.
    #[error("{0} not found")]
    NotFound(String),
    /// The resource exists already with other content.
    #[error("{message}")]
    AlreadyExists {
        /// A description for people of what exists, and where.
        message: String,
        /// The same for programs, as pairs such as `queue_id` and `12`.
        metadata: Vec<(&'static str, String)>,
    },
    /// The current state of the resource does not allow the request, and waiting does not help.
    #[error("{message}")]
    FailedPrecondition {
        /// The reason, for programs.
        reason: Reason,
        /// A description, for people.
        message: String,
    },
    /// The request has no valid key. There is one text for all cases, so that guessing reveals nothing.
    #[error("missing or invalid API key")]
    Unauthenticated,
    /// The key of a stream is no longer valid; the text says why, because its holder has proven to have the secret.
    #[error("{0}")]
    KeyEnded(&'static str),
    /// Too many wrong keys came from the address of the request, so that no key from there is read for a while.
    #[error("too many wrong API keys came from this address")]
    TooManyWrongKeys {
        /// The time after which another try is read.
        retry_after: Duration,
    },
    /// The key is valid, but does not allow the request.
    #[error("{0}")]
    Forbidden(String),
    /// Fields of the request name something that the client may not use.
    #[error("{}", first(.0))]
    PermissionDenied(Vec<FieldViolation>),
    /// A limit of the client is reached.
    #[error("limit {limit} is reached")]
    ResourceExhausted {
        /// The name of the limit, as in the client's limits.
        limit: &'static str,
        /// The time after which another try may succeed.
        retry_after: Duration,
    },
    /// The server cannot serve requests now.
    #[error("{message}")]
    Unavailable {
        /// The reason, as `the store cannot be reached`.
        message: String,
        /// The time after which another try may succeed.
        retry_after: Duration,
    },
    /// Another request does the same at the same time.
    #[error("{0}")]
    Aborted(String),
    /// A cursor is greater than that of the last event.
    #[error("{0}")]
    OutOfRange(String),
    /// The request took too long, and may have taken effect or not.
    #[error("the request took too long and was stopped; it may have taken effect")]
    DeadlineExceeded,
    /// The path does not exist; only over HTTP.
    #[error("no such path: {0}")]
    NoSuchPath(String),
    /// The service or the method does not exist; only over gRPC.
    #[error("no such method: {0}")]
    NoSuchMethod(String),
    /// The path exists with other methods, which the header `Allow` lists; only over HTTP.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The body is too large; only over HTTP.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge {
        /// The most bytes after decompression.
        limit: usize,
    },
    /// The headers do not announce a body that can be read; only over HTTP.
    #[error("{0}")]
    UnsupportedMediaType(&'static str),
    /// The server has a fault. The caller learns only the id of the request; the log has the rest.
    #[error("internal error, request id {}", context::request_id())]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

/// The `reason` in `google.rpc.ErrorInfo`, by which programs tell failures of one code apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Fields of the request break rules, and `BadRequest` lists them.
    InvalidFields,
    /// The request cannot be read at all.
    MalformedRequest,
    /// A resource that the request names does not exist, or belongs to another client; the metadata names it.
    ResourceNotFound,
    /// The request has no valid API key.
    InvalidApiKey,
    /// The key of a stream was revoked or has expired.
    ApiKeyEnded,
    /// The key is valid and does not allow the request.
    AccessDenied,
    /// Fields of the request name something that the client may not use, and `BadRequest` lists them.
    FieldsDenied,
    /// The server cannot serve requests now.
    ServerUnavailable,
    /// The server ended a stream, which can be resumed.
    StreamAborted,
    /// The cursor is beyond the last event.
    CursorOutOfRange,
    /// The request took too long.
    RequestTooSlow,
    /// The HTTP path does not exist.
    NoSuchPath,
    /// The gRPC service or method does not exist.
    NoSuchMethod,
    /// The server has a fault.
    InternalError,
    /// A batch was sent to a queue that its client has completed.
    QueueCompleted,
    /// Calls were sent to the queue of a quick call, which takes no other.
    QueueKind,
    /// The queue was deleted, so that it takes no calls and no changes.
    QueueDeleted,
    /// Calls of the queue that is to be deleted wait or are live.
    QueueInUse,
    /// The status of the call does not allow the request.
    CallStatus,
    /// A request applies to another number of calls than it expects.
    CountDiffers,
    /// The client that an administrator names is disabled.
    ClientDisabled,
    /// Calls wait for the server that is to be removed, or are live on it.
    ServerInUse,
    /// The webhook is disabled, so that nothing is posted to it.
    WebhookDisabled,
    /// A resource of that name or number exists with other content.
    ContentDiffers,
    /// A limit is reached; the metadata has its name.
    LimitReached,
    /// The path does not take the HTTP method (405).
    MethodNotAllowed,
    /// The body is too large (413).
    BodyTooLarge,
    /// The type or encoding of the body is not supported (415).
    UnsupportedMediaType,
}

impl Reason {
    /// Every reason that there is.
    pub const ALL: [Self; 28] = [
        Self::InvalidFields,
        Self::MalformedRequest,
        Self::ResourceNotFound,
        Self::InvalidApiKey,
        Self::ApiKeyEnded,
        Self::AccessDenied,
        Self::FieldsDenied,
        Self::ServerUnavailable,
        Self::StreamAborted,
        Self::CursorOutOfRange,
        Self::RequestTooSlow,
        Self::NoSuchPath,
        Self::NoSuchMethod,
        Self::InternalError,
        Self::QueueCompleted,
        Self::QueueKind,
        Self::QueueDeleted,
        Self::QueueInUse,
        Self::CallStatus,
        Self::CountDiffers,
        Self::ClientDisabled,
        Self::ServerInUse,
        Self::WebhookDisabled,
        Self::ContentDiffers,
        Self::LimitReached,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
    ];

    /// Returns the reason as it is written in `ErrorInfo`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFields => "INVALID_FIELDS",
            Self::MalformedRequest => "MALFORMED_REQUEST",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::InvalidApiKey => "INVALID_API_KEY",
            Self::ApiKeyEnded => "API_KEY_ENDED",
            Self::AccessDenied => "ACCESS_DENIED",
            Self::FieldsDenied => "FIELDS_DENIED",
            Self::ServerUnavailable => "SERVER_UNAVAILABLE",
            Self::StreamAborted => "STREAM_ABORTED",
            Self::CursorOutOfRange => "CURSOR_OUT_OF_RANGE",
            Self::RequestTooSlow => "REQUEST_TOO_SLOW",
            Self::NoSuchPath => "NO_SUCH_PATH",
            Self::NoSuchMethod => "NO_SUCH_METHOD",
            Self::InternalError => "INTERNAL_ERROR",
            Self::QueueCompleted => "QUEUE_COMPLETED",
            Self::QueueKind => "QUEUE_KIND",
            Self::QueueDeleted => "QUEUE_DELETED",
            Self::QueueInUse => "QUEUE_IN_USE",
            Self::CallStatus => "CALL_STATUS",
            Self::CountDiffers => "COUNT_DIFFERS",
            Self::ClientDisabled => "CLIENT_DISABLED",
            Self::ServerInUse => "SERVER_IN_USE",
            Self::WebhookDisabled => "WEBHOOK_DISABLED",
            Self::ContentDiffers => "CONTENT_DIFFERS",
            Self::LimitReached => "LIMIT_REACHED",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::BodyTooLarge => "BODY_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
        }
    }

    /// Returns the HTTP status of the reason, if the contract wants another one than that of the code.
    const fn http_status(self) -> Option<StatusCode> {
        match self {
            Self::QueueCompleted
            | Self::QueueKind
            | Self::QueueDeleted
            | Self::QueueInUse
            | Self::CallStatus
            | Self::CountDiffers
            | Self::ClientDisabled
            | Self::ServerInUse
            | Self::WebhookDisabled => Some(StatusCode::CONFLICT),
            Self::MethodNotAllowed => Some(StatusCode::METHOD_NOT_ALLOWED),
            Self::BodyTooLarge => Some(StatusCode::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::InvalidFields
            | Self::MalformedRequest
            | Self::ResourceNotFound
            | Self::InvalidApiKey
            | Self::ApiKeyEnded
            | Self::AccessDenied
            | Self::FieldsDenied
            | Self::ServerUnavailable
            | Self::StreamAborted
            | Self::CursorOutOfRange
            | Self::RequestTooSlow
            | Self::NoSuchPath
            | Self::NoSuchMethod
            | Self::InternalError
            | Self::ContentDiffers
            | Self::LimitReached => None,
        }
    }
}

impl Error {
    /// Makes an error with one broken rule, for checks that stop at the first one.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::InvalidArgument(vec![FieldViolation { field: field.into(), message: message.into() }])
    }

    /// Makes an error for a fault of the server, with its cause.
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    fn code(&self) -> Code {
        match self {
            Self::InvalidArgument(_) | Self::Malformed(_) | Self::UnsupportedMediaType(_) => Code::InvalidArgument,
            Self::NotFound(_) | Self::NoSuchPath(_) => Code::NotFound,
            Self::AlreadyExists { .. } => Code::AlreadyExists,
            Self::FailedPrecondition { .. } => Code::FailedPrecondition,
            Self::Unauthenticated | Self::KeyEnded(_) => Code::Unauthenticated,
            Self::Forbidden(_) | Self::PermissionDenied(_) => Code::PermissionDenied,
            Self::ResourceExhausted { .. } | Self::TooManyWrongKeys { .. } => Code::ResourceExhausted,
            Self::Unavailable { .. } => Code::Unavailable,
            Self::Aborted(_) => Code::Aborted,
            // tonic refuses a message that is too large with the same code.
            Self::OutOfRange(_) | Self::BodyTooLarge { .. } => Code::OutOfRange,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::MethodNotAllowed | Self::NoSuchMethod(_) => Code::Unimplemented,
            Self::Internal(_) => Code::Internal,
        }
    }

    /// Returns why the request failed, for programs.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::InvalidArgument(_) => Reason::InvalidFields,
            Self::Malformed(_) => Reason::MalformedRequest,
            Self::NotFound(_) => Reason::ResourceNotFound,
            Self::AlreadyExists { .. } => Reason::ContentDiffers,
            Self::FailedPrecondition { reason, .. } => *reason,
            Self::Unauthenticated => Reason::InvalidApiKey,
            Self::KeyEnded(_) => Reason::ApiKeyEnded,
            Self::TooManyWrongKeys { .. } | Self::ResourceExhausted { .. } => Reason::LimitReached,
            Self::Forbidden(_) => Reason::AccessDenied,
            Self::PermissionDenied(_) => Reason::FieldsDenied,
            Self::Unavailable { .. } => Reason::ServerUnavailable,
            Self::Aborted(_) => Reason::StreamAborted,
            Self::OutOfRange(_) => Reason::CursorOutOfRange,
            Self::DeadlineExceeded => Reason::RequestTooSlow,
            Self::NoSuchPath(_) => Reason::NoSuchPath,
            Self::NoSuchMethod(_) => Reason::NoSuchMethod,
            Self::MethodNotAllowed => Reason::MethodNotAllowed,
            Self::BodyTooLarge { .. } => Reason::BodyTooLarge,
            Self::UnsupportedMediaType(_) => Reason::UnsupportedMediaType,
            Self::Internal(_) => Reason::InternalError,
        }
    }

    /// Returns what `ErrorInfo` says besides the reason.
    fn metadata(&self) -> HashMap<String, String> {
        let one = |key: &str, value: &str| HashMap::from([(key.to_owned(), value.to_owned())]);
        match self {
            Self::NotFound(resource) => one("resource", resource),
            Self::ResourceExhausted { limit, .. } => one("limit", limit),
            Self::TooManyWrongKeys { .. } => one("limit", "wrong_keys"),
            Self::AlreadyExists { metadata, .. } => {
                metadata.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
            }
            _ => HashMap::new(),
        }
    }

    fn details(&self) -> ErrorDetails {
        let mut details = ErrorDetails::with_error_info(self.reason().as_str(), DOMAIN, self.metadata());
        match self {
            Self::InvalidArgument(violations) | Self::PermissionDenied(violations) => {
                for FieldViolation { field, message } in violations {
                    details.add_bad_request_violation(field, message);
                }
            }
            Self::ResourceExhausted { retry_after, .. }
            | Self::TooManyWrongKeys { retry_after }
            | Self::Unavailable { retry_after, .. } => {
                details.set_retry_info(Some(*retry_after));
            }
            Self::Internal(_) => {
                details.set_request_info(context::request_id(), "");
            }
            _ => {}
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

/// Returns the HTTP status of a google.rpc status: that of its code, unless its reason has one of its own.
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
        // This is nginx's "client closed request", and what google.rpc maps the code to.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

fn first(violations: &[FieldViolation]) -> String {
    match violations.first() {
        Some(FieldViolation { field, message }) if field.is_empty() => message.clone(),
        Some(FieldViolation { field, message }) => format!("{field}: {message}"),
        None => "invalid".to_owned(),
    }
}
