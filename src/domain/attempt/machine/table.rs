//! Holds the tables of the module's documentation to the code: every signal in every state.

use std::collections::{BTreeMap, BTreeSet};

use super::tests::{attempt, cdr, gone, leg, originated, up};
use super::*;
use crate::domain::attempt::channel_id::Conflict;
use crate::domain::attempt::{DialStatus, LiveLeg};
use crate::domain::cdr::Disposition;

/// The documentation of the module that holds the table.
const DOCS: &str = include_str!("../mod.rs");

/// What a cell says if the signal changes nothing.
const NOTHING: &str = "·";

/// The state that a column stands for.
struct State {
    /// What the column is called.
    name: &'static str,
    /// How the state is reached.
    signals: Vec<Signal>,
    /// What is read off an attempt.
    reads: Reads,
}

#[derive(Clone, Copy)]
enum Reads {
    Phase,
    Doubt,
    /// The client chose the channel id.
    ChannelId,
    EndRequest,
    Recorder,
}

/// Every signal by its name in the tables. One that does different things in one state has several.
fn signals() -> Vec<(&'static str, Vec<Signal>)> {
    let found = |a_leg| Signal::Found { legs: vec![LiveLeg { uniqueid: "c".into(), name: "PJSIP/c".into() }], a_leg };
    let state = |state| Signal::StateChanged { name: "PJSIP/c".into(), state };
    vec![
        ("`Accepted`", vec![Signal::Accepted]),
        ("`Refused`", vec![Signal::Refused { text: "no".into() }]),
        ("`LegAppeared`", vec![leg("c")]),
        ("`StateChanged` ringing", vec![state(ALegState::Ringing)]),
        ("`StateChanged` up", vec![state(ALegState::Up)]),
        ("`StateChanged` other", vec![state(ALegState::Other)]),
        ("`Ringing`", vec![Signal::Ringing]),
        ("`DialEnded` answer", vec![Signal::DialEnded(DialStatus::Answer)]),
        ("`DialEnded` other", vec![Signal::DialEnded(DialStatus::Busy)]),
        ("`Originated` success", vec![originated(true, 4)]),
        ("`Originated` failure", vec![originated(false, 0)]),
        ("`Bridged`", vec![Signal::Bridged]),
        ("`LegGone` last", vec![gone("c", 17)]),
        ("`LegGone` other", vec![gone("x", 17)]),
        ("`CdrReceived` answer", vec![cdr(Disposition::Answered)]),
        ("`CdrReceived` other", vec![cdr(Disposition::NoAnswer)]),
        ("`ConnectionLost`", vec![Signal::ConnectionLost]),
        ("`Found` ringing", vec![found(ALegState::Ringing)]),
        ("`Found` up", vec![found(ALegState::Up)]),
        ("`Found` other", vec![found(ALegState::Other)]),
        ("`Missing`", vec![Signal::Missing]),
        ("`Missing` twice", vec![Signal::ConnectionLost, Signal::Missing, Signal::Missing]),
        ("`Abandoned`", vec![Signal::Abandoned]),
        ("`ChannelIdTaken`", vec![Signal::ChannelIdTaken]),
        ("`ChannelIdFree`", vec![Signal::ChannelIdFree]),
        ("`GraceOver`", vec![Signal::GraceOver]),
        ("`Tick`", vec![Signal::Tick]),
        ("`EndRequested`", vec![Signal::EndRequested]),
        ("`Overlong`", vec![Signal::Overlong { longest: Duration::from_secs(60) }]),
        ("`MixMonitorAnswered` started", vec![records()]),
        ("`MixMonitorAnswered` failed", vec![Signal::MixMonitorAnswered(Err("no".into()))]),
        ("`MixMonitorStopped`", vec![Signal::MixMonitorStopped]),
        ("`Noted`", vec![Signal::Noted("a note".into())]),
    ]
}

/// The signal's name, to which [`signals`] adds what it says. A new signal is added to both.
fn name(signal: &Signal) -> &'static str {
    match signal {
        Signal::Accepted => "`Accepted`",
        Signal::Refused { .. } => "`Refused`",
        Signal::LegAppeared { .. } => "`LegAppeared`",
        Signal::StateChanged { .. } => "`StateChanged`",
        Signal::Ringing => "`Ringing`",
        Signal::DialEnded(_) => "`DialEnded`",
        Signal::Originated { .. } => "`Originated`",
        Signal::Bridged => "`Bridged`",
        Signal::LegGone { .. } => "`LegGone`",
        Signal::CdrReceived(_) => "`CdrReceived`",
        Signal::ConnectionLost => "`ConnectionLost`",
        Signal::Found { .. } => "`Found`",
        Signal::Missing => "`Missing`",
        Signal::Abandoned => "`Abandoned`",
        Signal::ChannelIdTaken => "`ChannelIdTaken`",
        Signal::ChannelIdFree => "`ChannelIdFree`",
        Signal::GraceOver => "`GraceOver`",
        Signal::Tick => "`Tick`",
        Signal::EndRequested => "`EndRequested`",
        Signal::Overlong { .. } => "`Overlong`",
        Signal::MixMonitorAnswered(_) => "`MixMonitorAnswered`",
        Signal::MixMonitorStopped => "`MixMonitorStopped`",
        Signal::Noted(_) => "`Noted`",
    }
}

