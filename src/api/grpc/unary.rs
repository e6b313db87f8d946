//! What methods with one request and one answer have in common.

use crate::api::Error;
use crate::api::background::in_foreground;

/// Returns how many items a list has that is answered as a whole.
pub fn count<T>(list: &[T]) -> i64 {
    i64::try_from(list.len()).unwrap_or(i64::MAX)
}

/// Runs the work of a request to its end, even if the caller disconnects meanwhile, so that nothing which was begun in
/// the store is left half done.
pub async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<tonic::Response<T>, tonic::Status> {
    let done = in_foreground().spawn(work).await.map_err(|error| Error::internal(error.to_string())).flatten()?;
    Ok(tonic::Response::new(done))
}
