//! The methods of `AdminService` for the numbers that no client may call.

use serde_json::{Value, json};

use crate::api::Error;
use crate::api::grpc::app::App;
use crate::api::grpc::change::Change;
use crate::api::grpc::changed::Changed;
use crate::api::grpc::do_not_call as lists;
use crate::api::validate::{do_not_call as rules, paging::Page};
use crate::pb;
use crate::store::do_not_call::{self, PLATFORM};

/// Returns a page of the numbers that no client may call (`AdminService.ListPlatformDoNotCall`).
pub async fn list(
    app: App,
    request: pb::ListPlatformDoNotCallRequest,
) -> Result<pb::ListPlatformDoNotCallResponse, Error> {
    let page = Page::new(request.page, request.page_size);
    let number = request.number.as_deref();
    let (results, count) = lists::list(&mut app.db.read().await?, PLATFORM, number, page).await?;
    Ok(pb::ListPlatformDoNotCallResponse { results, count, page: page.number, page_size: page.size })
}

/// Adds numbers that no client may call (`AdminService.AddPlatformDoNotCall`).
pub async fn add(
    change: Change,
    request: pb::AddPlatformDoNotCallRequest,
) -> Result<pb::AddPlatformDoNotCallResponse, Error> {
    let mut tx = change.begin().await?;
    let numbers = rules::numbers(request.numbers);
    let asked: Vec<String> = numbers.iter().map(|(number, _)| number.clone()).collect();
    let listed = do_not_call::listed(&mut tx, PLATFORM, &asked).await?;
    let added = do_not_call::add(&mut tx, PLATFORM, &numbers, change.now).await?;
    let new: Vec<Value> = numbers
        .iter()
        .filter(|(number, _)| !listed.contains(number))
        .map(|(number, reason)| json!({ "number": number, "reason": reason }))
        .collect();
    tx.commit("do-not-call".to_owned(), Changed::created(&json!({ "numbers": new }))?).await?;
    Ok(pb::AddPlatformDoNotCallResponse { added_count: i32::try_from(added).unwrap_or(i32::MAX) })
}

/// Removes a number that no client may call (`AdminService.RemovePlatformDoNotCall`).
pub async fn remove(
    change: Change,
    request: pb::RemovePlatformDoNotCallRequest,
) -> Result<pb::RemovePlatformDoNotCallResponse, Error> {
    let mut tx = change.begin().await?;
    let number = rules::canonical(&request.number);
    if !do_not_call::remove(&mut tx, PLATFORM, &number).await? {
        tx.rollback().await?;
        return Err(rules::not_listed(&number));
    }
    tx.commit(format!("do-not-call/{number}"), Changed::deleted(&json!({ "number": number }))?).await?;
    Ok(pb::RemovePlatformDoNotCallResponse {})
}
