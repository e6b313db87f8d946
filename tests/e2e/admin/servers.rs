//! Tests `servers` and their login test.

use serde_json::{Value, json};

use super::{INSERT, Setup, batch, to};
use crate::support::api::Api;
use crate::support::asterisk::{self, Asterisk, Version};
use crate::support::ports::Port;
use crate::support::server::Server;

fn at(code: &str, port: u16, username: &str, secret: &str) -> Value {
    json!({ "code": code, "host": "127.0.0.1", "port": port, "username": username, "secret": secret })
}

#[tokio::test]
async fn a_server_is_made_changed_and_never_shows_its_secret() {
    let setup = Setup::start().await;
    let nobody = Port::reserve();
    let trunks = json!([{ "trunk": "b", "max_channels": 2 }, { "trunk": "a", "calls_per_second": 0.5 }]);
    let mut new = at("far", nobody.number(), "dialer", "first-secret");
    new["trunks"] = trunks.clone();
    let made = setup.admin.post("admin/servers", new.clone()).await.data();
    assert_eq!((&made["max_channels"], &made["trunks"]), (&json!(100), &json!([trunks[1], trunks[0]])));
    setup.admin.post("admin/servers", new).await.error(409, "ALREADY_EXISTS");

    let change = json!({ "max_channels": 7, "trunks": [], "secret": "second-secret" });
    let changed = setup.admin.patch("admin/servers/far", change).await.data();
    assert_eq!((&changed["max_channels"], &changed["trunks"]), (&json!(7), &json!([])));
    assert_eq!((&changed["host"], &changed["username"]), (&made["host"], &made["username"]));
    let back = setup.admin.patch("admin/servers/far", json!({ "update_mask": ["max_channels"] })).await.data();
    assert_eq!(back["max_channels"], 100, "a field that the mask names and the body omits gets its default");

    let listed = setup.admin.get("admin/servers").await.data();
    assert_eq!(listed["count"], 2);
    for text in [made.to_string(), changed.to_string(), listed.to_string()] {
        assert!(!text.contains("secret"), "{text}");
    }
    for (change, field) in [
        (json!({}), ""),
        (json!({ "secret": "" }), "secret"),
        (json!({ "port": 0 }), "port"),
        (json!({ "calls_per_second": -1 }), "calls_per_second"),
        (json!({ "trunks": [{ "trunk": "a" }, { "trunk": "a" }] }), "trunks[1].trunk"),
        (json!({ "recording_dirs": ["relative"] }), "recording_dirs[0]"),
        (json!({ "code": "other" }), "code"),
    ] {
        let answer = setup.admin.patch("admin/servers/far", change).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    setup.admin.patch("admin/servers/nosuch", json!({ "tls": true })).await.error(404, "NOT_FOUND");
}

#[tokio::test]
async fn what_numbers_mean_on_a_server_is_set_shown_and_reset() {
    let setup = Setup::start().await;
    let shown = |server: &Value| {
        let names = ["international_prefixes", "country_code", "national_prefix", "service_codes", "dial_format"];
        names.map(|name| server[name].clone())
    };
    let plain = setup.admin.post("admin/servers", at("far", Port::reserve().number(), "dialer", "s")).await.data();
    let default = [json!(["00", "011"]), json!(null), json!(null), json!([]), json!("as-given")];
    assert_eq!(shown(&plain), default);

    let german = json!({
        "international_prefixes": ["00"], "country_code": "49", "national_prefix": "0", "service_codes": ["*31#"],
        "dial_format": "international",
    });
    let set = setup.admin.patch("admin/servers/far", german).await.data();
    assert_eq!(shown(&set), [json!(["00"]), json!("49"), json!("0"), json!(["*31#"]), json!("international")]);
    let kept = setup.admin.patch("admin/servers/far", json!({ "max_channels": 3 })).await.data();
    assert_eq!(shown(&kept), shown(&set));
    let reset = json!({
        "international_prefixes": [], "country_code": "", "national_prefix": "", "service_codes": [],
        "dial_format": "as-given",
    });
    assert_eq!(shown(&setup.admin.patch("admin/servers/far", reset).await.data()), default);

    for (change, field) in [
        (json!({ "international_prefixes": ["00", "+"] }), "international_prefixes[1]"),
        (json!({ "international_prefixes": ["000000"] }), "international_prefixes[0]"),
        (json!({ "country_code": "049" }), "country_code"),
        (json!({ "country_code": "4949" }), "country_code"),
        (json!({ "national_prefix": "x" }), "national_prefix"),
        (json!({ "service_codes": ["31"] }), "service_codes[0]"),
        (json!({ "service_codes": ["*31#,"] }), "service_codes[0]"),
        (json!({ "dial_format": "plain" }), "dial_format"),
    ] {
        let answer = setup.admin.patch("admin/servers/far", change).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    assert_eq!(shown(&setup.admin.get("admin/servers/far").await.data()), default, "a refused change stores nothing");
}

#[tokio::test]
async fn the_extensions_of_a_grant_are_patterns_of_a_fixed_length() {
    let setup = Setup::start().await;
    let path = format!("{}/grants/server1", setup.client_path());
    let set = setup.admin.put(&path, json!({ "extensions": ["*98", "_*9XX"] })).await.data();
    assert_eq!(set["extensions"], json!(["*98", "_*9XX"]));
    let listed = setup.admin.get(&format!("{}/grants", setup.client_path())).await.data();
    assert_eq!(listed["results"][0]["extensions"], json!(["*98", "_*9XX"]));
    for (pattern, why) in [("_*67.", "must have letters, digits"), ("_*67XXXXXXX", "must match extensions of 1 to 8")] {
        let answer = setup.admin.put(&path, json!({ "extensions": ["*98", pattern] })).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], "extensions[1]", "{}", answer.body);
        let told = answer.body["errors"][0]["message"].as_str().expect("a message");
        assert!(told.starts_with(why), "{told}");
    }
    assert_eq!(setup.admin.put(&path, json!({})).await.data()["extensions"], json!(null));
}

