//! Streams of messages as Server-Sent Events.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt as _, future, stream};
use http::header::{self, HeaderValue};
use serde::Serialize;
use tonic::Status;

use crate::api::rest::write;
use crate::api::{Error, fault};

/// The time between two comments in an idle stream, which keep proxies from closing it and reveal a lost connection.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The longest time that the status line waits for the first message, so that an error in its place is an HTTP error.
const FIRST_MESSAGE: Duration = Duration::from_millis(250);

/// Makes an answer from `messages`; `pick` returns the cursor (0 if there is none) and the data of each message.
///
/// # Errors
/// Returns the error with which the stream begins, if it does. A later error becomes the last event, `error`.
pub async fn answer<Res, Data: Serialize>(
    messages: impl Stream<Item = Result<Res, Status>> + Send + 'static,
    pick: impl Fn(Res) -> Option<(i64, Data)> + Copy + Send + 'static,
) -> Result<Response, Status>
where
    Res: Send + 'static,
{
    let mut messages = messages.boxed();
    let first = match tokio::time::timeout(FIRST_MESSAGE, messages.next()).await {
        Ok(Some(Err(status))) => return Err(status),
        Ok(Some(Ok(message))) => stream::iter([Ok(message)]).left_stream(),
        Ok(None) | Err(_) => stream::empty().right_stream(),
    };
    let mut failed = false;
    let events = first
        .chain(messages)
        .take_while(move |message| {
            let goes_on = !failed;
            failed = message.is_err();
            future::ready(goes_on)
        })
        .filter_map(move |message| future::ready(message.map(pick).transpose().map(event)));
    let events = events.map(Ok::<_, Infallible>);
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn event<Data: Serialize>(message: Result<(i64, Data), Status>) -> Event {
    let written = message.and_then(|(cursor, data)| {
        let data = write::message(&data).map_err(Error::internal)?;
        Ok((cursor, data))
    });
    match written {
        Ok((0, data)) => Event::default().data(data),
        Ok((cursor, data)) => Event::default().id(cursor.to_string()).data(data),
        Err(status) => Event::default().event("error").data(fault::event(&status)),
    }
}
