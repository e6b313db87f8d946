use super::*;
use crate::domain::number::Numbering;
use crate::domain::originate::Target;

fn spec(channel: &str, name: &str, data: &str) -> OriginateSpec {
    OriginateSpec::new(channel.into(), Target::Application { name: name.into(), data: data.into() })
}

fn extension(context: &str, exten: &str) -> OriginateSpec {
    let target = Target::Extension { context: context.into(), exten: exten.into(), priority: "1".into() };
    OriginateSpec { target, ..spec("PJSIP/1@e", "", "") }
}

/// Returns the channel and the data or extension that go out, or the refused fields, each with the kind of its fault.
fn admit(policy: &Policy, spec: &OriginateSpec) -> Result<(String, String), Vec<(&'static str, &'static str)>> {
    let reading = Reading { numbering: &Numbering::default(), extensions: &["*9X".to_owned().try_into().unwrap()] };
    let dirs = ["/recordings".to_owned(), "/srv/monitor".to_owned()];
    let terms = Terms { account_code: "acme", recording_dirs: &dirs, reading };
    match policy.admit(spec, terms) {
        Ok(dialed) => {
            let mut sent = spec.clone();
            dialed.write(reading, &mut sent);
            let data = match sent.target {
                Target::Application { data, .. } => data,
                Target::Extension { exten, .. } => exten,
            };
            Ok((sent.channel, data))
        }
        Err(denied) => Err(denied.into_iter().map(|denied| (denied.field, kind(&denied.fault))).collect()),
    }
}

fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Malformed(_) => "malformed",
        Fault::Denied(_) => "denied",
    }
}

fn fields(policy: &Policy, spec: &OriginateSpec) -> Vec<&'static str> {
    admit(policy, spec).err().unwrap_or_default().into_iter().map(|(field, _)| field).collect()
}

fn sent(policy: &Policy, spec: &OriginateSpec) -> (String, String) {
    admit(policy, spec).unwrap()
}

#[test]
fn the_guides_examples_need_no_grant_and_go_out_as_they_are() {
    let spec = spec("PJSIP/1234567890@endpoint1", "Dial", "PJSIP/0987654321@endpoint2,30");
    let (channel, data) = sent(&Policy::default(), &spec);
    assert_eq!((channel.as_str(), data.as_str()), ("PJSIP/1234567890@endpoint1", "PJSIP/0987654321@endpoint2,30"));
}

#[test]
fn what_goes_out_is_written_from_what_was_understood() {
    let policy = Policy {
        technologies: ["PJSIP", "Local", "SIP", "IAX2", "DAHDI"].map(str::to_owned).to_vec(),
        contexts: vec!["answer".into(), "default".into()],
        ..Policy::default()
    };
    for (written, out) in [
        ("pjsip/+49 (0)30-23 12@e", "PJSIP/+49302312@e"),
        ("PJSIP/+1 (202) 555-0143@e", "PJSIP/+12025550143@e"),
        ("PJSIP/\u{202a}+49 30 1\u{202c}@e", "PJSIP/+49301@e"),
        ("PJSIP/e/+49 30 1", "PJSIP/e/+49301"),
        ("PJSIP/agent-7", "PJSIP/agent-7"),
        ("PJSIP/7001/7001", "PJSIP/7001"),
        ("PJSIP/+49 30 1", "PJSIP/+49301"),
        ("PJSIP/*98@e", "PJSIP/*98@e"),
        ("LOCAL/100@answer/nj", "Local/100@answer/nj"),
        ("Local/s", "Local/s@default"),
        ("SIP/peer/49 30", "SIP/peer/4930"),
        ("IAX2/peer/49 30", "IAX2/peer/4930"),
        ("dahdi/g1/49 30", "DAHDI/g1/4930"),
    ] {
        assert_eq!(sent(&policy, &spec(written, "Wait", "1")).0, out, "{written}");
        let data = format!("{written}&PJSIP/2@e,30,tg");
        assert_eq!(sent(&policy, &spec("PJSIP/1@e", "Dial", &data)).1, format!("{out}&PJSIP/2@e,30,tg"), "{written}");
    }
}