/// The states of each table, in the order of its columns.
fn tables() -> [Vec<State>; 3] {
    let state = |reads| move |name, signals: &[Signal]| State { name, signals: signals.to_vec(), reads };
    let (phase, doubt, id) = (state(Reads::Phase), state(Reads::Doubt), state(Reads::ChannelId));
    let (end, recorder) = (state(Reads::EndRequest), state(Reads::Recorder));
    [
        vec![
            phase("dialing", &[leg("c")]),
            phase("ringing", &[leg("c"), Signal::Ringing]),
            phase("answered", &[leg("c"), up()]),
            phase("failed", &[leg("c"), originated(false, 5)]),
            phase("gone", &[leg("c"), gone("c", 17)]),
        ],
        vec![
            doubt("lives", &[]),
            doubt("in doubt", &[Signal::ConnectionLost]),
            doubt("missed once", &[Signal::ConnectionLost, Signal::Missing]),
            id("id unseen", &[]),
            id("id refused", &[originated(false, 0)]),
            id("id undecided", &[originated(false, 0), Signal::GraceOver]),
        ],
        vec![
            end("not requested", &[leg("c")]),
            end("requested", &[leg("c"), Signal::EndRequested]),
            recorder("idle", &[leg("c")]),
            recorder("asked", &[leg("c"), leg("x"), up()]),
            recorder("running", &[leg("c"), leg("x"), up(), records()]),
        ],
    ]
}

fn records() -> Signal {
    Signal::MixMonitorAnswered(Ok("/recordings/a.wav".into()))
}

fn read(attempt: &Attempt, reads: Reads) -> &'static str {
    match reads {
        _ if attempt.is_over() => "over",
        Reads::Phase => match attempt.phase() {
            Phase::Dialing => "dialing",
            Phase::Ringing => "ringing",
            Phase::Answered => "answered",
            Phase::Failed => "failed",
            Phase::Gone => "gone",
            Phase::Over => "over",
        },
        Reads::Doubt => match attempt.liveness.doubt() {
            Doubt::No => "lives",
            Doubt::Unconfirmed { .. } => "in doubt",
            Doubt::MissedOnce { .. } => "missed once",
        },
        Reads::ChannelId => match attempt.channel_id {
            ChannelId::Clients { conflict: Conflict::Possible, .. } => "id refused",
            ChannelId::Clients { conflict: Conflict::SnapshotRequested, .. } => "id undecided",
            ChannelId::Clients { appeared: false, .. } => "id unseen",
            ChannelId::Clients { appeared: true, .. } | ChannelId::Made => "id own",
        },
        Reads::EndRequest if attempt.end_requested.is_some() => "requested",
        Reads::EndRequest => "not requested",
        Reads::Recorder => match attempt.recorder {
            Recorder::Off => "off",
            Recorder::Idle(_) => "idle",
            Recorder::Asked(_) => "asked",
            Recorder::Running { .. } => "running",
            Recorder::Over => "stopped",
        },
    }
}

/// What the code does with these signals in a state, as a cell says it.
fn cell(state: &State, signals: &[Signal]) -> &'static str {
    let (mut attempt, now) = attempt();
    if matches!(state.reads, Reads::ChannelId) {
        attempt.channel_id = ChannelId::of(&attempt.claim);
    }
    for signal in &state.signals {
        attempt.apply(signal.clone(), now);
    }
    assert_eq!(read(&attempt, state.reads), state.name);
    // So much later that everything is due.
    let later = Now { instant: now.instant + Duration::from_secs(3600), ..now };
    let effects: Vec<Effect> = signals.iter().flat_map(|signal| attempt.apply(signal.clone(), later)).collect();
    let hangs_up = effects.iter().any(|effect| matches!(effect, Effect::HangUp { .. }));
    match read(&attempt, state.reads) {
        same if same == state.name && matches!(state.reads, Reads::EndRequest) && hangs_up => "HangUp",
        same if same == state.name => NOTHING,
        other => other,
    }
}

/// One table of the documentation: the names of its columns, and the cells of each signal.
type Table = (Vec<&'static str>, BTreeMap<&'static str, Vec<&'static str>>);

/// Reads the tables from the documentation.
fn documented() -> Vec<Table> {
    let mut tables: Vec<Table> = Vec::new();
    for line in DOCS.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let mut cells = line.trim_end_matches(" |").split(" | ");
        match (cells.next().unwrap_or_default(), tables.last_mut()) {
            ("signal", _) => tables.push((cells.collect(), BTreeMap::new())),
            ("---", _) | (_, None) => {}
            (signals, Some((_, rows))) => {
                let cells: Vec<&str> = cells.collect();
                for signal in signals.split(", ") {
                    assert!(rows.insert(signal, cells.clone()).is_none(), "{signal} has two rows in one table");
                }
            }
        }
    }
    tables
}

#[test]
fn the_documented_tables_are_what_the_code_does() {
    let documented = documented();
    let (tables, signals) = (tables(), signals());
    assert_eq!(documented.len(), tables.len());
    for ((columns, rows), states) in documented.iter().zip(&tables) {
        assert_eq!(*columns, states.iter().map(|state| state.name).collect::<Vec<_>>());
        let unknown: Vec<_> = rows.keys().filter(|row| !signals.iter().any(|(name, _)| name == *row)).collect();
        assert!(unknown.is_empty(), "no signal is called {unknown:?}");
        for (name, signals) in &signals {
            // What stands in the first table as the second of two is two signals, not a third one.
            if *name == "`Missing` twice" && !rows.contains_key(name) {
                continue;
            }
            let does: Vec<&str> = states.iter().map(|state| cell(state, signals)).collect();
            let says = rows.get(name).cloned().unwrap_or_else(|| vec![NOTHING; states.len()]);
            assert_eq!(says, does, "{name}, of which the table says the first and the code does the second");
        }
    }
    let first: BTreeSet<&str> = documented[0].1.keys().copied().collect();
    for (name_here, of_name) in &signals {
        assert!(first.contains(name_here), "the first table has every signal, but not {name_here}");
        assert!(of_name.last().is_some_and(|signal| name_here.starts_with(name(signal))), "{name_here}");
    }
}
