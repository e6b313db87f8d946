//! Commits what happens in a lane, in groups: whatever has come in while the last commit ran goes into the next.
//!
//! Nothing is ever dropped. While the store is away the group waits and grows, and the lane goes on following its live
//! calls; new ones are not begun, because a claim is only granted by a commit.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::{error, warn};

use super::metrics;
use crate::domain::commit::{Claim, Expiry, Group};
use crate::domain::ids::CallId;
use crate::store::journal::{LaneRef, commit};
use crate::store::{Db, StoreError};

/// What became of a group.
#[derive(Debug)]
pub enum Committed {
    /// It is durable; of its claims these were granted.
    Group { claims: Vec<Claim>, granted: HashSet<CallId>, expired: Vec<Expiry> },
    /// Another node owns the lane: nothing more will be committed.
    Fenced,
}

/// The greatest number of the lane's groups that one commit joins: it bounds the time of the commit, and so how long
/// the next claim waits.
const JOINED: usize = 1024;

/// From the begin of one group to that of the next at least: a commit costs nearly as much for one call as for ten, and
/// what it costs, Asterisk lacks where it shares the machine. A group that comes alone does not wait.
const PACE: Duration = Duration::from_millis(5);

/// The same under load, where waiting costs no call anything that it would notice.
const LOADED_PACE: Duration = Duration::from_millis(20);

/// How much the groups of a second hold from which on they come less often.
const LOAD: f64 = 2000.0;

/// Starts the journal of a lane. It ends when its sender is dropped and all is committed.
pub fn start(db: Db, lane: LaneRef) -> (mpsc::UnboundedSender<Group>, mpsc::UnboundedReceiver<Committed>) {
    let (groups, mut arriving) = mpsc::unbounded_channel();
    let (committed, answers) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut number = 0;
        let mut taken = Vec::new();
        let (mut began, mut pace) = (Instant::now(), PACE);
        loop {
            sleep_until(began + pace).await;
            if arriving.recv_many(&mut taken, JOINED).await == 0 {
                return;
            }
            let mut group = Group::default();
            taken.drain(..).for_each(|later| group.append(later));
            number += 1;
            pace = pace_behind(group.len());
            began = Instant::now();
            let Some((group, granted)) = commit_surely(&db, &lane, number, group).await else {
                let _ = committed.send(Committed::Fenced);
                return;
            };
            metrics::committed(&lane.server, &group, granted.len(), began.elapsed());
            if !(group.claims.is_empty() && group.expiries.is_empty()) {
                let answer = Committed::Group { claims: group.claims, granted, expired: group.expiries };
                // The lane may have ended first; the commit stands.
                let _ = committed.send(answer);
            }
        }
    });
    (groups, answers)
}

/// How long to wait from the begin of a group of that size: groups that come at the rate of [`LOAD`] stay as they are,
/// more grow together to [`LOADED_PACE`], and fewer fall apart to [`PACE`].
fn pace_behind(size: usize) -> Duration {
    let size = f64::from(u32::try_from(size).unwrap_or(u32::MAX));
    Duration::from_secs_f64(size / LOAD).clamp(PACE, LOADED_PACE)
}

/// Tries until the group is durable. Returns None if the lane is over: another node owns it, or what it knows of a
/// call contradicts the rules, so that it must read its calls from the store again.
async fn commit_surely(db: &Db, lane: &LaneRef, number: i64, mut group: Group) -> Option<(Group, HashSet<CallId>)> {
    let mut wait = Duration::from_millis(20);
    loop {
        let (store, owned) = (db.clone(), lane.clone());
        let committed = async move { (commit(&store, &owned, number, &group).await, group) };
        let (result, back) = db.run(committed).await;
        group = back;
        match result {
            Ok(granted) => return Some((group, granted)),
            Err(error @ StoreError::Fenced { .. }) => {
                warn!(server = %lane.server, %error, "this node's lane is over");
                return None;
            }
            Err(error @ StoreError::IllegalTransition(_)) => {
                error!(server = %lane.server, %error, "cannot commit; the lane ends and is started from the store");
                return None;
            }
            Err(error) => {
                error!(server = %lane.server, %error, "cannot commit, and tries again");
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(2));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a millisecond brings is the same; only how it is cut into groups settles.
    fn settled(per_millisecond: usize) -> Duration {
        (0..100).fold(PACE, |pace, _| pace_behind(usize::try_from(pace.as_millis()).unwrap() * per_millisecond))
    }

    #[test]
    fn groups_come_less_often_under_load_and_fast_again_behind_it() {
        assert_eq!((settled(0), settled(1)), (PACE, PACE));
        assert_eq!((settled(4), settled(100)), (LOADED_PACE, LOADED_PACE));
        assert_eq!(pace_behind(0), PACE);
    }
}
