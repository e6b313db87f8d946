//! Reads do-not-call lists, for clients and for administrators.

use super::convert;
use crate::api::Error;
use crate::api::validate::{do_not_call as rules, paging::Page};
use crate::pb;
use crate::store::db::Conn;
use crate::store::do_not_call;

/// Returns a page of a list and the number of entries on it, or the entry of one number in any of its spellings.
///
/// # Errors
/// Returns an error if the store cannot be read.
pub async fn list(
    conn: &mut Conn,
    client_id: i64,
    number: Option<&str>,
    page: Page,
) -> Result<(Vec<pb::DoNotCallEntry>, i64), Error> {
    let (found, count) = match number {
        None => do_not_call::list(conn, client_id, page.offset(), page.limit()).await?,
        Some(number) => {
            let found = do_not_call::find(conn, client_id, &rules::canonical(number)).await?;
            let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
            (if page.number == 1 { found } else { Vec::new() }, count)
        }
    };
    Ok((found.into_iter().map(convert::do_not_call).collect(), count))
}
