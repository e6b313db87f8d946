//! What a lane knows of the destinations of clients, so that the commit of a claim looks up only those that may be new.

use std::collections::{HashMap, HashSet};

use crate::domain::brake::{self, Brake, BrakeCheck, Dialed};
use crate::domain::time::Millis;
use crate::store::brakes::{self, State};
use crate::store::{Conn, Result};

/// How many times held calls are made due after a brake was released: a lane may be about to hold some that it has read
/// before.
const PASSES: u8 = 3;

/// The destinations of the clients that may dial through a server. They are read again only if something changed.
#[derive(Default)]
pub struct Brakes {
    clients: HashMap<i64, Known>,
    /// How many times the held calls of each client are still to be made due.
    passes: HashMap<i64, u8>,
}

struct Known {
    version: i64,
    brake: Brake,
    dialed: HashMap<String, Dialed>,
}

/// What there is to do after the brakes were read.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Clients whose held calls go on.
    pub resume: Vec<i64>,
    /// Clients that were braked, about which no one has been told.
    pub announce: Vec<i64>,
}

/// What the brake says of a call, as far as was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All destinations of the call are known.
    Known,
    /// Some may be new: the commit of the claim decides.
    Unsure(BrakeCheck),
    /// The client is braked, and one of these destinations is new.
    Held(Vec<String>),
}

impl Brakes {
    /// Reads the brakes of these clients. Each has the limit on its calls to new destinations, which is 0 if there is none.
    pub async fn read(&mut self, conn: &mut Conn, limits: &[(i64, i32)]) -> Result<Tasks> {
        let ids: Vec<i64> = limits.iter().map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Ok(Tasks::default());
        }
        let states = brakes::states(conn, &ids).await?;
        let is_stale =
            |state: &&State| self.clients.get(&state.client_id).is_none_or(|known| known.version != state.version);
        let stale: HashMap<i64, State> =
            states.iter().filter(is_stale).map(|state| (state.client_id, *state)).collect();
        if !stale.is_empty() {
            let ids: Vec<i64> = stale.keys().copied().collect();
            let mut dialed = brakes::dialed(conn, &ids).await?;
            for (id, State { brake, version, .. }) in stale {
                let dialed = dialed.remove(&id).unwrap_or_default();
                self.clients.insert(id, Known { version, brake, dialed });
            }
        }
        let announce = states.iter().filter(|state| !state.announced).map(|state| state.client_id).collect();
        Ok(Tasks { resume: self.resume(limits), announce })
    }

    /// Returns the clients whose held calls go on: at first all, and later those that were braked until now.
    fn resume(&mut self, limits: &[(i64, i32)]) -> Vec<i64> {
        let present: HashSet<i64> = limits.iter().map(|(id, _)| *id).collect();
        self.clients.retain(|id, _| present.contains(id));
        self.passes.retain(|id, _| present.contains(id));
        let mut resume = Vec::new();
        for (id, limit) in limits {
            let is_braked = self.clients.get(id).is_some_and(|known| known.brake.braked_at.is_some());
            let passes = self.passes.entry(*id).or_insert(1);
            if is_braked && *limit > 0 {
                *passes = PASSES;
            } else if *passes > 0 {
                *passes -= 1;
                resume.push(*id);
            }
        }
        resume
    }

    /// Decides about a call that rings these numbers.
    #[must_use]
    pub fn judge(&self, client: i64, rings: &[String], limit: i32, now: Millis) -> Verdict {
        let codes = || rings.iter().filter_map(|number| brake::destination(number));
        let Some(known) = self.clients.get(&client) else {
            // The client's first attempt, with which it begins to learn.
            return Verdict::Unsure(BrakeCheck { limit, destinations: codes().map(str::to_owned).collect() });
        };
        let is_new = |code: &str| known.brake.is_new(known.dialed.get(code), now);
        // What the client calls while it learns is noted once.
        if codes().all(|code| known.dialed.contains_key(code) && !is_new(code)) {
            return Verdict::Known;
        }
        let destinations: Vec<String> = codes().map(str::to_owned).collect();
        if limit > 0 && known.brake.braked_at.is_some() && codes().any(is_new) {
            return Verdict::Held(destinations);
        }
        Verdict::Unsure(BrakeCheck { limit, destinations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::DAY;

    fn brakes(braked_at: Option<Millis>) -> Brakes {
        let brake = Brake { learns_from: Millis(0), braked_at };
        let dialed = |first_at| Dialed { first_at: Millis(first_at), released: false };
        let dialed = [("49".to_owned(), dialed(0)), ("44".to_owned(), dialed(2 * DAY))].into();
        Brakes { clients: [(1, Known { version: 1, brake, dialed })].into(), ..Brakes::default() }
    }

    #[test]
    fn the_commit_is_asked_only_about_what_may_be_new() {
        let now = Millis(2 * DAY + 1);
        let judge = |brakes: &Brakes, client, rings: &[&str], limit| {
            let rings: Vec<String> = rings.iter().map(|&number| number.to_owned()).collect();
            brakes.judge(client, &rings, limit, now)
        };
        let unsure = |codes: &[&str], limit| {
            Verdict::Unsure(BrakeCheck { limit, destinations: codes.iter().map(|&code| code.to_owned()).collect() })
        };
        let free = brakes(None);
        assert_eq!(judge(&free, 1, &["4930123401"], 9), Verdict::Known);
        assert_eq!(judge(&free, 1, &["030123401", "1000"], 9), Verdict::Known);
        assert_eq!(judge(&free, 1, &["4930123401", "4420794600"], 9), unsure(&["49", "44"], 9));
        assert_eq!(judge(&free, 1, &["3531234567"], 0), unsure(&["353"], 0));
        assert_eq!(judge(&free, 2, &["1000"], 9), unsure(&[], 9), "the first attempt of a client");
        let braked = brakes(Some(now));
        assert_eq!(judge(&braked, 1, &["4930123401"], 9), Verdict::Known);
        assert_eq!(judge(&braked, 1, &["4420794600"], 9), Verdict::Held(vec!["44".into()]));
        assert_eq!(judge(&braked, 1, &["3531234567"], 9), Verdict::Held(vec!["353".into()]));
        assert_eq!(judge(&braked, 1, &["3531234567"], 0), unsure(&["353"], 0), "the brake is off");
    }

    #[test]
    fn held_calls_go_on_at_the_start_and_after_a_release() {
        let mut brakes = brakes(None);
        let mut resumes = |braked_at, limit| {
            brakes.clients.get_mut(&1).expect("a client").brake.braked_at = braked_at;
            !brakes.resume(&[(1, limit)]).is_empty()
        };
        assert!(resumes(None, 9));
        assert!(!resumes(None, 9));
        assert!(!resumes(Some(Millis(5)), 9));
        assert!(resumes(Some(Millis(5)), 0), "the brake is off");
        assert!(resumes(None, 9) && resumes(None, 9) && !resumes(None, 9));
    }
}
