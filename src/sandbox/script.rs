//! The order of a call's events, copied from the traces.

use super::outcome::{Dialed, Outcome};

/// Identifies one leg of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The originated channel. For a Local channel this is the half `;1`.
    First,
    /// The half `;2` of a Local channel.
    Second,
    /// The channel that `Application: Dial` creates.
    Peer,
}

/// One event, or a pause. A step for a leg that the call does not have is skipped, so that one script serves both Local
/// and other channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    NewChannel(Side),
    /// The leg enters a dialplan application, with its data, at a priority.
    NewExten(Side, &'static str, &'static str, u8),
    NewAccountCode(Side),
    NewCallerId(Side),
    NewConnectedLine(Side),
    LocalBridge,
    DialBegin,
    DialState,
    /// The leg's state changes: 5 is ringing, 6 is up, 7 is busy.
    State(Side, u8),
    /// Dialing ended with this `DialStatus`.
    DialEnd(&'static str),
    PeerDialBegin,
    PeerDialState,
    PeerDialEnd(&'static str),
    BridgeCreate,
    BridgeEnter(Side),
    BridgeLeave(Side),
    BridgeDestroy,
    /// The `OriginateResponse` with its reason, where 4 means success.
    Response(u8),
    SoftHangupRequest(Side, u16),
    HangupRequest(Side, u16),
    Hangup(Side, u16),
    Cdr(Side),
    /// The dialplan sends `UserEvent(Trunkline,…)`.
    Report,
    Wait(Pause),
    /// The A leg has answered: the application starts.
    Run,
}

/// How long a pause lasts, in the phone's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// It takes 0.1 to 0.5 s until the far end gives any sign.
    Setup,
    /// The phone rings for 1 to 4 s.
    Ring,
    /// The phone rings for 25 s.
    LongRing,
    /// The call lasts 3 to 20 s, or until the application ends.
    Talk,
    /// The far end waits for 0.2 s.
    Moment,
    Forever,
}

use Pause::{Forever, LongRing, Moment, Ring, Setup, Talk};
use Side::{First, Peer, Second};
use Step::*;

const OPEN: &[Step] = &[
    NewChannel(First),
    NewChannel(Second),
    NewExten(First, "AppDial2", "(Outgoing Line)", 1),
    NewAccountCode(First),
    NewCallerId(First),
    NewConnectedLine(First),
    NewCallerId(Second),
    NewAccountCode(Second),
    NewConnectedLine(Second),
];

const RING: &[Step] = &[DialBegin, Wait(Setup), NewExten(Second, "Ringing", "", 1), State(First, 5), DialState];
const ANSWER: &[Step] =
    &[NewExten(Second, "Answer", "", 1), State(Second, 6), State(First, 6), DialEnd("ANSWER"), Response(4)];
const FAR_END_HANGS_UP: &[Step] = &[
    NewExten(Second, "Hangup", "", 3),
    SoftHangupRequest(Second, 16),
    HangupRequest(First, 16),
    Hangup(Second, 16),
    Cdr(Second),
    Hangup(First, 16),
    Cdr(First),
];
const APPLICATION_ENDS: &[Step] = &[
    HangupRequest(Second, 0),
    SoftHangupRequest(Second, 16),
    Hangup(Second, 0),
    Hangup(First, 0),
    Cdr(First),
    Cdr(Second),
];
const BUSY: &[Step] = &[
    DialBegin,
    Wait(Setup),
    NewExten(Second, "Busy", "1", 1),
    State(Second, 7),
    DialEnd("BUSY"),
    HangupRequest(Second, 0),
    Response(5),
    SoftHangupRequest(Second, 16),
];
const CONGESTION: &[Step] = &[
    Wait(Setup),
    NewExten(Second, "Congestion", "1", 1),
    State(Second, 7),
    DialBegin,
    DialEnd("CONGESTION"),
    HangupRequest(Second, 0),
    SoftHangupRequest(Second, 16),
];
const NO_ANSWER: &[Step] = &[
    DialBegin,
    Wait(Setup),
    NewExten(Second, "Ringing", "", 1),
    State(First, 5),
    NewExten(Second, "Wait", "30", 2),
    DialState,
    Wait(Forever),
];
const UNALLOCATED: &[Step] = &[
    DialBegin,
    Wait(Setup),
    NewExten(Second, "Hangup", "1", 1),
    SoftHangupRequest(Second, 16),
    HangupRequest(First, 1),
    Hangup(Second, 1),
    DialEnd("NOANSWER"),
    Response(0),
    Hangup(First, 1),
];

const PEER: &[Step] = &[
    NewChannel(Peer),
    NewExten(Peer, "AppDial", "(Outgoing Line)", 1),
    NewCallerId(Peer),
    NewAccountCode(Peer),
    NewConnectedLine(Peer),
    Wait(Setup),
];
const PEER_RINGS: &[Step] = &[State(Peer, 5), PeerDialBegin, NewConnectedLine(First), PeerDialState];
const PEER_ANSWERS: &[Step] = &[
    State(Peer, 6),
    PeerDialEnd("ANSWER"),
    BridgeCreate,
    NewExten(Peer, "AppDial", "(Outgoing Line)", 1),
    BridgeEnter(Peer),
    BridgeEnter(First),
];
const PEER_HANGS_UP: &[Step] = &[
    HangupRequest(Peer, 16),
    BridgeLeave(Peer),
    BridgeLeave(First),
    BridgeDestroy,
    Hangup(Peer, 16),
    SoftHangupRequest(First, 16),
    HangupRequest(Second, 16),
    Hangup(First, 16),
    Cdr(First),
    Hangup(Second, 16),
    Cdr(Second),
];

