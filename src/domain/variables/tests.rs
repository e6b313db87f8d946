//! Tests which variables are reserved, and what opens them.

use proptest::prelude::*;

use super::*;

/// The names of the review that opened a shell, a context, a file or a connection.
const HARMFUL: [&str; 26] = [
    "MONITOR_EXEC",
    "MONITOR_FILENAME",
    "MONITOR_OPTIONS",
    "CONNECTED_LINE_SEND_SUB",
    "CONNECTED_LINE_SEND_SUB_ARGS",
    "CONNECTED_LINE_CALLER_SEND_MACRO",
    "REDIRECTING_SEND_SUB",
    "FORWARD_CONTEXT",
    "TRANSFER_CONTEXT",
    "GOTO_ON_BLINDXFR",
    "BRIDGE_FEATURES",
    "TOUCH_MIXMONITOR",
    "BRIDGE_PLAY_SOUND",
    "DYNAMIC_FEATURES",
    "QUEUE_PRIO",
    "SIPADDHEADER01",
    "SIPADDHEADER",
    "EXITCONTEXT",
    "PARKINGDYNCONTEXT",
    "SIPFROMDOMAIN",
    "END_WHILE_0",
    "ARG1",
    "OUTBOUND_GROUP_ONCE",
    "LIMIT_WARNING_FILE",
    "MEETME_AGI_BACKGROUND",
    "AUTO_MONITOR",
];

/// Names that applications give to their own variables: customers, campaigns, leads, agents and their data.
const ORDINARY: [&str; 48] = [
    "CUST_NAME",
    "CUST_ID",
    "__CUST_ID",
    "__CAMPAIGN",
    "_CAMPAIGN_ID",
    "CUSTOMER_ID",
    "CustomerName",
    "customer_id",
    "CAMPAIGN",
    "campaign_id",
    "LEAD_ID",
    "LEADID",
    "lead",
    "LIST_ID",
    "VENDOR_LEAD_CODE",
    "AGENT",
    "AGENT_ID",
    "agentExten",
    "CALLER_NAME",
    "CALL_ID",
    "CALLID",
    "call_uuid",
    "UNIQUE_REF",
    "REF",
    "TICKET",
    "TICKET_NUMBER",
    "ORDER_ID",
    "ACCOUNT_ID",
    "TENANT",
    "__TENANT_ID",
    "PROJECT",
    "LANGUAGE",
    "LANG",
    "PROMPT",
    "GREETING",
    "SURVEY_ID",
    "IVR_MENU",
    "APPOINTMENT_TIME",
    "DUE_AMOUNT",
    "BALANCE",
    "CURRENCY",
    "RETRY_COUNT",
    "DIAL_TIMEOUT",
    "REAL_CALLERID",
    "CONTACT",
    "PHONE",
    "MSG",
    "did_number",
];

fn grants(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn what_asterisk_reads_is_reserved_and_what_integrations_use_is_not() {
    for name in HARMFUL {
        assert!(denied(name, &[]).is_some(), "{name} is reserved");
        assert!(denied(name, &grants(&["*"])).is_some(), "`*` does not open {name}");
    }
    for name in ORDINARY {
        assert_eq!(denied(name, &[]), None);
    }
}

#[test]
fn every_family_is_reserved_beyond_the_names_of_the_list() {
    for family in FAMILIES {
        let name = family.replace('*', "NEW");
        assert!(reserved(&name).is_some(), "{name}");
        assert!(reserved(&format!("__{}", name.to_lowercase())).is_some(), "{name} in any case, inherited or not");
    }
}

#[test]
fn the_list_is_of_three_versions_and_what_asterisk_only_sets_is_free() {
    let lines: Vec<Vec<&str>> =
        LIST.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(" | ").collect()).collect();
    assert!(lines.iter().all(|line| line.len() == 4), "name, how, versions and files");
    let (set, read): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| line[1] == "set");
    assert!(read.len() > 180, "{} names are read", read.len());
    for version in ["16.", "20.", "22."] {
        assert!(read.iter().any(|line| line[2].contains(version)), "some are read in {version}");
    }
    for line in read {
        assert!(reserved(&line[0].replace('*', "X").replace('#', "7")).is_some(), "{}", line[0]);
    }
    assert!(set.iter().any(|line| line[0] == "AMDSTATUS"));
    assert_eq!(reserved("AMDSTATUS"), None);
}