#[test]
fn a_dial_string_that_no_parser_understands_is_refused_in_every_leg() {
    let policy = Policy {
        technologies: ["PJSIP", "Local", "SIP", "IAX2", "DAHDI"].map(str::to_owned).to_vec(),
        contexts: vec!["answer".into()],
        ..Policy::default()
    };
    for channel in [
        "PJSIP/endpoint2/endpoint2,x@endpoint1",
        "PJSIP/endpoint1/endpoint2",
        "PJSIP/e/sip:1@host",
        "PJSIP/1@10.0.0.1",
        "PJSIP/1@a@b",
        "PJSIP/%38%38%32123456@e",
        "PJSIP/w19005551212@e",
        "PJSIP/x882123456@e",
        "PJSIP/0%30882123456@e",
        "PJSIP/\u{ff18}82123@e",
        "PJSIP/1%40evil@e",
        "PJSIP/442012345678;npdi;rn=+882123456@e",
        "PJSIP/445551212;phone-context=+1900@e",
        "PJSIP/*6719005551212@e",
        "PJSIP/9.19877E+11@e",
        "PJSIP/12025550143.0@e",
        "PJSIP/1@e ",
        "PJSIP/@e",
        "PJSIP/1@",
        "PJSIP/",
        "PJSIP",
        "",
        "PJSIP/2\\@e",
        "PJSIP/\"2\"@e",
        "PJSIP/[2]@e",
        "SIP/endpoint1/442012345678/10.0.0.1",
        "SIP/endpoint1/442012345678!x!+448001111111",
        "IAX2/10.0.0.1/19005551212@ctx",
        "IAX2/user:secret@peer/1",
        "DAHDI/g1/ww19005551212",
        "DAHDI/i1/1",
        "Local/100@busy/n",
        "Local/100/n@answer",
        "Local/100@answer/x",
        "Local/x882@answer",
        "Local/1@a@answer",
        "Dongle/1/2",
        " PJSIP/1@e",
    ] {
        assert_eq!(fields(&policy, &spec(channel, "Wait", "1")), ["Channel"], "{channel}");
        let data = format!("PJSIP/2@endpoint2&{channel},30");
        assert!(!fields(&policy, &spec("PJSIP/1@e", "Dial", &data)).is_empty(), "{data}");
    }
    let long = format!("PJSIP/1@{}", "e".repeat(300));
    assert_eq!(fields(&policy, &spec(&long, "Wait", "1")), ["Channel"]);
}

#[test]
fn what_is_no_number_is_malformed_and_what_is_not_granted_is_denied() {
    let policy = Policy { trunks: vec!["e".into()], ..Policy::default() };
    for (channel, expected) in [
        ("PJSIP/x882@e", "malformed"),
        ("PJSIP/1@other", "denied"),
        ("SIP/1@e", "denied"),
        ("Dongle/1", "denied"),
        ("PJSIP/sip:1@e", "denied"),
    ] {
        assert_eq!(admit(&policy, &spec(channel, "Wait", "1")), Err(vec![("Channel", expected)]), "{channel}");
    }
}

#[test]
fn applications_and_options_that_run_code_cannot_be_granted() {
    for name in
        ["System", "sYsTeM", " System", "AGI", "RetryDial", "Gosub", "Set", "ChanSpy", "MixMonitor", "UserEvent"]
    {
        let granted = Policy { applications: vec![name.into(), "Dial".into()], ..Policy::default() };
        assert_eq!(fields(&granted, &spec("PJSIP/1@e", name, "x")), ["Application"], "{name}");
    }
    for option in ["M(x)", "tU(x)", "F(a^b^1)", "F", "G(a^b^1)", "b(x)", "B(x)"] {
        let data = format!("PJSIP/1@e,30,{option}");
        assert_eq!(fields(&Policy::default(), &spec("PJSIP/1@e", "Dial", &data)), ["Data"], "{option}");
    }
}

