//! Tests MixMonitor recordings: they start at the answer, appear on the timeline, and never make a call fail.

use std::fs;

use serde_json::{Value, json};

use super::{a_leg, details, place, wait_for, wait_for_event};
use crate::support::api::{Api, client_of, client_of_asterisk, item};
use crate::support::asterisk::{Asterisk, RECORDINGS, SECRET};
use crate::support::server::Server;
use crate::support::wait;

on_both_releases!(
    a_recorded_call_leaves_a_file_with_what_was_said,
    options_of_mix_monitor_are_honoured,
    a_recording_that_cannot_be_started_is_reported_and_the_call_continues,
    a_recording_that_is_stopped_is_reported_and_the_call_continues,
    no_call_overwrites_the_recording_of_another,
);

/// The bytes of a WAV file before its first sample.
const HEADER: usize = 44;

fn recorded(seconds: &str) -> Value {
    let mut item = item("ast", "Local/1@tone/n", seconds);
    item["create_recording"] = json!(true);
    item
}

async fn a_recorded_call_leaves_a_file_with_what_was_said(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let mut named = recorded("2");
    named["recording_path"] = json!(format!("{RECORDINGS}/campaign/named.wav"));
    let ids = place(&client, vec![recorded("2"), named]).await;
    for (id, name) in ids.iter().zip([format!("{}.wav", ids[0]), "campaign/named.wav".to_owned()]) {
        let call = wait_for(&client, id, "completed").await;
        let path = format!("{RECORDINGS}/{name}");
        assert_eq!(call["recording_path"], json!(path));
        assert_eq!(details(&call, "recording-started"), [path.as_str()], "{call}");
        assert_eq!(details(&call, "recording-stopped"), [path.as_str()], "{call}");
        let file = asterisk.recordings_dir().join(&name);
        // MixMonitor writes the rest when the channel is gone. Two seconds are 32,000 bytes of 16 bits at 8 kHz.
        let audio = wait::until("the recording is written", || fs::read(&file).ok().filter(|file| file.len() > 16_000));
        assert_eq!(&audio[..4], b"RIFF");
        assert!(audio[HEADER..].iter().filter(|byte| **byte != 0).count() > 8_000, "the recording is silent");
    }
}

/// With the option `b` nothing is recorded until the channel is in a bridge, and this one never is.
async fn options_of_mix_monitor_are_honoured(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let mut bridged_only = recorded("2");
    bridged_only["mix_monitor_command"] = json!(format!("MixMonitor {RECORDINGS}/bridged.wav,b"));
    let mut with_command = recorded("2");
    with_command["mix_monitor_command"] = json!(format!("MixMonitor {RECORDINGS}/x.wav,,touch /tmp/x"));
    let refused = client.post("queues/insertdataincallqueue", json!({ "batch_id": 9, "data": [with_command] })).await;
    assert_eq!(refused.status.as_u16(), 403, "{}", refused.body);
    assert_eq!(refused.body["errors"][0]["field"], "data[0].mix_monitor_command", "{}", refused.body);

    let id = place(&client, vec![bridged_only]).await.remove(0);
    let call = wait_for(&client, &id, "completed").await;
    assert_eq!(details(&call, "recording-started"), [format!("{RECORDINGS}/bridged.wav")], "{call}");
    asterisk.wait_until_idle();
    let file = fs::read(asterisk.recordings_dir().join("bridged.wav")).unwrap_or_default();
    assert!(file.len() <= HEADER, "{} bytes", file.len());
}

