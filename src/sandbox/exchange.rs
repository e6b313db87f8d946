//! The calls of a sandbox: one task that owns all of them and plays the script of each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::time::DelayQueue;

use super::call::{Bridge, Call, Leg, Party};
use super::options::Options;
use super::outcome::{Dialed, Outcome};
use super::render::{self, Clock};
use super::script::{self, Side, Step};
use super::seen::Seen;
use super::subscribers::{Mask, Subscribers};
use super::timing::Timing;
use crate::ami::Message;
use crate::domain::time::Millis;

/// A message from a session or a handle to the exchange.
pub enum Order {
    /// A client logged in. Its answers and events are sent to `out`.
    Join { session: u64, out: mpsc::UnboundedSender<Bytes>, mask: Mask },
    /// The client's connection has ended.
    Leave { session: u64 },
    /// The client sent an action.
    Act { session: u64, action: Message },
    /// Closes all connections at once.
    Cut,
    /// Stops answering and sending events, or starts again.
    Mute(bool),
    /// Asks for the Uniqueids of all live channels.
    Live(oneshot::Sender<Vec<String>>),
}

/// All calls and sessions. The actions are in `actions.rs`.
pub struct Exchange {
    pub(super) subscribers: Subscribers,
    pub(super) timing: Timing,
    pub(super) calls: HashMap<u64, Call>,
    /// Live channels by Uniqueid. They are ordered, because a new id must not be a prefix of a live one.
    pub(super) ids: BTreeMap<String, (u64, Side)>,
    /// Live channels by their name.
    pub(super) names: HashMap<String, (u64, Side)>,
    pub(super) seen: Arc<Seen>,
    next: DelayQueue<u64>,
    made_calls: u64,
    made_channels: u64,
}

impl Exchange {
    pub fn new(options: &Options, seen: Arc<Seen>) -> Self {
        Self {
            subscribers: Subscribers::default(),
            timing: Timing::new(options.seed, options.speed),
            calls: HashMap::new(),
            ids: BTreeMap::new(),
            names: HashMap::new(),
            seen,
            next: DelayQueue::new(),
            made_calls: 0,
            made_channels: 0,
        }
    }

