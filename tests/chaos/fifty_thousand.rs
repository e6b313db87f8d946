//! Places 50,000 calls through a real Asterisk in one run: every outcome is the one that the dialplan produced.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::checker;
use crate::history::{ChannelEvent, outcome};
use crate::reader;
use crate::support::api::client_of;
use crate::support::asterisk::{self, Asterisk, Version};
use crate::support::server::Server;
use crate::support::wait;

const CHANNELS: usize = 200;
const BATCH: usize = 1000;

/// Each destination with the number of calls of a batch that go there and the outcome that they must have.
const CASES: [(&str, usize, i64); 5] = [
    ("Local/100@fast/n", 600, outcome::ANSWERED),
    ("Local/100@busy/n", 200, outcome::BUSY),
    ("Local/100@congestion/n", 100, outcome::CONGESTION),
    ("Local/100@unallocated/n", 50, outcome::UNALLOCATED),
    ("Local/100@noanswer/n", 50, outcome::NO_ANSWER),
];

/// How long the whole run may take.
const PATIENCE: Duration = Duration::from_secs(1800);

#[tokio::test]
#[ignore = "takes minutes: bin/test chaos"]
async fn fifty_thousand_calls_end_as_the_dialplan_says() {
    let batches: usize =
        std::env::var("TRUNKLINE_CHAOS_BATCHES").ok().and_then(|batches| batches.parse().ok()).unwrap_or(50);
    let Some(asterisk) = Asterisk::start(Version::V22) else { return };
    let mut server = Server::start();
    let settings = json!({
        "code": "ast", "host": "127.0.0.1", "port": asterisk.ami_port(), "username": "dialer",
        "secret": asterisk::SECRET, "max_channels": CHANNELS, "calls_per_second": 10_000,
    });
    let client = client_of(&server, settings).await;
    let began = Instant::now();
    let items: Vec<_> = CASES
        .iter()
        .flat_map(|(channel, calls, _)| {
            let item = json!({
                "asterisk_server_code": "ast",
                "action": { "Action": "Originate", "Channel": channel, "Application": "NoOp", "Timeout": 1000 },
            });
            vec![item; *calls]
        })
        .collect();
    assert_eq!(items.len(), BATCH);
    let queue = client.insert(1, items.clone()).await;
    for batch_id in 2..=batches {
        let batch = json!({ "queue_id": queue, "batch_id": batch_id, "data": items });
        client.post("queues/insertdataincallqueue", batch).await.data();
    }
    let calls = batches * BATCH;
    let mut polls = tokio::time::interval(Duration::from_millis(500));
    let counts = loop {
        polls.tick().await;
        let counts = client.queue(queue).await["counts"].clone();
        if counts["completed"].as_u64().unwrap_or(0) + counts["failed"].as_u64().unwrap_or(0) >= calls as u64 {
            break counts;
        }
        assert!(began.elapsed() < PATIENCE, "{counts}");
    };
    let took = began.elapsed();

    let seen = asterisk.witness().wait_for_originates(calls);
    asterisk.wait_until_idle();
    assert_eq!(asterisk.witness().originates().len(), calls, "one OriginateResponse for each call, and no more");
    let live = channel_events(&asterisk);
    assert!(checker::peak(&live) <= CHANNELS, "{} channels were live", checker::peak(&live));
    let status = server.stop();
    assert!(status.success(), "{status}");
    let dump = reader::of_file(&server.data_dir().join("trunkline.db"));

    let mut outcomes: BTreeMap<i64, usize> = BTreeMap::new();
    for call in &dump.calls {
        assert_eq!(call.attempts, 1, "{call:?}");
        *outcomes.entry(call.outcome.expect("an outcome")).or_default() += 1;
    }
    let expected: BTreeMap<i64, usize> = CASES.iter().map(|(_, calls, outcome)| (*outcome, calls * batches)).collect();
    println!("{calls} calls in {took:.1?}, at most {} channels; outcomes {outcomes:?}; {counts}", checker::peak(&live));
    assert_eq!(outcomes, expected, "the outcomes differ, by the codes of CallOutcome");

    // For each attempt, the stored outcome is the one that Asterisk reported.
    let by_attempt: HashMap<&str, i64> =
        dump.attempts.iter().filter_map(|attempt| Some((attempt.id.as_str(), attempt.outcome?))).collect();
    for originate in &seen {
        let said = by_attempt[originate.action_id.replace('-', "").as_str()];
        assert_eq!(originate.answered, said == outcome::ANSWERED, "{originate:?}");
        if originate.reason == 5 {
            assert_eq!(said, outcome::BUSY, "{originate:?}");
        }
    }
}

fn channel_events(asterisk: &Asterisk) -> Vec<ChannelEvent> {
    let witness = asterisk.witness();
    wait::until("the last hangup is received", || {
        (witness.events("Hangup").len() == witness.events("Newchannel").len()).then_some(())
    });
    witness
        .all()
        .iter()
        .filter_map(|event| {
            let (uniqueid, linkedid) = (event.get("Uniqueid").to_owned(), event.get("Linkedid").to_owned());
            match event.get("Event") {
                "Newchannel" => Some(ChannelEvent::New { uniqueid, linkedid }),
                "Hangup" => Some(ChannelEvent::Gone { uniqueid, linkedid }),
                _ => None,
            }
        })
        .collect()
}
