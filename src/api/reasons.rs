//! Gives a reason to the errors over gRPC that are not made here: tonic refuses messages that it cannot read.

use std::collections::HashMap;

use axum::response::Response;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::api::error::{DOMAIN, Reason};
use crate::api::fault;

/// Adds `google.rpc.ErrorInfo` to an error whose status is in the headers and has none.
pub async fn add(mut response: Response) -> Response {
    let Some(status) = Status::from_header_map(response.headers()) else { return response };
    let details = status.get_error_details();
    if status.code() == Code::Ok || details.error_info().is_some() {
        return response;
    }
    // What cannot be written stays as it was.
    let _ = with_reason(&status, details).add_header(response.headers_mut());
    response
}

fn with_reason(status: &Status, mut details: ErrorDetails) -> Status {
    let reason = match (status.code(), details.bad_request()) {
        (_, Some(_)) => Reason::InvalidFields.as_str(),
        // tonic says so if a message is no protobuf.
        (Code::Internal, None) if status.message().contains("decode") => Reason::MalformedRequest.as_str(),
        (Code::OutOfRange, None) => Reason::BodyTooLarge.as_str(),
        (code, None) => fault::name(code),
    };
    details.set_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(status.code(), status.message(), details)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    async fn added(status: Status) -> Status {
        let response = add(status.into_http::<Body>()).await;
        Status::from_header_map(response.headers()).unwrap()
    }

    #[tokio::test]
    async fn an_error_without_a_reason_gets_one_and_keeps_the_rest() {
        let details = ErrorDetails::with_bad_request_violation("data", "too many elements");
        let status = added(Status::with_error_details(Code::InvalidArgument, "data: too many", details)).await;
        let details = status.get_error_details();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "data: too many"));
        assert_eq!(details.error_info().unwrap().reason, "INVALID_FIELDS");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "data");
        for (status, reason) in [
            (Status::out_of_range("decoded message length too large"), "BODY_TOO_LARGE"),
            (Status::internal("failed to decode Protobuf message"), "MALFORMED_REQUEST"),
            (Status::unimplemented("content is compressed with br"), "UNIMPLEMENTED"),
        ] {
            assert_eq!(added(status).await.get_error_details().error_info().unwrap().reason, reason);
        }
    }

    #[tokio::test]
    async fn an_error_with_a_reason_and_a_success_stay_as_they_are() {
        let ours = Status::from(crate::api::Error::Unauthenticated);
        assert_eq!(added(ours.clone()).await.details(), ours.details());
        let success = add(Response::new(Body::empty())).await;
        assert!(success.headers().is_empty());
    }
}