    pub async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut taken = Vec::new();
        loop {
            tokio::select! {
                count = orders.recv_many(&mut taken, 64) => {
                    if count == 0 {
                        return;
                    }
                    for order in taken.drain(..) {
                        self.take(order);
                    }
                }
                Some(due) = self.next.next() => {
                    let at = due.deadline();
                    let id = due.into_inner();
                    if let Some(mut call) = self.calls.remove(&id) {
                        call.timer = None;
                        call.at = at;
                        self.play(id, call);
                    }
                }
            }
            self.subscribers.flush();
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Join { session, out, mask } => self.subscribers.join(session, out, mask),
            Order::Leave { session } => self.subscribers.leave(session),
            Order::Act { session, action } => self.act(session, &action),
            Order::Cut => self.subscribers.cut(),
            Order::Mute(muted) => self.subscribers.muted = muted,
            Order::Live(answer) => {
                let _ = answer.send(self.ids.keys().cloned().collect());
            }
        }
    }

    pub(super) fn clock(&self) -> Clock {
        Clock { speed: self.timing.speed, now: Instant::now(), unix: Millis::now().0 / 1000 }
    }

    /// Makes a Uniqueid as Asterisk does for a channel whose Originate gives none.
    pub(super) fn make_id(&mut self) -> String {
        self.made_channels += 1;
        format!("{}.{}", self.clock().unix, self.made_channels)
    }

    pub(super) fn begin(&mut self, call: Call) {
        self.made_calls += 1;
        self.play(self.made_calls, call);
    }

    /// Replaces the rest of a call's script.
    pub(super) fn interrupt(&mut self, id: u64, script: Vec<Step>) {
        let Some(mut call) = self.calls.remove(&id) else { return };
        if let Some(timer) = call.timer.take() {
            self.next.remove(&timer);
        }
        call.script = script.into();
        call.at = Instant::now();
        self.play(id, call);
    }

    /// Plays a call's script up to its next pause or its end.
    fn play(&mut self, id: u64, mut call: Call) {
        while let Some(step) = call.script.pop_front() {
            match step {
                Step::Wait(pause) => {
                    let mut due = self.timing.pause(pause, &call).map(|pause| call.at + pause);
                    if due.is_some_and(|due| due <= call.at) {
                        continue;
                    }
                    // A call that is not answered ends by its timeout only.
                    if call.answered.is_none() && due.is_none_or(|due| due > call.deadline) {
                        due = Some(call.deadline);
                        call.script = script::timed_out(call.dialed.local).into();
                    }
                    call.timer = due.map(|due| self.next.insert_at(id, due));
                    self.calls.insert(id, call);
                    return;
                }
                Step::Run => run_application(&mut call),
                step => self.perform(id, &mut call, step),
            }
        }
    }

    fn perform(&mut self, id: u64, call: &mut Call, step: Step) {
        match step {
            Step::NewChannel(side) => self.make_leg(id, call, side),
            Step::BridgeCreate => {
                call.bridge = Some(Bridge { id: uuid::Uuid::now_v7().to_string(), channels: 0 });
            }
            Step::BridgeEnter(_) | Step::BridgeLeave(_) if call.has_event(step) => {
                let enters = matches!(step, Step::BridgeEnter(_));
                if let Some(bridge) = &mut call.bridge {
                    bridge.channels = if enters { bridge.channels + 1 } else { bridge.channels.saturating_sub(1) };
                }
            }
            Step::State(Side::First, 6) => call.answered = Some(Instant::now()),
            _ => {}
        }
        call.prepare(step);
        let lost = matches!(step, Step::Response(_)) && call.dialed.outcome == Outcome::LostResponse;
        if call.has_event(step)
            && !lost
            && let Some((event, class)) = render::event(step)
        {
            let clock = self.clock();
            self.subscribers.tell(event, class, |out| render::fields(out, call, step, &clock));
        }
        match step {
            Step::Hangup(side, _) => {
                if let Some(leg) = call.legs[side.index()].take() {
                    self.ids.remove(&leg.uniqueid);
                    self.names.remove(&leg.name);
                    call.gone[side.index()] = Some(leg);
                }
            }
            Step::BridgeDestroy => call.bridge = None,
            _ => {}
        }
    }

    fn make_leg(&mut self, id: u64, call: &mut Call, side: Side) {
        let (dialed, uniqueid, half, state) = match side {
            Side::Second if !call.dialed.local => return,
            Side::First if call.dialed.local => (&call.dialed, call.id.clone(), ";1", 0),
            Side::First => (&call.dialed, call.id.clone(), "", 0),
            Side::Second => (&call.dialed, call.second_id.clone(), ";2", 4),
            Side::Peer => {
                let uniqueid = self.make_id();
                let Some(dialed) = &call.peer_dialed else { return };
                (dialed, uniqueid, "", 0)
            }
        };
        // Both halves of a Local channel have the same number.
        let number = if side == Side::Peer { self.made_channels } else { id };
        let leg = Leg {
            name: format!("{}-{number:08x}{half}", dialed.device),
            uniqueid,
            state,
            caller: Party::default(),
            connected: Party::default(),
            account: String::new(),
            context: dialed.context.clone(),
            exten: dialed.exten.clone(),
            priority: 1,
            application: String::new(),
            application_data: String::new(),
            began: Instant::now(),
        };
        self.ids.insert(leg.uniqueid.clone(), (id, side));
        self.names.insert(leg.name.clone(), (id, side));
        call.legs[side.index()] = Some(leg);
    }
}

/// Starts the application that the Originate asked for: the A leg has answered.
fn run_application(call: &mut Call) {
    if let Some(leg) = &mut call.legs[Side::First.index()] {
        leg.application.clone_from(&call.asked.application);
        leg.application_data.clone_from(&call.asked.data);
    }
    call.peer_dialed = match call.asked.application.to_ascii_lowercase().as_str() {
        "dial" => call.asked.data.split([',', '&']).next().and_then(Dialed::parse),
        _ => None,
    };
    call.script = match &call.peer_dialed {
        Some(peer) => script::of_dial(peer.outcome, call.dialed.outcome),
        None => script::of_talk(call.dialed.outcome),
    }
    .into();
}
