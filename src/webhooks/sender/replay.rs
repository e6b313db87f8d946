//! Posts dead letters once more, when an administrator asks for it.

use tokio::time::sleep;
use tracing::{info, warn};

use super::{End, NotPosted, STORE_AWAY, Sender};
use crate::store::{Result, dead_letters, events};
use crate::webhooks::post::Answer;

/// How many dead letters are posted before it is the turn of new events again.
const AT_ONCE: i64 = 32;

impl Sender {
    /// Posts the first dead letters that are to be posted once more. Returns None if the delivery can go on.
    ///
    /// A letter that the receiver refuses stays one. If there is no answer, all other letters stay dead letters as
    /// well: otherwise each would keep new events waiting for 10 s.
    pub(super) async fn replay_some(&mut self) -> Option<End> {
        match self.try_replay_some().await {
            Ok(end) => end,
            Err(error) => {
                warn!(webhook = self.webhook.id, %error, "cannot read or store a dead letter; trying again");
                tokio::select! {
                    () = self.stop.cancelled() => Some(End::Stopped),
                    () = sleep(STORE_AWAY) => None,
                }
            }
        }
    }

    async fn try_replay_some(&mut self) -> Result<Option<End>> {
        let (letters, mut found) = {
            let mut conn = self.shared.db.read().await?;
            let letters = dead_letters::to_replay(&mut conn, self.webhook.id, AT_ONCE).await?;
            let seqs: Vec<i64> = letters.iter().map(|letter| letter.seq).collect();
            let found = if seqs.is_empty() { Vec::new() } else { events::numbered(&mut conn, &seqs).await? };
            (letters, found.into_iter().peekable())
        };
        if letters.is_empty() {
            self.may_replay = false;
            return Ok(None);
        }
        let route = match self.route() {
            Ok(route) => route,
            Err(error) => return self.end_replay(&error.to_string()).await,
        };
        for letter in letters {
            let Some(event) = found.next_if(|event| event.seq == letter.seq) else {
                self.keep(letter.seq, "the event is not in the log").await?;
                continue;
            };
            let answer = match self.post(&route, &event).await {
                Ok(answer) => answer,
                Err(NotPosted::Stopped) => return Ok(Some(End::Stopped)),
                Err(NotPosted::Unreadable) => {
                    self.keep(letter.seq, "the event cannot be read").await?;
                    continue;
                }
            };
            match (answer.failure(), answer) {
                (None, _) => self.accepted(letter.seq).await?,
                (Some(why), Answer::Refused(_)) => self.keep(letter.seq, &why).await?,
                (Some(why), Answer::Gone) => {
                    self.end_replay(&why).await?;
                    return Ok(Some(End::Gone(why)));
                }
                (Some(why), Answer::Taken(_) | Answer::Nothing(_)) => return self.end_replay(&why).await,
            }
        }
        Ok(None)
    }

    async fn accepted(&self, seq: i64) -> Result<()> {
        let mut tx = self.shared.db.begin().await?;
        dead_letters::remove(&mut tx, self.webhook.id, seq).await?;
        tx.commit().await?;
        info!(webhook = self.webhook.id, seq, "the receiver accepted a dead letter");
        Ok(())
    }

    async fn keep(&self, seq: i64, why: &str) -> Result<()> {
        let mut tx = self.shared.db.begin().await?;
        dead_letters::refused_again(&mut tx, self.webhook.id, seq, why).await?;
        tx.commit().await
    }

    async fn end_replay(&mut self, why: &str) -> Result<Option<End>> {
        let mut tx = self.shared.db.begin().await?;
        dead_letters::end_replay(&mut tx, self.webhook.id, why).await?;
        tx.commit().await?;
        self.may_replay = false;
        Ok(None)
    }
}
