//! Tests `policy` and a client's own destinations.

use serde_json::json;

use super::{INSERT, QUICK, Setup, batch, quick, to};

#[tokio::test]
async fn the_longest_match_of_the_clients_rules_and_the_platforms_decides() {
    let setup = Setup::start().await;
    assert_eq!(setup.admin.get("admin/policy").await.data(), json!({ "denied_prefixes": [] }));
    let set = setup.admin.put("admin/policy", json!({ "denied_prefixes": ["+44900", "1"] })).await.data();
    assert_eq!(set, json!({ "denied_prefixes": ["+44900", "1"] }));
    setup.drain().await;
    let own = json!({ "allow": ["44", "449001", "1"], "deny": ["4420"] });
    setup.patch(json!({ "policy": { "destination_prefixes": own } })).await;
    for (batch_id, number, allowed) in [
        (1, "44300", true),
        (2, "44900200", false),
        (3, "449001", true),
        (4, "44207", false),
        (5, "1800", true),
        (6, "33", false),
    ] {
        let answer = setup.client.post(INSERT, batch(batch_id, vec![to(number)])).await;
        if allowed {
            answer.data();
        } else {
            answer.error(403, "PERMISSION_DENIED");
            assert_eq!(answer.body["errors"][0]["field"], "data[0].action.Channel", "{}", answer.body);
        }
    }
    setup.client.post(QUICK, quick("44900200")).await.error(403, "PERMISSION_DENIED");
    let same = json!({ "destination_prefixes": { "deny": ["0044 20", "+33"] } });
    setup.patch(json!({ "policy": same })).await;
    for (batch_id, number, allowed) in [(7, "442071", false), (8, "33123", false), (9, "44300", true)] {
        let answer = setup.client.post(INSERT, batch(batch_id, vec![to(number)])).await;
        assert_eq!(answer.status.is_success(), allowed, "{number}: {}", answer.body);
    }
    let bad = setup.admin.put("admin/policy", json!({ "denied_prefixes": ["44", "x"] })).await;
    assert_eq!(bad.body["errors"][0]["field"], "denied_prefixes[1]", "{}", bad.body);
}

#[tokio::test]
async fn premium_rate_and_satellite_numbers_are_denied_unless_someone_allows_them() {
    let setup = Setup::start().await;
    setup.drain().await;
    let mut batch_id = 0;
    let mut may = async |number: &str| {
        batch_id += 1;
        let answer = setup.client.post(INSERT, batch(batch_id, vec![to(number)])).await;
        if !answer.status.is_success() {
            answer.error(403, "PERMISSION_DENIED");
            assert_eq!(answer.body["errors"][0]["field"], "data[0].action.Channel", "{}", answer.body);
        }
        answer.status.is_success()
    };
    for number in ["88213123456", "+881 6 212 345 678", "19005551234", "449012345678", "4990012345"] {
        assert!(!may(number).await, "{number}");
    }
    assert!(may("4930231250").await);

    let own = |allow: &str| json!({ "policy": { "destination_prefixes": { "allow": [allow, "49"] } } });
    setup.patch(own("+44 9")).await;
    assert!(may("449012345678").await, "a client's own rule of the same length opens a range");
    assert!(!may("4990012345").await, "a client's shorter rule does not open a range");
    setup.patch(json!({ "policy": {} })).await;
    setup.admin.put("admin/policy", json!({ "denied_prefixes": ["+882"], "allow_premium_rate": true })).await.data();
    assert!(may("4990012345").await && !may("88213123456").await);
    let policy = setup.admin.get("admin/policy").await.data();
    assert_eq!(policy, json!({ "denied_prefixes": ["+882"], "allow_premium_rate": true }));
    setup.admin.put("admin/policy", json!({})).await.data();
    assert!(!may("4990012345").await, "the list is on again");
}
