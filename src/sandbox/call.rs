//! One call of the sandbox: its legs, and the part of its script that is still to be played.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;
use tokio_util::time::delay_queue::Key;

use super::outcome::Dialed;
use super::script::{Side, Step};

/// A channel of a call, with the fields that events show.
#[derive(Clone, Debug)]
pub struct Leg {
    pub name: String,
    pub uniqueid: String,
    pub state: u8,
    pub caller: Party,
    pub connected: Party,
    pub account: String,
    pub context: String,
    pub exten: String,
    pub priority: u8,
    pub application: String,
    pub application_data: String,
    pub began: Instant,
}

/// A caller's number and name. Both are unknown until they are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    pub number: Option<String>,
    pub name: Option<String>,
}

/// What an Originate asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    pub action_id: String,
    pub channel: String,
    pub application: String,
    pub data: String,
    /// The context and the extension, if no application was asked for.
    pub extension: Option<(String, String)>,
    pub caller: Party,
    pub account: String,
}

/// A call from its Originate to its last Hangup.
#[derive(Debug)]
pub struct Call {
    pub asked: Asked,
    pub dialed: Dialed,
    pub peer_dialed: Option<Dialed>,
    /// The live legs: first, second and peer.
    pub legs: [Option<Leg>; 3],
    /// Legs that have hung up, which the CDRs still need.
    pub gone: [Option<Leg>; 3],
    /// The A leg's Uniqueid.
    pub id: String,
    pub second_id: String,
    pub script: VecDeque<Step>,
    /// The call ends at this time if it has not been answered.
    pub deadline: Instant,
    pub began: Instant,
    /// The time up to which the script has been played. Pauses count from here, so that a late wake-up makes none
    /// longer.
    pub at: Instant,
    pub answered: Option<Instant>,
    /// The timer of the next step.
    pub timer: Option<Key>,
    pub bridge: Option<Bridge>,
    /// The channel variables, set by the Originate and by Setvar.
    pub variables: HashMap<String, String>,
}

/// The bridge between the two legs of a `Dial`.
#[derive(Clone, Debug)]
pub struct Bridge {
    pub id: String,
    pub channels: u8,
}

impl Side {
    pub fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
            Self::Peer => 2,
        }
    }
}

impl Party {
    /// Parses `"Name" <number>`, `Name <number>` or a number alone.
    pub fn parse(caller_id: &str) -> Self {
        let some = |text: &str| Some(text.trim().trim_matches('"').to_owned()).filter(|text| !text.is_empty());
        match caller_id.split_once('<') {
            Some((name, number)) => Self { number: some(number.trim_end_matches('>')), name: some(name) },
            None => Self { number: some(caller_id), name: None },
        }
    }
}

impl Call {
    /// Returns a leg if it is live.
    pub fn leg(&self, side: Side) -> Option<&Leg> {
        self.legs[side.index()].as_ref()
    }

    /// Returns the leg that runs the dialplan: the only one, or a Local channel's second half.
    pub fn dialplan_side(&self) -> Side {
        if self.dialed.local { Side::Second } else { Side::First }
    }

    /// Returns a leg, whether it is live or has hung up.
    pub fn known_leg(&self, side: Side) -> Option<&Leg> {
        self.leg(side).or(self.gone[side.index()].as_ref())
    }

    /// Sets a leg's state before the event that reports it.
    pub fn prepare(&mut self, step: Step) {
        if let (Step::PeerDialEnd("ANSWER"), [.., Some(peer)]) = (step, &mut self.legs) {
            // As traced: a leg that has answered has no extension in the dialplan.
            peer.exten.clear();
        }
        let caller = self.asked.caller.clone();
        let account = self.asked.account.clone();
        let by = |party: &Party| Party { number: Some("s".to_owned()), name: party.name.clone() };
        let (Step::NewExten(side, ..)
        | Step::NewAccountCode(side)
        | Step::NewCallerId(side)
        | Step::NewConnectedLine(side)
        | Step::State(side, _)) = step
        else {
            return;
        };
        let has_peer = self.legs[Side::Peer.index()].is_some();
        let Some(leg) = &mut self.legs[side.index()] else { return };
        match (step, side) {
            (Step::State(_, state), _) => leg.state = state,
            (Step::NewExten(_, application, data, priority), _) => {
                application.clone_into(&mut leg.application);
                data.clone_into(&mut leg.application_data);
                leg.priority = priority;
                if side == Side::Peer {
                    (leg.caller, leg.connected, leg.account) = (by(&caller), caller, account);
                }
            }
            (Step::NewAccountCode(_), _) => leg.account = account,
            (Step::NewCallerId(_), Side::First) => leg.caller = caller,
            (Step::NewCallerId(_), Side::Second) => {
                (leg.caller, leg.connected, leg.account) = (caller.clone(), caller, account);
            }
            (Step::NewConnectedLine(_), Side::First) => leg.connected = if has_peer { by(&caller) } else { caller },
            _ => {}
        }
    }

    /// Returns true if a step causes an event in this call. A step for a leg that the call does not have, or for a
    /// caller id that was not set, does not.
    pub fn has_event(&self, step: Step) -> bool {
        match step {
            Step::NewChannel(_) | Step::Response(_) | Step::Wait(_) | Step::Run => true,
            Step::NewAccountCode(side) => self.leg(side).is_some() && !self.asked.account.is_empty(),
            Step::NewCallerId(side) | Step::NewConnectedLine(side) => {
                self.leg(side).is_some() && self.asked.caller != Party::default()
            }
            Step::NewExten(side, ..)
            | Step::State(side, _)
            | Step::SoftHangupRequest(side, _)
            | Step::HangupRequest(side, _)
            | Step::Hangup(side, _) => self.leg(side).is_some(),
            // By default Asterisk writes no CDR for a call that was not answered.
            Step::Cdr(side) => side != Side::Peer && self.known_leg(side).is_some() && self.answered.is_some(),
            Step::LocalBridge => self.leg(Side::Second).is_some(),
            Step::Report => self.leg(self.dialplan_side()).is_some(),
            Step::DialBegin | Step::DialState => self.leg(Side::First).is_some(),
            Step::DialEnd(_) => self.known_leg(Side::First).is_some(),
            Step::PeerDialBegin | Step::PeerDialState | Step::PeerDialEnd(_) => self.leg(Side::Peer).is_some(),
            Step::BridgeEnter(side) | Step::BridgeLeave(side) => self.bridge.is_some() && self.leg(side).is_some(),
            Step::BridgeCreate | Step::BridgeDestroy => self.bridge.is_some(),
        }
    }
}