#[test]
fn the_arguments_of_dial_are_read_as_asterisk_reads_them() {
    for data in [
        "PJSIP/2(@endpoint2,&Local/100@any-context/n&PJSIP/3)@endpoint2,30",
        "PJSIP/1@endpoint2&PJSIP/2(@endpoint2,,)t,30,G(ctx^s^1)",
        "PJSIP/2[@e,]&Local/1@x,30",
        "PJSIP/2\"@e,\"&Local/1@x,30",
        r"PJSIP/2\,&Local/1@x,30",
        "PJSIP/1@e,3(,)0,G(ctx^s^1)",
        "PJSIP/1@e,30,t[,]G(ctx^s^1)",
        "PJSIP/1@e&,30",
        "PJSIP/1@e,x",
        "PJSIP/1@e,30,A(/etc/passwd)",
        "PJSIP/1@e,30,A(http://host/x)",
        "PJSIP/1@e,30,L(${X})",
        "PJSIP/1@e,30,t(x)",
        "",
    ] {
        let fields = fields(&Policy::default(), &spec("PJSIP/1@e", "Dial", data));
        assert!(!fields.is_empty() && fields.iter().all(|field| *field == "Data"), "{data}: {fields:?}");
    }
    for data in [
        "PJSIP/2@e&PJSIP/3@e,30,tL(60000:30000)f(Ä, <1>),http://example.com/x",
        "PJSIP/2@e",
        "PJSIP/2@e,,g",
        "PJSIP/2@e,30,A(hello&en/x)D(ww12#)Q(17)S(60)m(jazz)",
    ] {
        assert_eq!(sent(&Policy::default(), &spec("PJSIP/1@e", "Dial", data)).1, data);
    }
}

#[test]
fn a_dial_calls_so_many_legs_at_most() {
    let data = |legs: usize| vec!["PJSIP/442012345678@endpoint1"; legs].join("&");
    assert!(fields(&Policy::default(), &spec("PJSIP/1@e", "Dial", &data(10))).is_empty());
    assert_eq!(fields(&Policy::default(), &spec("PJSIP/1@e", "Dial", &data(11))), ["Data"]);
    let policy = Policy { max_legs: Some(33), ..Policy::default() };
    assert!(fields(&policy, &spec("PJSIP/1@e", "Dial", &data(33))).is_empty());
}

#[test]
fn no_option_of_dial_gets_around_a_forced_did() {
    let policy = Policy { did_policy: DidPolicy::Force, ..Policy::default() };
    for option in ["f(Bank <+448001111111>)", "f", "o(+1)"] {
        let data = format!("PJSIP/1@e,30,{option}");
        assert_eq!(fields(&policy, &spec("PJSIP/1@e", "Dial", &data)), ["Data"], "{option}");
        assert!(fields(&Policy::default(), &spec("PJSIP/1@e", "Dial", &data)).is_empty(), "{option}");
    }
}

#[test]
fn the_arguments_of_queue_run_no_code_and_fetch_nothing() {
    for data in [
        "support,,,,,agi://host/x",
        "support,t,,,60,,macro",
        "support,,,,,,,context^s^1",
        "support,b(context^s^1)",
        "support,F(context^s^1)",
        "support,tB(context^s^1),,,60",
        "support,,(,),,,x.agi",
        "sup[,]port,b(x)",
        "sales,,,http://127.0.0.1:9999/a",
        "sales,,,/var/spool/x",
        "sales,,,,1e9",
        "",
    ] {
        let fields = fields(&Policy::default(), &spec("PJSIP/1@e", "Queue", data));
        assert!(!fields.is_empty() && fields.iter().all(|field| *field == "Data"), "{data}: {fields:?}");
    }
    for data in ["support", "support,tTn,,,60", "support,C,http://example.com,hello,60,,,,rule,1"] {
        assert_eq!(sent(&Policy::default(), &spec("PJSIP/1@e", "Queue", data)).1, data);
    }
    let policy = Policy { queues: vec!["support".into()], ..Policy::default() };
    assert!(fields(&policy, &spec("PJSIP/1@e", "Queue", "support,t")).is_empty());
    assert_eq!(fields(&policy, &spec("PJSIP/1@e", "Queue", "sales")), ["Data"]);
}

