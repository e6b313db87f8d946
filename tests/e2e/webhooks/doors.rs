//! Tests which URLs are refused, that addresses are judged again at each POST, and that nothing of a URL leaks.

use serde_json::{Value, json};

use super::{ANSWERED, Receiver, closed_sandbox, items, listed, sandbox, sandbox_client, webhook};
use crate::support::api::Api;
use crate::support::server::{Options, Server};
use crate::support::wait;

const HTTP: &str = "TRUNKLINE_WEBHOOK_HTTP";
const NETWORKS: &str = "TRUNKLINE_WEBHOOK_NETWORKS";

/// Tries to create a webhook for `url`. Returns its id, or why the URL is refused.
async fn created(admin: &Api, client_id: i64, url: &str) -> Result<Value, String> {
    let answer = admin.post("admin/webhooks", json!({ "client_id": client_id, "url": url })).await;
    if answer.status == 200 {
        return Ok(answer.data()["webhook_id"].clone());
    }
    assert_eq!((answer.status.as_u16(), &answer.body["errors"][0]["field"]), (400, &json!("url")), "{url}");
    Err(answer.body["errors"][0].to_string())
}

#[tokio::test]
async fn plain_http_and_addresses_that_are_not_public_are_refused_by_default() {
    let server = closed_sandbox().start();
    let admin = Api::admin(&server);
    let client_id = sandbox_client(&admin).await;
    for url in ["http://8.8.8.8/hook", "http://127.0.0.1:9/", "HTTP://8.8.8.8/"] {
        let error = created(&admin, client_id, url).await.expect_err(url);
        assert!(error.contains("must begin with https://"), "{url}: {error}");
    }
    // Each range has a row in the test of `src/domain/reachable.rs`.
    for host in [
        "127.0.0.1",
        "10.0.0.7",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[2002:a00:7::1]",
        "[2001:0:a00:7::1]",
        "[::10.0.0.7]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::10.0.0.7]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::8.8.8.8]",
        // These are names, which the resolver turns into loopback addresses and into 169.254.169.254.
        "localhost",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0177.0.0.1",
        "2852039166",
    ] {
        let url = format!("https://{host}/hook");
        let error = created(&admin, client_id, &url).await.expect_err(&url);
        assert!(error.contains("must reach a public address"), "{url}: {error}");
    }
    for url in ["https://8.8.8.8/hook", "https://[64:ff9b::8.8.8.8]:8443/", "https://[2001:4860:4860::8888]/"] {
        assert!(created(&admin, client_id, url).await.is_ok(), "{url}");
    }
}

#[tokio::test]
async fn each_setting_permits_its_own_part() {
    let http = closed_sandbox().env(HTTP, "true").start();
    let admin = Api::admin(&http);
    let client_id = sandbox_client(&admin).await;
    assert!(created(&admin, client_id, "http://8.8.8.8/hook").await.is_ok());
    let error = created(&admin, client_id, "http://127.0.0.1:9/").await.expect_err("loopback");
    assert!(error.contains("`webhook_networks`"), "{error}");
    let networks = closed_sandbox().env(NETWORKS, "127.0.0.1, 10.1.0.0/16, 169.254.0.0/16").start();
    let admin = Api::admin(&networks);
    let client_id = sandbox_client(&admin).await;
    for url in ["https://127.0.0.1:9/", "https://[::ffff:10.1.2.3]/", "https://[64:ff9b::10.1.2.3]/"] {
        assert!(created(&admin, client_id, url).await.is_ok(), "{url}");
    }
    for url in ["https://127.0.0.2/", "https://10.2.0.1/", "https://169.254.169.254/"] {
        let error = created(&admin, client_id, url).await.expect_err(url);
        assert!(error.contains("must reach a public address"), "{url}: {error}");
    }
    let error = created(&admin, client_id, "http://127.0.0.1:9/").await.expect_err("plain HTTP");
    assert!(error.contains("`webhook_http`"), "{error}");
}

