//! Reads the audit page by page, oldest entries first.

use crate::cli::remote::Session;
use crate::pb;

/// How many entries one request asks for.
const PAGE: i32 = 1000;

/// Returns the entries after the one with the id `after`, oldest first, and the end of the chain.
///
/// # Errors
/// Returns the error of the request.
pub async fn page(session: &Session, after: i64) -> anyhow::Result<pb::ListAuditResponse> {
    let request = pb::ListAuditRequest { before: None, page_size: Some(PAGE), after: Some(after) };
    Ok(session.admin().list_audit(request).await?.into_inner())
}