async fn a_recording_that_cannot_be_started_is_reported_and_the_call_continues(asterisk: Asterisk) {
    let server = Server::start();
    let settings = json!({
        "code": "ast", "host": "127.0.0.1", "port": asterisk.ami_port(), "username": "placer", "secret": SECRET,
        "dial_template": "PJSIP/{number}", "max_channels": 10, "calls_per_second": 10.0,
        "recording_dirs": [RECORDINGS],
    });
    let client = client_of(&server, settings).await;
    let id = place(&client, vec![recorded("1")]).await.remove(0);
    let call = wait_for(&client, &id, "completed").await;
    assert_eq!(call["outcome"], "answered");
    assert_eq!(details(&call, "recording-failed"), ["the recording could not be started"], "{call}");
    let whole = Api::admin(&server).get(&format!("calls/{id}")).await.data();
    assert_eq!(details(&whole, "recording-failed"), ["Permission denied"], "{whole}");
    assert!(details(&call, "recording-started").is_empty() && details(&call, "recording-stopped").is_empty());
}

async fn a_recording_that_is_stopped_is_reported_and_the_call_continues(asterisk: Asterisk) {
    let server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let id = place(&client, vec![recorded("60")]).await.remove(0);
    let call = wait_for_event(&client, &id, "recording-started").await;
    let channel = a_leg(&asterisk, &call);
    let answer = asterisk.ami().request(&[("Action", "StopMixMonitor"), ("Channel", &channel)]).expect("an answer");
    assert_eq!(answer.get("Response"), "Success", "{answer:?}");
    let call = wait_for_event(&client, &id, "recording-stopped").await;
    assert_eq!(call["status"], "answered", "{call}");
    client.post(&format!("calls/{id}/hangup"), json!({})).await.data();
    let call = wait_for(&client, &id, "completed").await;
    assert_eq!(details(&call, "recording-stopped").len(), 1, "{call}");
}

/// Each of four calls names the same file. The last one was put into the store in another way.
async fn no_call_overwrites_the_recording_of_another(asterisk: Asterisk) {
    let mut server = Server::start();
    let client = client_of_asterisk(&server, &asterisk, 10.0).await;
    let named = |path: &str| {
        let mut item = recorded("2");
        item["recording_path"] = json!(format!("{RECORDINGS}/{path}"));
        item
    };
    let ids = place(&client, vec![named("same.wav"), named("same.wav")]).await;
    for id in &ids {
        wait_for(&client, id, "completed").await;
    }
    server.restart();
    let client = client.at(&server);
    let mut command = recorded("2");
    command["mix_monitor_command"] = json!(format!("MixMonitor {RECORDINGS}/same.wav,b"));
    let queue = client.insert(2, vec![command]).await;
    client.wait_until_completed(queue).await;
    let later = super::ids(&client, queue).await.remove(0);
    let first = format!("{RECORDINGS}/same.wav");
    for (id, path) in [
        (&ids[0], first.clone()),
        (&ids[1], format!("{RECORDINGS}/same-{}.wav", ids[1])),
        (&later, format!("{RECORDINGS}/same-{later}.wav")),
    ] {
        let call = wait_for(&client, id, "completed").await;
        assert_eq!(call["recording_path"], json!(path));
        assert_eq!(details(&call, "recording-started"), [path.as_str()], "{call}");
    }
    let written = asterisk.recordings_dir().join("same.wav");
    let size = wait::until("the first recording is written", || {
        fs::metadata(&written).ok().map(|file| file.len()).filter(|size| *size > 16_000)
    });
    // Put into the store by hand.
    crate::dialing::set_kill_switch(&server, true);
    crate::dialing::until_it_holds().await;
    let queue = client.insert(3, vec![named("other.wav")]).await;
    let sql = format!("UPDATE calls SET plan = replace(plan, 'other.wav', 'same.wav') WHERE queue_id = {queue}");
    crate::dialing::change(&server, &sql);
    crate::dialing::set_kill_switch(&server, false);
    client.wait_until_completed(queue).await;
    let forged = super::ids(&client, queue).await.remove(0);
    let call = wait_for(&client, &forged, "completed").await;
    let path = format!("{RECORDINGS}/same-{forged}.wav");
    assert_eq!((&call["recording_path"], details(&call, "recording-started")), (&json!(path), vec![path.clone()]));
    assert_eq!(fs::metadata(&written).expect("the first recording").len(), size, "it is as it was");
}
