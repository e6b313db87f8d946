//! Follows a request that applies to many calls, whose answer is a stream of counts.

use std::time::Duration;

use serde::Serialize;
use tonic::{Status, Streaming};

use super::fault::{is_away, note};
use super::output::Output;
use crate::pb;

/// How often a stream is continued that broke without a response in between.
const TRIES: u32 = 30;

/// The pause before a stream is continued.
const PAUSE: Duration = Duration::from_secs(1);

/// What the responses of these requests have in common.
pub trait Counted: Clone + Default + Serialize {
    /// What is done with the calls, and what they are afterwards.
    const WORDS: (&'static str, &'static str);

    /// Returns where a request continues after this response.
    fn resume_token(&self) -> Option<String>;

    /// Returns how many calls the request applies to, and how many were changed, are being hung up, and were left.
    fn counts(&self) -> [i64; 4];

    /// Adds the counts of the streams before this one, which continues them.
    fn after(self, earlier: &Self) -> Self;
}

/// Follows a request to its end, and prints what was done. `open` begins it, or continues it with a token if its stream
/// broke.
pub async fn follow<R: Counted>(
    out: Output,
    is_dry_run: bool,
    open: impl AsyncFn(Option<String>) -> Result<Streaming<R>, Status>,
) -> anyhow::Result<()> {
    let (mut total, mut token, mut tries) = (R::default(), None, 0);
    let total = loop {
        let mut last = None;
        let broke = match follow_one(open(token.clone()).await, &mut last).await {
            Ok(()) => break last.unwrap_or_default().after(&total),
            Err(broke) => broke,
        };
        if let Some(last) = last {
            tries = 0;
            token = last.resume_token().or(token);
            total = last.after(&total);
        }
        if !is_away(&broke) || token.is_none() || tries == TRIES {
            return Err(broke.into());
        }
        tries += 1;
        note(format_args!("{}; going on", broke.message()));
        tokio::time::sleep(PAUSE).await;
    };
    out.say(&total, sentence(&total, is_dry_run))
}

/// Follows one stream, and keeps its last response.
async fn follow_one<R>(stream: Result<Streaming<R>, Status>, last: &mut Option<R>) -> Result<(), Status> {
    let mut stream = stream?;
    while let Some(response) = stream.message().await? {
        *last = Some(response);
    }
    Ok(())
}

fn sentence<R: Counted>(total: &R, is_dry_run: bool) -> String {
    let ((verb, done), [matched, changed, hanging_up, skipped]) = (R::WORDS, total.counts());
    if is_dry_run {
        return format!("{matched} calls would be {done}; add --expect {matched} to {verb} them");
    }
    let mut sentence = format!("{changed} of {matched} calls are {done}");
    if hanging_up > 0 {
        sentence = format!("{sentence}, and {hanging_up} are being hung up");
    }
    if skipped > 0 {
        sentence = format!("{sentence}; {skipped} were left as they are");
    }
    sentence
}

impl Counted for pb::CancelCallsResponse {
    const WORDS: (&'static str, &'static str) = ("cancel", "canceled");

    fn resume_token(&self) -> Option<String> {
        self.resume_token.clone()
    }

    fn counts(&self) -> [i64; 4] {
        [self.matched_count.unwrap_or_default(), self.canceled_count, self.hanging_up_count, self.skipped_count]
    }

    fn after(mut self, earlier: &Self) -> Self {
        self.matched_count = self.matched_count.or(earlier.matched_count);
        self.canceled_count += earlier.canceled_count;
        self.hanging_up_count += earlier.hanging_up_count;
        self.skipped_count += earlier.skipped_count;
        self
    }
}

impl Counted for pb::RetryCallsResponse {
    const WORDS: (&'static str, &'static str) = ("retry", "retried");

    fn resume_token(&self) -> Option<String> {
        self.resume_token.clone()
    }

    fn counts(&self) -> [i64; 4] {
        [self.matched_count.unwrap_or_default(), self.retried_count, 0, self.skipped_count]
    }

    fn after(mut self, earlier: &Self) -> Self {
        self.matched_count = self.matched_count.or(earlier.matched_count);
        self.retried_count += earlier.retried_count;
        self.skipped_count += earlier.skipped_count;
        self
    }
}

impl Counted for pb::MoveCallsResponse {
    const WORDS: (&'static str, &'static str) = ("move", "moved");

    fn resume_token(&self) -> Option<String> {
        self.resume_token.clone()
    }

    fn counts(&self) -> [i64; 4] {
        [self.matched_count.unwrap_or_default(), self.moved_count, 0, self.skipped_count]
    }

    fn after(mut self, earlier: &Self) -> Self {
        self.matched_count = self.matched_count.or(earlier.matched_count);
        self.moved_count += earlier.moved_count;
        self.skipped_count += earlier.skipped_count;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_continues_another_one_adds_to_its_counts() {
        let earlier = pb::CancelCallsResponse {
            matched_count: Some(9),
            canceled_count: 5,
            skipped_count: 1,
            ..pb::CancelCallsResponse::default()
        };
        let rest = pb::CancelCallsResponse { canceled_count: 2, hanging_up_count: 1, ..Default::default() };
        let total = rest.after(&earlier);
        assert_eq!(total.counts(), [9, 7, 1, 1]);
        let expected = "7 of 9 calls are canceled, and 1 are being hung up; 1 were left as they are";
        assert_eq!(sentence(&total, false), expected);
    }
}
