//! The method that lists the entries of the audit log.

use crate::api::Error;
use crate::api::grpc::app::App;
use crate::api::grpc::convert;
use crate::api::validate::paging::Page;
use crate::pb;
use crate::store::audit;

/// Returns entries of the audit log, newest first, or oldest first after an entry (`AdminService.ListAudit`).
pub async fn list(app: App, request: pb::ListAuditRequest) -> Result<pb::ListAuditResponse, Error> {
    let size = Page::new(None, request.page_size).limit();
    let mut conn = app.db.read().await?;
    // The end is read first, so that the entries reach at least up to it.
    let head = audit::head(&mut conn).await?;
    let entries = match request.after {
        Some(after) => audit::list_after(&mut conn, after, request.before, size).await?,
        None => audit::list(&mut conn, request.before, size).await?,
    };
    Ok(pb::ListAuditResponse {
        results: entries.into_iter().map(convert::audit_entry).collect(),
        head: Some(pb::AuditHead { seq: head.seq, hash: head.hash }),
    })
}