#[tokio::test]
async fn a_server_is_removed_once_no_call_needs_it_and_past_calls_keep_its_code() {
    let setup = Setup::start().await;
    let queue = setup.client.insert(1, vec![to("1234567801")]).await;
    setup.client.wait_until_completed(queue).await;
    setup.drain().await;
    let waiting = setup.client.insert(2, vec![to("1234567801")]).await;
    let refused = setup.admin.delete("admin/servers/server1").await.error(409, "FAILED_PRECONDITION");
    assert_eq!(refused, "server server1 is in use: 1 calls wait for it, 0 are live on it");
    setup.admin.get("admin/servers/server1").await.data();

    let node = super::node_name(&setup.admin).await;
    setup.admin.post(&format!("admin/nodes/{node}/resume"), json!({})).await.data();
    setup.client.wait_until_completed(waiting).await;
    setup.admin.delete("admin/servers/server1").await.data();
    setup.admin.get("admin/servers/server1").await.error(404, "NOT_FOUND");
    setup.admin.delete("admin/servers/server1").await.error(404, "NOT_FOUND");
    assert_eq!(setup.admin.get("admin/servers").await.data()["count"], 0);
    assert_eq!(setup.client.get("clients/test-connection").await.data()["servers"], json!([]));
    assert_eq!(setup.client.calls(queue).await[0]["asterisk_server_code"], "server1");
    setup.client.post(INSERT, batch(3, vec![to("1234567801")])).await.error(400, "INVALID_ARGUMENT");

    let again = at("server1", Port::reserve().number(), "dialer", "another");
    setup.admin.post("admin/servers", again).await.data();
    assert_eq!(setup.admin.get("admin/servers").await.data()["count"], 1);
}

/// Adds a server that no one can reach, with 20 calls that wait for it, and returns their queue.
async fn dead_server(setup: &Setup) -> i64 {
    let gone = at("gone", Port::reserve().number(), "dialer", "secret");
    setup.admin.post("admin/servers", gone).await.data();
    setup.admin.put(&format!("{}/grants/gone", setup.client_path()), json!({})).await.data();
    let item = asterisk_item("gone");
    setup.client.insert(20, vec![item; 20]).await
}

fn asterisk_item(code: &str) -> Value {
    crate::support::api::item(code, "PJSIP/1234567890@endpoint1", "1")
}

#[tokio::test]
async fn a_dead_server_is_removed_with_its_waiting_calls_canceled() {
    let setup = Setup::start().await;
    let queue = dead_server(&setup).await;
    let refused = setup.admin.delete("admin/servers/gone").await.error(409, "FAILED_PRECONDITION");
    assert_eq!(refused, "server gone is in use: 20 calls wait for it, 0 are live on it");
    let done = setup.admin.delete("admin/servers/gone?cancel_waiting=true").await.data();
    assert_eq!(done, json!({ "canceled_count": 20, "moved_count": 0 }));
    let queue = setup.client.wait_until_completed(queue).await;
    assert_eq!(queue["counts"]["canceled"], 20);
    setup.admin.get("admin/servers/gone").await.error(404, "NOT_FOUND");
    let audit = setup.admin.get("admin/audit").await.data();
    let noted: Vec<&Value> =
        audit["results"].as_array().unwrap().iter().filter(|entry| entry["action"] == "DeleteServer").collect();
    assert_eq!(noted.len(), 2, "the cancel and the removal are both noted: {audit}");
}

