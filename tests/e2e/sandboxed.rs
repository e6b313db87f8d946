//! Tests without Asterisk: the guide's examples with the sandbox, a stop of the server, and PostgreSQL.

use serde_json::{Value, json};

use crate::support::api::{Api, item};
use crate::support::postgres::Postgres;
use crate::support::server::{Options, Server};
use crate::support::{ports, wait};

const NEW: &str = include_str!("../data/guide/insertdataincallqueue_new.json");
const EXISTING: &str = include_str!("../data/guide/insertdataincallqueue_existing.json");
const QUICK: &str = include_str!("../data/guide/insertquickcall.json");

async fn post(server: &Server, key: &str, path: &str, body: &str) -> (u16, Value) {
    let request = reqwest::Client::new().post(server.url(path)).header("X-API-KEY", key);
    let request = request.header("Content-Type", "application/json").body(body.to_owned());
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("a JSON body"))
}

#[tokio::test]
async fn the_guides_bodies_are_answered_as_the_guide_says_under_every_path() {
    let server = Options::default().arg("--sandbox").start();
    let key = Api::sandbox(&server).key().to_owned();
    for prefix in ["/calling/api/v1", "/calling/api"] {
        for slash in ["", "/"] {
            let insert = format!("{prefix}/queues/insertdataincallqueue{slash}");
            for (body, batch_id) in [(NEW, 12345), (EXISTING, 12346)] {
                let (status, answer) = post(&server, &key, &insert, body).await;
                assert_eq!(status, 200, "{answer}");
                assert_eq!(answer["message"], "Queue data inserted successfully");
                assert_eq!(answer["status"], "success");
                let data = &answer["data"];
                assert_eq!((&data["queue_id"], &data["batch_id"]), (&json!(123), &json!(batch_id)), "{answer}");
                assert_eq!(data["inserted_count"], 1);
            }
            let (status, answer) = post(&server, &key, &format!("{prefix}/queues/insertquickcall{slash}"), QUICK).await;
            assert_eq!(status, 200, "{answer}");
            assert_eq!(answer["message"], "Quick call inserted successfully");
            assert!(answer["data"]["queue_id"].as_i64().is_some_and(|id| id >= 124), "{answer}");
            assert_eq!(answer["data"]["call_id"].as_str().map(str::len), Some(36), "{answer}");
            assert_eq!(answer["data"].as_object().map(serde_json::Map::len), Some(2));
        }
    }
}

#[tokio::test]
async fn the_curl_line_that_is_printed_works_as_pasted() {
    let server = Options::default().arg("--sandbox").start();
    // Standard output and the log are two pipes: when the server listens, the welcome may not have been read yet.
    let line = wait::until("the welcome is printed", || {
        let text = server.output().text();
        text.lines().find(|line| line.trim_start().starts_with("curl -X POST")).map(str::to_owned)
    });
    let ran = tokio::task::spawn_blocking(move || std::process::Command::new("sh").args(["-c", &line]).output());
    let answer: Value = serde_json::from_slice(&ran.await.expect("a run").expect("curl").stdout).expect("JSON");
    assert_eq!(answer["status"], "success", "{answer}");
}

#[tokio::test]
async fn a_stopped_server_exits_0_frees_its_port_and_keeps_what_waits() {
    let mut server = Options::default().arg("--sandbox").start();
    let client = Api::sandbox(&server);
    let queue = client.insert(1, vec![item("server1", "PJSIP/1234567890@endpoint1", "1"); 200]).await;
    let port = server.address().port();
    assert!(server.stop().success());
    assert!(ports::is_free(port));
    server.restart();
    let client = Api::sandbox(&server);
    let counts = client.queue(queue).await["counts"].clone();
    let total: i64 = counts.as_object().expect("counts").values().filter_map(Value::as_i64).sum();
    assert_eq!(total, 200, "{counts}");
}

#[tokio::test]
async fn the_main_job_runs_on_postgresql() {
    let Some(mut postgres) = Postgres::start() else { return };
    let server = Options::default()
        .arg("--sandbox")
        .arg("--sandbox-speed")
        .arg("20")
        .env("TRUNKLINE_DATABASE_URL", postgres.create_database())
        .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
        .start();
    let client = Api::sandbox(&server);
    let queue = client.insert(1, vec![item("server1", "PJSIP/1234567890@endpoint1", "1"); 150]).await;
    assert_eq!(queue, 123, "this engine does not begin with the guide's number");
    let done = client.wait_until_completed(queue).await;
    assert_eq!(done["counts"]["completed"], 150);
}

#[tokio::test]
async fn a_store_that_is_away_is_503_and_nothing_accepted_is_lost() {
    let Some(mut postgres) = Postgres::start() else { return };
    let server = Options::default()
        .arg("--sandbox")
        .arg("--sandbox-speed")
        .arg("5")
        .env("TRUNKLINE_DATABASE_URL", postgres.create_database())
        .env("TRUNKLINE_SECRET_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
        .start();
    let client = Api::sandbox(&server);
    let queue = client.insert(1, vec![item("server1", "PJSIP/1234567890@endpoint1", "1"); 100]).await;
    wait::until_async("calls are live", async || {
        (client.queue(queue).await["counts"]["answered"].as_i64()? > 10).then_some(())
    })
    .await;
    postgres.kill();
    let answer = client.get("queues/getmasterqueues").await;
    assert_eq!((answer.status.as_u16(), &answer.body["code"]), (503, &json!("UNAVAILABLE")), "{}", answer.body);
    postgres.restart();
    let done = wait::until_async("every call has ended", async || {
        let answer = client.get("queues/getmasterqueues").await;
        let queue = answer.body["data"]["results"].as_array()?.first()?.clone();
        (queue["queue_status"] == "completed").then_some(queue)
    })
    .await;
    assert_eq!(done["counts"]["completed"], 100, "{done}");
}