/// Returns the steps from the Originate to [`Step::Run`], or to the end if the call is not answered.
pub fn of_call(dialed: &Dialed) -> Vec<Step> {
    let answer = |wait: &[Step]| [OPEN, &[LocalBridge], RING, wait, ANSWER, &[Run]].concat();
    let at_once = || [OPEN, &[LocalBridge, DialBegin], ANSWER, &[Run]].concat();
    let refused = |steps: &[Step], end: &[Step]| [OPEN, &[LocalBridge], steps, end].concat();
    match dialed.outcome {
        Outcome::NoChannel => vec![Response(0)],
        Outcome::NoSuchExtension if dialed.local => {
            [OPEN, &[Hangup(Second, 0), Response(0), Hangup(First, 0)]].concat()
        }
        Outcome::Unreachable => [OPEN, &[DialBegin, Response(3), Hangup(First, 19)]].concat(),
        Outcome::AnswerAtOnce | Outcome::Talk => at_once(),
        Outcome::Answer | Outcome::NeverHangsUp | Outcome::LostResponse | Outcome::Reports => answer(&[Wait(Ring)]),
        Outcome::SlowAnswer => answer(&[Wait(LongRing)]),
        Outcome::Busy if dialed.local => refused(BUSY, &[Hangup(First, 0), Hangup(Second, 17)]),
        Outcome::Busy => refused(BUSY, &[Hangup(First, 17)]),
        Outcome::Congestion if dialed.local => {
            refused(CONGESTION, &[Hangup(First, 0), Response(8), Hangup(Second, 34)])
        }
        Outcome::Congestion => refused(CONGESTION, &[Response(8), Hangup(First, 34)]),
        Outcome::NoAnswer => refused(NO_ANSWER, &[]),
        Outcome::Unallocated | Outcome::NoSuchExtension => refused(UNALLOCATED, &[]),
    }
}

/// Returns the steps after the answer if no `Dial` runs.
pub fn of_talk(outcome: Outcome) -> Vec<Step> {
    match outcome {
        Outcome::AnswerAtOnce => [&[NewExten(Second, "Wait", "0.2", 2), Wait(Moment)], FAR_END_HANGS_UP].concat(),
        Outcome::Talk => [&[NewExten(Second, "Wait", "5", 2), Wait(Talk)], APPLICATION_ENDS].concat(),
        Outcome::NeverHangsUp => vec![Wait(Forever)],
        Outcome::Reports => [&[Report, NewExten(Second, "Wait", "5", 2), Wait(Talk)], FAR_END_HANGS_UP].concat(),
        _ => [&[NewExten(Second, "Wait", "5", 2), Wait(Talk)], FAR_END_HANGS_UP].concat(),
    }
}

/// Returns the steps after the answer if `Dial` calls a second leg.
pub fn of_dial(outcome: Outcome, first: Outcome) -> Vec<Step> {
    let refused = |status, cause| {
        let end = [
            PeerDialBegin,
            PeerDialEnd(status),
            Hangup(Peer, cause),
            SoftHangupRequest(First, 16),
            Hangup(First, 16),
            Cdr(First),
            Hangup(Second, 16),
            Cdr(Second),
        ];
        [PEER, &end].concat()
    };
    match outcome {
        Outcome::Busy => refused("BUSY", 17),
        Outcome::Congestion => refused("CONGESTION", 34),
        Outcome::Unallocated | Outcome::NoSuchExtension => refused("CHANUNAVAIL", 1),
        Outcome::NoAnswer | Outcome::Unreachable => {
            [PEER, PEER_RINGS, &[Wait(LongRing)], &refused("NOANSWER", 19)[PEER.len() + 1..]].concat()
        }
        Outcome::NoChannel => {
            [SoftHangupRequest(First, 16), Hangup(First, 16), Cdr(First), Hangup(Second, 16), Cdr(Second)].to_vec()
        }
        outcome => {
            let ring = if outcome == Outcome::SlowAnswer { LongRing } else { Ring };
            let stay = [outcome, first].contains(&Outcome::NeverHangsUp);
            let talk = if stay { Forever } else { Talk };
            [PEER, PEER_RINGS, &[Wait(ring)], PEER_ANSWERS, &[Wait(talk)], PEER_HANGS_UP].concat()
        }
    }
}

/// Returns the steps of an Originate that is refused because of a channel id conflict.
pub fn refused() -> Vec<Step> {
    vec![Response(0)]
}

/// Returns the steps of a call that was not answered in time.
pub fn timed_out(local: bool) -> Vec<Step> {
    if local {
        vec![
            HangupRequest(Second, 19),
            SoftHangupRequest(Second, 16),
            Hangup(First, 19),
            Hangup(Second, 19),
            Response(3),
        ]
    } else {
        vec![Response(3), Hangup(First, 19)]
    }
}

/// Returns the steps of a call that is ended by a `Hangup` action.
pub fn hung_up(answered: bool, cause: u16) -> Vec<Step> {
    let begin: &[Step] = if answered {
        &[BridgeLeave(Peer), BridgeLeave(First), BridgeDestroy]
    } else {
        &[DialEnd("NOANSWER"), Response(1)]
    };
    let end = [
        SoftHangupRequest(First, cause),
        HangupRequest(Second, cause),
        Hangup(Peer, cause),
        Hangup(First, cause),
        Hangup(Second, cause),
        Cdr(First),
        Cdr(Second),
    ];
    [begin, &end].concat()
}