#[tokio::test]
async fn a_dead_server_is_removed_with_its_waiting_calls_moved() {
    let setup = Setup::start().await;
    let queue = dead_server(&setup).await;
    for (query, field) in [
        ("move_waiting_to=nosuch", "move_waiting_to"),
        ("move_waiting_to=gone", "move_waiting_to"),
        ("move_waiting_to=server1&cancel_waiting=true", "move_waiting_to"),
    ] {
        let answer = setup.admin.delete(&format!("admin/servers/gone?{query}")).await;
        answer.error(400, "INVALID_ARGUMENT");
        assert_eq!(answer.body["errors"][0]["field"], field, "{}", answer.body);
    }
    let ungranted = at("ungranted", Port::reserve().number(), "dialer", "secret");
    setup.admin.post("admin/servers", ungranted).await.data();
    let answer = setup.admin.delete("admin/servers/gone?move_waiting_to=ungranted").await;
    assert!(answer.error(400, "INVALID_ARGUMENT").contains("no grant for ungranted"), "{}", answer.body);
    assert_eq!(setup.client.queue(queue).await["counts"]["queued"], 20, "nothing was moved");

    let done = setup.admin.delete("admin/servers/gone?move_waiting_to=server1").await.data();
    assert_eq!(done, json!({ "canceled_count": 0, "moved_count": 20 }));
    let ended = setup.client.wait_until_completed(queue).await;
    assert_eq!(ended["counts"]["completed"], 20);
    let call = setup.client.calls(queue).await.remove(0);
    assert_eq!(call["asterisk_server_code"], "server1");
    let call = setup.client.get(&format!("calls/{}", call["call_id"].as_str().unwrap())).await.data();
    assert_eq!(call["timeline"][0]["detail"], "moved from server gone to server1");
}

#[tokio::test]
async fn a_test_of_the_sandbox_finds_everything() {
    let setup = Setup::start().await;
    let tested = setup.admin.post("admin/servers/server1/test", json!({})).await.data();
    assert_eq!((&tested["ok"], &tested["missing"]), (&json!(true), &json!([])), "{tested}");
    assert_eq!(tested["asterisk_version"], "22.10.1");
    assert!(tested["login_ms"].is_number(), "{tested}");
    setup.admin.post("admin/servers/nosuch/test", json!({})).await.error(404, "NOT_FOUND");
}

#[tokio::test]
async fn a_test_says_what_keeps_it_from_logging_in() {
    let setup = Setup::start().await;
    let sandbox = setup.admin.get("admin/servers/server1").await.data();
    let port = u16::try_from(sandbox["port"].as_i64().expect("a port")).expect("a port");
    let api = setup.server.address().port();
    let nobody = Port::reserve();
    for (code, port, why) in [
        ("wrong", port, "the login was refused"),
        ("gone", nobody.number(), "cannot connect"),
        ("web", api, "no answer to the connection"),
    ] {
        setup.admin.post("admin/servers", at(code, port, "dialer", "wrong")).await.data();
        let tested = setup.admin.post(&format!("admin/servers/{code}/test"), json!({})).await.data();
        assert_eq!(tested["ok"], false, "{tested}");
        assert!(tested["missing"][0].as_str().expect("a reason").starts_with(why), "{tested}");
    }
}

#[tokio::test]
async fn a_test_of_asterisk_warns_of_what_dialing_does_not_need() {
    for version in [Version::V22, Version::V16] {
        let Some(asterisk) = Asterisk::start(version) else { return };
        let server = Server::start();
        let admin = Api::admin(&server);
        for (user, warned) in [
            ("dialer", &["a 302 response of endpoint redirected "][..]),
            ("limited", &[]),
            ("careless", &["`command` out of", "`config` out of", "its context onward, where extension _X. runs Dial"]),
        ] {
            admin.post("admin/servers", at(user, asterisk.ami_port(), user, asterisk::SECRET)).await.data();
            let tested = admin.post(&format!("admin/servers/{user}/test"), json!({})).await.data();
            let said: Vec<&str> =
                tested["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            assert_eq!(said.len(), warned.len(), "{version:?} {user}: {said:?}");
            for (said, text) in said.iter().zip(warned) {
                assert!(said.contains(text), "{version:?} {user}: {said}");
            }
            assert_eq!(tested["ok"], user != "limited", "a warning keeps nothing from being dialed: {tested}");
        }
    }
}

#[tokio::test]
async fn a_test_of_asterisk_says_which_permissions_are_missing() {
    for version in [Version::V22, Version::V16] {
        let Some(asterisk) = Asterisk::start(version) else { return };
        let server = Server::start();
        let admin = Api::admin(&server);
        for (user, missing) in
            [("dialer", &[][..]), ("limited", &["write=system"]), ("deaf", &["write=originate", "read=call"])]
        {
            admin.post("admin/servers", at(user, asterisk.ami_port(), user, asterisk::SECRET)).await.data();
            let tested = admin.post(&format!("admin/servers/{user}/test"), json!({})).await.data();
            let said = tested["missing"].as_array().expect("a list");
            let said: Vec<&str> = said.iter().map(|text| text.as_str().expect("text")).collect();
            assert_eq!(said.len(), missing.len(), "{version:?} {user}: {said:?}");
            for (said, permission) in said.iter().zip(missing) {
                assert!(said.starts_with(&format!("the manager user needs {permission} ")), "{said}");
            }
            assert_eq!(tested["ok"], missing.is_empty(), "{tested}");
            let warned = tested["warnings"].to_string();
            for optional in ["read=cdr", "read=user"] {
                let text = format!("the manager user should have {optional} ");
                assert_eq!(warned.contains(&text), user == "deaf", "{version:?} {user}: {warned}");
            }
        }
        assert_eq!(asterisk.live_channels(), 0);
    }
}
