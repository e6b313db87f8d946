//! Serves the search for calls (`CallService.ListCalls`).

use super::app::App;
use super::convert;
use crate::api::Error;
use crate::api::validate::call_search::CallQuery;
use crate::pb;
use crate::store::{call_pages, clients};

/// Returns a page of the calls that a request searches for. `access` is the client that searches, or None for an
/// administrator; `client_id` is the one whose calls are searched, or None for those of all clients.
pub async fn list_calls(
    app: &App,
    access: Option<i64>,
    client_id: Option<i64>,
    request: &pb::ListCallsRequest,
) -> Result<pb::ListCallsResponse, Error> {
    let mut conn = app.db.read().await?;
    let numberings = match request.contact_number_national {
        Some(true) => clients::numberings(&mut conn, client_id).await?,
        _ => Vec::new(),
    };
    let query = CallQuery::new(request, client_id, &numberings)?;
    app.check_scope(&mut conn, client_id, query.search.queue_id.as_slice()).await?;
    let limit = usize::try_from(query.size).map_err(Error::internal)?;
    let page = call_pages::page(&mut conn, &query.search, query.after, limit).await?;
    let next_page_token = page.next.map(|cursor| query.token(cursor));
    let results = page.calls.into_iter().map(|call| convert::call(call, access)).collect::<Result<_, _>>()?;
    Ok(pb::ListCallsResponse { results, page_size: query.size, next_page_token })
}
