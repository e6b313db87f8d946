//! Serves the search for calls (`CallService.ListCalls`).

use super::app::App;
use super::convert;
use super::errors::no_queue;
use crate::api::Error;
use crate::api::validate::call_search::CallQuery;
use crate::pb;
use crate::store::{call_pages, clients, queues};

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
    if let Some(client_id) = client_id {
        app.client(&mut conn, client_id).await?;
    }
    if let Some(queue_id) = query.search.queue_id
        && queues::get(&mut conn, client_id, queue_id).await?.is_none()
    {
        return Err(no_queue(queue_id));
    }
    let limit = usize::try_from(query.size).map_err(Error::internal)?;
    let page = call_pages::page(&mut conn, &query.search, query.after, limit).await?;
    let next_page_token = page.next.map(|cursor| query.token(cursor));
    let results = page.calls.into_iter().map(|call| convert::call(call, access)).collect::<Result<_, _>>()?;
    Ok(pb::ListCallsResponse { results, page_size: query.size, next_page_token })
}
