//! One run: calls are inserted, faults happen by the plan, all calls end, and the history is checked.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::checker::{self, Violation};
use crate::client::{Caller, item};
use crate::history::{History, Limits, outcome};
use crate::originates;
use crate::plan;
use crate::target::Kind;
use crate::world::{Engine, World};

/// The parameters of a run, with which it can be repeated.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub seed: u64,
    pub kind: Kind,
    pub engine: Engine,
    /// How often the server is killed.
    pub kills: usize,
}

const MAX_CHANNELS: usize = 8;
const CALLS_PER_SECOND: f64 = 20.0;

/// How long the last calls may take after the last fault: a call in doubt is checked when its longest ring time is
/// over.
const REST: Duration = Duration::from_secs(120);

/// The numbers of a run without a violation.
#[derive(Debug, Default)]
pub struct Tally {
    pub kills: usize,
    pub faults: usize,
    pub calls: usize,
    pub originates: usize,
    pub unknown: usize,
}

impl Run {
    /// Runs the test, and panics with the violations and their history. Returns None if something that it needs is not
    /// installed.
    pub async fn go(self) -> Option<Tally> {
        let mut world = World::start(self.kind, self.engine)?;
        let key = world.set_up(MAX_CHANNELS, CALLS_PER_SECOND).await;
        let caller = Caller::new(format!("http://{}", world.address), key, world.target.destinations());
        let (stop_calls, stop_watching) = (CancellationToken::new(), CancellationToken::new());
        let watching = tokio::spawn(caller.clone().watch(stop_watching.clone()));
        let inserting = tokio::spawn(caller.clone().insert_calls(self.seed, stop_calls.clone()));

        let steps = plan::draw(self.seed, self.kills, world.means());
        for step in &steps {
            sleep(step.after).await;
            println!("{:?}, while {} calls have not ended", step.fault, caller.waiting());
            world.suffer(step.fault).await;
        }
        stop_calls.cancel();
        inserting.await.expect("a client that gets its answers");
        // If not all calls end, the checker reports which are left.
        let mut last_peak = None;
        if rests(&caller).await {
            let from = world.observer.len();
            self.last_batch(&caller).await;
            rests(&caller).await;
            last_peak = Some(world.observer.peak_since(from));
        }
        stop_watching.cancel();
        watching.await.expect("a watcher");

        let dump = world.close().await;
        let history = History {
            limits: Limits { max_channels: MAX_CHANNELS, calls_per_second: CALLS_PER_SECOND, last_peak },
            client: caller.record(),
            sent: originates::in_log(&world.proxy.log()),
            channel_events: world.observer.channel_events(),
            store: dump,
        };
        let violations = checker::check(&history);
        assert!(
            !violations.is_empty() || caller.waiting() == 0,
            "{self:?}: the client waits for events that are stored"
        );
        assert!(violations.is_empty(), "{self:?}\n{}", report(&history, &violations));
        let unknown = |call: &&crate::history::CallRow| call.outcome == Some(outcome::UNKNOWN);
        Some(Tally {
            kills: self.kills,
            faults: steps.len(),
            calls: history.store.calls.len(),
            originates: history.sent.len(),
            unknown: history.store.calls.iter().filter(unknown).count(),
        })
    }

    /// Inserts more calls than there are channels, each long enough that all channels are used.
    async fn last_batch(&self, caller: &Caller) {
        let talk = caller.destinations.iter().find(|to| to.name == "talk").expect("a destination that stays");
        let items = vec![item(talk); 3 * MAX_CHANNELS];
        let mut random = StdRng::seed_from_u64(self.seed);
        caller.insert_batch(i64::MAX, None, items, &mut random).await;
    }
}

/// Waits until the client has received the end of every accepted call. Returns false if that takes too long.
async fn rests(caller: &Caller) -> bool {
    let until = Instant::now() + REST;
    while caller.waiting() > 0 && Instant::now() < until {
        sleep(Duration::from_millis(50)).await;
    }
    caller.waiting() == 0
}

/// Describes the violations and everything that is known of their calls.
fn report(history: &History, violations: &[Violation]) -> String {
    let mut text = format!("{} violations:\n", violations.len());
    for violation in violations.iter().take(20) {
        let _ = writeln!(text, "  {violation}");
    }
    let said = text.clone();
    let attempts: HashMap<&str, &str> =
        history.store.attempts.iter().map(|attempt| (attempt.id.as_str(), attempt.call_id.as_str())).collect();
    let is_named = |call: &str| said.contains(call) || attempts.iter().any(|(id, of)| *of == call && said.contains(id));
    for call in history.store.calls.iter().filter(|call| is_named(&call.id)).take(5) {
        let _ = writeln!(text, "{call:?}");
        for attempt in history.store.attempts.iter().filter(|attempt| attempt.call_id == call.id) {
            let _ = writeln!(text, "  {attempt:?}");
            for sent in history.sent.iter().filter(|sent| sent.action_id == attempt.id) {
                let _ = writeln!(text, "  {sent:?}");
            }
        }
        for event in history.store.events.iter().filter(|event| event.call_id.as_ref() == Some(&call.id)) {
            let _ = writeln!(text, "  {event:?}");
        }
    }
    text
}
