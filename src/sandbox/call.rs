//! One call of the sandbox: its legs, and the rest of its script.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;
use tokio_util::time::delay_queue::Key;

use super::outcome::Dialed;
use super::script::{Side, Step};

/// A channel.
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

/// A number and a name, both unknown until they are set.
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
    /// Context and extension, where no application was asked for.
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
    /// First, second, peer: there as long as they live.
    pub legs: [Option<Leg>; 3],
    /// What is known of the legs that Cdr needs after they hung up.
    pub gone: [Option<Leg>; 3],
    /// The A leg's Uniqueid.
    pub id: String,
    pub second_id: String,
    pub script: VecDeque<Step>,
    /// Nobody answering by then ends the call.
    pub deadline: Instant,
    pub began: Instant,
    /// Up to when its script was played. Pauses count from here, so that a late wake-up makes none of them longer.
    pub at: Instant,
    pub answered: Option<Instant>,
    /// What wakes it for its next step.
    pub timer: Option<Key>,
    pub bridge: Option<Bridge>,
    /// Channel variables, set by the Originate and by Setvar.
    pub variables: HashMap<String, String>,
}

/// The bridge of the two legs of a `Dial`.
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
    /// From `"Name" <number>`, `Name <number>` or a number alone.
    pub fn parse(caller_id: &str) -> Self {
        let some = |text: &str| Some(text.trim().trim_matches('"').to_owned()).filter(|text| !text.is_empty());
        match caller_id.split_once('<') {
            Some((name, number)) => Self { number: some(number.trim_end_matches('>')), name: some(name) },
            None => Self { number: some(caller_id), name: None },
        }
    }
}

impl Call {
    /// A leg while it lives.
    pub fn leg(&self, side: Side) -> Option<&Leg> {
        self.legs[side.index()].as_ref()
    }

    /// The leg that runs the dialplan: the only one, or a Local channel's second half.
    pub fn dialplan_side(&self) -> Side {
        if self.dialed.local { Side::Second } else { Side::First }
    }

    /// A leg, living or gone.
    pub fn known_leg(&self, side: Side) -> Option<&Leg> {
        self.leg(side).or(self.gone[side.index()].as_ref())
    }

    /// Sets a leg's state before the event that tells it.
    pub fn prepare(&mut self, step: Step) {
        if let (Step::PeerDialEnd("ANSWER"), [.., Some(peer)]) = (step, &mut self.legs) {
            // As traced: a leg that answered stands nowhere in the dialplan.
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

    /// Whether a step says anything in this call: a leg that it does not have, or a caller id that nobody set, does
    /// not.
    pub fn says(&self, step: Step) -> bool {
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
            // Asterisk keeps no record of a call that nobody answered, unless told to.
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