#[test]
fn a_conference_is_entered_with_granted_profiles_only() {
    let policy = Policy { conference_profiles: vec!["guest".into()], ..Policy::default() };
    for data in ["board", "board,,guest", "board,,guest,guest"] {
        assert_eq!(sent(&policy, &spec("PJSIP/1@e", "ConfBridge", data)).1, data);
    }
    for data in ["board,default_bridge,admin_user,admin_menu", "board,,,menu", "bo ard", "", "board,,guest,,x"] {
        assert!(!fields(&policy, &spec("PJSIP/1@e", "ConfBridge", data)).is_empty(), "{data}");
    }
    let policy = Policy { conferences: vec!["mine".into()], ..Policy::default() };
    assert_eq!(fields(&policy, &spec("PJSIP/1@e", "ConfBridge", "board")), ["Data"]);
}

#[test]
fn playback_plays_sounds_of_asterisk_only() {
    for data in ["hello", "hello&en/bye,skip", "a.b,noanswer"] {
        assert_eq!(sent(&Policy::default(), &spec("PJSIP/1@e", "Playback", data)).1, data);
    }
    for data in [
        "http://169.254.169.254/x.wav",
        "/var/spool/asterisk/monitor/x",
        "../../../spool/x",
        "a&../b",
        "a,x(b)",
        "",
        "a|b",
    ] {
        assert_eq!(fields(&Policy::default(), &spec("PJSIP/1@e", "Playback", data)), ["Data"], "{data}");
    }
}

#[test]
fn the_longest_prefix_decides() {
    let policy = Policy { allow_prefixes: vec!["44".into()], deny_prefixes: vec!["44900".into()], ..Policy::default() };
    assert!(fields(&policy, &spec("PJSIP/4420@e", "Wait", "1")).is_empty());
    assert_eq!(fields(&policy, &spec("PJSIP/449001@e", "Wait", "1")), ["Channel"]);
    assert_eq!(fields(&policy, &spec("PJSIP/331@e", "Wait", "1")), ["Channel"]);
}

#[test]
fn a_denied_destination_is_denied_however_it_is_written_and_in_every_leg() {
    let deny = ["1900", "4470", "882"].map(str::to_owned).to_vec();
    let policy = Policy { deny_prefixes: deny, contexts: vec!["outbound".into()], ..Policy::default() };
    for number in ["882123456", "00882123456", "011882123456", "+882 123456", "+88(2)123456", "\u{200b}882123456"] {
        let channel = format!("PJSIP/{number}@e");
        assert_eq!(fields(&policy, &spec(&channel, "Wait", "1")), ["Channel"], "{number}");
        assert_eq!(fields(&policy, &spec("PJSIP/1@e", "Dial", &format!("{channel},30"))), ["Data"], "{number}");
        assert_eq!(fields(&policy, &extension("outbound", number)), ["Exten"], "{number}");
    }
}

#[test]
fn a_longer_rule_of_the_client_allows_what_the_platform_denies() {
    let policy = Policy::default().under(["+44900"].iter().collect());
    assert_eq!(fields(&policy, &spec("PJSIP/449001@e", "Wait", "1")), ["Channel"]);
    assert!(fields(&policy, &spec("PJSIP/4420@e", "Wait", "1")).is_empty());
    let policy = Policy { allow_prefixes: vec!["449001".into()], ..policy };
    assert!(fields(&policy, &spec("PJSIP/449001@e", "Wait", "1")).is_empty());
}

