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
    let bad = setup.admin.put("admin/policy", json!({ "denied_prefixes": ["44", "x"] })).await;
    assert_eq!(bad.body["errors"][0]["field"], "denied_prefixes[1]", "{}", bad.body);
}