#[tokio::test]
async fn url_and_address_are_judged_again_at_each_post() {
    let data = tempfile::tempdir().expect("a directory");
    let start = |options: Options| options.data_dir(data.path().join("data")).start();
    let mut server: Server = start(sandbox());
    let key = std::fs::read_to_string(data.path().join("data/admin.key")).expect("a key");
    let (receiver, url) = Receiver::start(200).await;
    // The name stands for one that had a public address when the webhook was created, and has another one now.
    let url = url.replace("127.0.0.1", "localhost");
    let id = webhook(&Api::new(&server, key.trim()), &url, json!(["batch-inserted"])).await["webhook_id"].clone();
    for (batch, options, why) in [
        (1, closed_sandbox(), "must begin with https://"),
        (2, closed_sandbox().env(HTTP, "1"), "must reach a public address"),
    ] {
        server.kill();
        server = start(options);
        let admin = Api::new(&server, key.trim());
        Api::sandbox(&server).insert(batch, items(1)).await;
        wait::until_async("the delivery fails", async || {
            let shown = listed(&admin, &id).await;
            shown["last_error"].as_str().filter(|error| error.contains(why)).map(|_| ())
        })
        .await;
        let tested = admin.post(&format!("admin/webhooks/{id}/test"), json!({})).await.data();
        assert_eq!((&tested["ok"], tested.get("http_status")), (&json!(false), None), "{tested}");
        assert!(tested["error"].as_str().is_some_and(|error| error.contains(why)), "{tested}");
    }
    assert!(receiver.posts().is_empty(), "{:?}", receiver.posts());
    // Nothing was lost: what was inserted in the meantime is posted as soon as that is permitted.
    server.kill();
    let _server = start(sandbox());
    wait::until_async("the events are posted", async || (receiver.taken().len() == 2).then_some(())).await;
}

#[tokio::test]
async fn nothing_of_a_url_that_may_be_a_token_is_in_the_audit_the_log_or_an_error() {
    let server = sandbox().env("TRUNKLINE_LOG", "trace").start();
    let (admin, client) = (Api::admin(&server), Api::sandbox(&server));
    let client_id = sandbox_client(&admin).await;
    let (_receiver, url) = Receiver::start(500).await;
    let place = url.strip_suffix("/hook?token=t0ken").expect("the URL of a receiver");
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let refusing = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let no_tls = place.replace("http://", "https://");
    let mut ids = Vec::new();
    for place in [place, &refusing, &no_tls, "http://no-such-host.invalid"] {
        let made = webhook(&admin, &format!("{place}/t0ken/in-path?key=t0ken"), json!(["batch-inserted"])).await;
        ids.push(made["webhook_id"].clone());
    }
    client.insert(1, items(1)).await;
    for id in &ids {
        let error = wait::until_async("the delivery fails", async || {
            listed(&admin, id).await["last_error"].as_str().map(ToOwned::to_owned)
        })
        .await;
        let tested = admin.post(&format!("admin/webhooks/{id}/test"), json!({})).await.data();
        for told in [error, tested.to_string()] {
            assert!(!told.contains("t0ken"), "{told}");
            // What a receiver answers is nobody's concern: it may be a page of an internal service.
            assert!(!told.contains(ANSWERED.trim()) && !told.contains("elsewhere"), "{told}");
        }
        let members = tested.as_object().expect("an object").keys();
        assert!(members.into_iter().all(|name| ["ok", "http_status", "took_ms", "error"].contains(&name.as_str())));
        admin.post(&format!("admin/webhooks/{id}/rotate-secret"), json!({})).await.data();
        admin.delete(&format!("admin/webhooks/{id}")).await.data();
    }
    for wrong in ["ftp://crm.example/t0ken", "https://me:t0ken@crm.example/", "https://10.0.0.7/t0ken", "t0ken"] {
        let answer = admin.post("admin/webhooks", json!({ "client_id": client_id, "url": wrong })).await;
        assert!(answer.status == 400 && !answer.body.to_string().contains("t0ken"), "{}", answer.body);
    }
    let audit = admin.get("admin/audit").await.data().to_string();
    assert!(audit.contains(&format!("{place}/…")) && audit.contains(&format!("{no_tls}/…")), "{audit}");
    assert!(!audit.contains("t0ken") && !audit.contains("in-path") && !audit.contains("whsec_"), "{audit}");
    let log = server.output().text();
    assert!(log.contains("the receiver did not accept an event"), "{log}");
    let leak = log.lines().find(|line| ["t0ken", "in-path", "whsec_"].iter().any(|secret| line.contains(secret)));
    assert_eq!(leak, None);
}