#[test]
fn an_extension_is_a_word_a_number_or_granted() {
    let policy = Policy { contexts: vec!["ivr".into()], ..Policy::default() };
    for exten in ["s", "sales-menu", "100", "*98", "+49301"] {
        assert_eq!(sent(&policy, &extension("ivr", exten)).1, exten);
    }
    for exten in ["x882", "s1", "*97123", "1@other", "1,1", "s/n", "", "_X."] {
        assert_eq!(fields(&policy, &extension("ivr", exten)), ["Exten"], "{exten}");
    }
    assert_eq!(fields(&policy, &extension("other", "s")), ["Context"]);
    assert_eq!(fields(&policy, &extension("ivr", &"1".repeat(90))), ["Exten"]);
}

#[test]
fn what_was_put_into_the_store_by_hand_is_checked_as_well() {
    let recording = |path: &str, options: Option<&str>, command: Option<&str>| Recording {
        path: path.into(),
        options: options.map(str::to_owned),
        command: command.map(str::to_owned),
    };
    let base = || spec("PJSIP/1@e", "Wait", "1");
    for (wrong, field) in [
        (OriginateSpec { account: Some("other".into()), ..base() }, "Account"),
        (OriginateSpec { caller_id: Some("${X}".into()), ..base() }, "CallerID"),
        (OriginateSpec { caller_id: Some("x\r\nAction: Command".into()), ..base() }, "CallerID"),
        (OriginateSpec { caller_id: Some("x\u{1b}]0;owned\u{7} <1>".into()), ..base() }, "CallerID"),
        (OriginateSpec { codecs: Some("$[1]".into()), ..base() }, "Codecs"),
        (OriginateSpec { channel_id: Some("tl-1".into()), ..base() }, "ChannelId"),
        (OriginateSpec { other_channel_id: Some("1764201234.57".into()), ..base() }, "OtherChannelId"),
        (OriginateSpec { variables: [("A".to_owned(), "${SHELL(id)}".to_owned())].into(), ..base() }, "variables"),
        (OriginateSpec { variables: [("__DID".to_owned(), "1".to_owned())].into(), ..base() }, "variables"),
        (OriginateSpec { variables: [("A B".to_owned(), "1".to_owned())].into(), ..base() }, "variables"),
        (
            OriginateSpec { variables: (0..101).map(|n| (format!("V{n}"), String::new())).collect(), ..base() },
            "variables",
        ),
        (OriginateSpec { recording: Some(recording("/etc/x.wav", None, None)), ..base() }, "recording_path"),
        (
            OriginateSpec { recording: Some(recording("/recordings/x", Some("r(/x)"), None)), ..base() },
            "mix_monitor_command",
        ),
        (
            OriginateSpec { recording: Some(recording("/recordings/x", None, Some("id"))), ..base() },
            "mix_monitor_command",
        ),
    ] {
        assert_eq!(fields(&Policy::default(), &wrong), [field], "{wrong:?}");
    }
    let fine = recording("/recordings/x", Some("bv(2)"), None);
    let fine = OriginateSpec { account: Some("acme".into()), recording: Some(fine), ..base() };
    assert!(fields(&Policy::default(), &fine).is_empty());
}

#[test]
fn a_clients_directories_narrow_those_of_the_server() {
    let policy = Policy { recording_dirs: vec!["/recordings/acme".into(), "/etc".into()], ..Policy::default() };
    let recorded = |path: &str| {
        let recording = Recording { path: path.into(), options: None, command: None };
        fields(&policy, &OriginateSpec { recording: Some(recording), ..spec("PJSIP/1@e", "Wait", "1") })
    };
    assert!(recorded("/recordings/acme/x.wav").is_empty());
    for outside in ["/recordings/x.wav", "/recordings/acme", "/srv/monitor/x.wav", "/etc/x"] {
        assert_eq!(recorded(outside), ["recording_path"], "{outside}");
    }
}