#[test]
fn only_a_grant_of_the_same_name_opens_a_reserved_one() {
    let granted = grants(&["QUEUE_PRIO", "CUST_*"]);
    assert_eq!(denied("QUEUE_PRIO", &granted), None);
    assert_eq!(denied("CUST_NAME", &granted), None);
    for other in ["_QUEUE_PRIO", "__QUEUE_PRIO", "queue_prio", "QUEUE_MAX_PENALTY"] {
        let why = denied(other, &granted).expect("another name");
        assert!(why.starts_with(&format!("variable {other} changes what Asterisk does")), "{why}");
    }
    assert_eq!(denied("ORDER_ID", &granted).as_deref(), Some("variable ORDER_ID is not granted"));
    assert!(denied("BRIDGE_FEATURES", &grants(&["BRIDGE_F*", "*", "bridge_features"])).is_some());
}

#[test]
fn what_asterisk_runs_stays_closed_whatever_was_granted() {
    for name in ["MONITOR_EXEC", "__MONITOR_EXEC", "ANY_EXEC", "TOUCH_MIXMONITOR", "X_SEND_SUB", "MONITOR_FILENAME"] {
        assert_eq!(reserved(name), Some(Reserved::Run), "{name}");
        assert!(denied(name, &grants(&[name])).is_some(), "{name}");
        assert!(grant_error(name).is_some_and(|why| why.contains("cannot be granted to any client")), "{name}");
    }
}

#[test]
fn a_grant_that_would_open_nothing_is_refused() {
    for fine in ["*", "CUST_*", "_*", "CUST_NAME", "__CAMPAIGN", "QUEUE_PRIO", "__FORWARD_CONTEXT", "MONITOR*", "Q*"] {
        assert_eq!(grant_error(fine), None, "{fine}");
    }
    for (pattern, why) in [
        ("QUEUE_*", "one by one"),
        ("__queue_p*", "one by one"),
        ("SIPADDHEADER0*", "one by one"),
        ("CHANNEL*", "one by one"),
        ("TRUNKLINE_*", "set by Trunkline"),
        ("__DID", "set by Trunkline"),
        ("SHELL(id)", "name of a channel variable"),
        ("CHANNEL(language)", "name of a channel variable"),
        ("CDR(userfield)", "name of a channel variable"),
        ("*_EXEC", "name of a channel variable"),
        ("A*B", "name of a channel variable"),
        ("CUST_NAME ", "name of a channel variable"),
        ("", "name of a channel variable"),
        ("1ST", "name of a channel variable"),
        ("ÄRA", "name of a channel variable"),
    ] {
        let told = grant_error(pattern).unwrap_or_default();
        assert!(told.contains(why), "{pattern}: {told}");
    }
}

#[test]
fn a_stored_call_keeps_to_what_a_request_may_say() {
    assert_eq!(ORDINARY.iter().find_map(|name| unfit(name)), None);
    assert_eq!(unfit("__TRUNKLINE_CALL_ID").as_deref(), Some("variable __TRUNKLINE_CALL_ID is set by Trunkline"));
    for name in ["SHELL(id)", "CHANNEL(language)", "A=B", "A,B", "A B", ""] {
        assert!(unfit(name).is_some_and(|why| why.contains("not the name")), "{name}");
    }
    assert_eq!(too_many(MAX_VARIABLES), None);
    assert_eq!(too_many(MAX_VARIABLES + 1).as_deref(), Some("has 101 channel variables; at most 100 are allowed"));
}

#[test]
fn a_pattern_matches_from_the_first_to_the_last_character() {
    for (pattern, name, fits) in [
        ("A*", "A", true),
        ("*_EXEC", "X_EXEC", true),
        ("*_EXEC", "X_EXECUTE", false),
        ("ARG#", "ARG12", true),
        ("ARG#", "ARGUMENT", false),
        ("ARG#", "ARG1A", false),
        ("*_SEND_SUB*", "A_SEND_SUB_ARGS", true),
        ("GROUP", "GROUPS", false),
    ] {
        assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} and {name}");
    }
}

proptest! {
    #[test]
    fn a_reserved_name_is_reserved_in_any_case_and_with_any_underscores(
        name in prop::sample::select(HARMFUL.to_vec()),
        underscores in 0..5_usize,
        lower in prop::collection::vec(any::<bool>(), 40),
        grant in "[A-Z_]{0,6}\\*",
    ) {
        let mixed: String = name
            .chars()
            .zip(&lower)
            .map(|(character, lower)| if *lower { character.to_ascii_lowercase() } else { character })
            .collect();
        let mixed = format!("{}{mixed}", "_".repeat(underscores));
        prop_assert!(denied(&mixed, &[]).is_some(), "{}", mixed);
        prop_assert!(denied(&mixed, std::slice::from_ref(&grant)).is_some(), "{} with {}", mixed, grant);
    }

    #[test]
    fn any_text_is_decided_upon_without_a_panic(name in any::<String>(), grant in any::<String>()) {
        let _ = (reserved(&name), denied(&name, std::slice::from_ref(&grant)), grant_error(&grant));
        let fits = unfit(&name).is_none();
        prop_assert_eq!(fits, is_plain(&name) && !is_own(&name));
    }
}
