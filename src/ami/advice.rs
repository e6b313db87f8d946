//! What an Asterisk should be set to so that nobody can do more with it than Trunkline needs: rules over its answers. No
//! IO.

use std::fmt;

use super::message::Message;

/// Something that an administrator of Asterisk should change. Dialing works nevertheless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The manager user has a write class that dialing does not need.
    WriteClass {
        /// The class, as it is written in `manager.conf`.
        class: &'static str,
        /// What anyone who has the user's secret can do with it.
        allows: &'static str,
    },
    /// Functions that run commands can be called from outside of the dialplan.
    LiveDangerously,
    /// A redirected call enters a context that does more than end it.
    Redirect {
        /// The endpoint whose far end can redirect calls.
        endpoint: String,
        /// The context of the endpoint.
        context: String,
        /// What the context does, such as `extension _X. runs Dial`; None if Asterisk does not say.
        does: Option<String>,
    },
    /// More endpoints could redirect calls than are listed.
    MoreRedirects(usize),
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteClass { class, allows } => write!(
                f,
                "the manager user can {allows}, which dialing does not need: take `{class}` out of `write=` in manager.conf"
            ),
            Self::LiveDangerously => f.write_str(
                "functions such as SHELL can be called over AMI: set `live_dangerously = no` in asterisk.conf",
            ),
            Self::Redirect { endpoint, context, does } => {
                write!(
                    f,
                    "a 302 response of endpoint {endpoint} sends the call to any extension of its context {context}"
                )?;
                match does {
                    Some(does) => write!(f, ", where {does}")?,
                    None => f.write_str(", which could not be read")?,
                }
                f.write_str(
                    ": set `redirect_method = uri_core` in pjsip.conf, or give the endpoint a context that only ends calls",
                )
            }
            Self::MoreRedirects(more) => write!(f, "the same holds for {more} more endpoints"),
        }
    }
}

/// The write classes that dialing does not need and that open more than calls, each with an action that only this class
/// permits.
const TOO_MUCH: [(&str, &str, &str); 3] = [
    ("Command", "command", "run every command of Asterisk's console"),
    ("UpdateConfig", "config", "change Asterisk's configuration, the dialplan included"),
    ("AGI", "agi", "run AGI commands in every call"),
];

/// Applications that end a call or keep it where it is. A context that runs nothing else is a dead end.
const DEAD_END: [&str; 14] = [
    "Answer",
    "Busy",
    "Congestion",
    "Echo",
    "Hangup",
    "Log",
    "NoOp",
    "Playback",
    "Playtones",
    "Progress",
    "Ringing",
    "UserEvent",
    "Verbose",
    "Wait",
];

/// Finds what the manager user may do without need in the answer to `ListCommands`.
pub fn of_commands(commands: &Message) -> Vec<Advice> {
    let has = |(action, _, _): &(&str, &str, &str)| commands.get(action).is_some();
    TOO_MUCH.into_iter().filter(has).map(|(_, class, allows)| Advice::WriteClass { class, allows }).collect()
}

/// Judges the section `options` of `asterisk.conf`, as `GetConfig` returns it.
pub fn of_asterisk_conf(options: &Message) -> Option<Advice> {
    let set = last_value(options, "live_dangerously")?;
    // What `ast_true` takes for true.
    ["yes", "true", "y", "t", "1", "on"].contains(&set.to_ascii_lowercase().as_str()).then_some(Advice::LiveDangerously)
}

/// Returns the last value of a setting in the answer to `GetConfig`.
pub fn last_value(section: &Message, name: &str) -> Option<String> {
    let lines = section.headers().filter(|(header, _)| header.starts_with(b"Line-")).map(|(_, line)| line);
    let values = lines.filter_map(|line| {
        let (found, value) = line.split_once('=')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    values.last()
}

/// The settings of an endpoint that decide where a redirected call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The context of calls that the endpoint begins, and of redirected ones.
    pub context: String,
    /// How a 302 response is followed. Asterisk 16 does not say.
    pub redirect_method: Option<String>,
}

impl Endpoint {
    /// Reads the settings from the events of `PJSIPShowEndpoint`. None if there is no such endpoint.
    pub fn of(events: &[Message]) -> Option<Self> {
        let detail = events.iter().find(|event| event.event_name() == Some(b"EndpointDetail"))?;
        let text = |name: &str| detail.get(name).map(std::borrow::Cow::into_owned);
        Some(Self { context: text("Context")?, redirect_method: text("RedirectMethod") })
    }
}

/// What Asterisk says of a context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialplan {
    /// The context does nothing but end calls, or there is none of that name.
    DeadEnd,
    /// The context does more, as this says.
    Does(String),
    /// The manager user may not read the dialplan.
    Unknown,
}

/// Judges the answer to `ShowDialPlan` for one context.
pub fn of_dialplan(listed: &Result<Vec<Message>, Message>) -> Dialplan {
    match listed {
        Ok(events) => events.iter().find_map(leads_on).map_or(Dialplan::DeadEnd, Dialplan::Does),
        Err(refused) if refused.text().starts_with("Did not find context") => Dialplan::DeadEnd,
        Err(_) => Dialplan::Unknown,
    }
}

/// Returns how a line of the dialplan leads on; None if it does not.
fn leads_on(line: &Message) -> Option<String> {
    if line.event_name() != Some(b"ListDialplan") {
        return None;
    }
    for (header, what) in [("IncludeContext", "includes context"), ("Switch", "asks the switch")] {
        if let Some(other) = line.get(header) {
            return Some(format!("it {what} {other}"));
        }
    }
    let application = line.get("Application")?;
    let ends = DEAD_END.iter().any(|end| end.eq_ignore_ascii_case(&application));
    let extension = line.get("Extension").unwrap_or_default();
    (!ends).then(|| format!("extension {extension} runs {application}"))
}

/// Judges where a call goes that an endpoint's far end redirects.
pub fn of_endpoint(name: &str, endpoint: &Endpoint, dialplan: &Dialplan) -> Option<Advice> {
    if !endpoint.redirect_method.as_deref().is_some_and(|method| method.eq_ignore_ascii_case("user")) {
        return None;
    }
    let does = match dialplan {
        Dialplan::DeadEnd => return None,
        Dialplan::Does(what) => Some(what.clone()),
        Dialplan::Unknown => None,
    };
    Some(Advice::Redirect { endpoint: name.to_owned(), context: endpoint.context.clone(), does })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ami::codec::Decoder;

    /// The answers of an Asterisk 22 and an Asterisk 16 to a user with all classes.
    const TRACES: [(&str, &str); 2] = [
        ("22", include_str!("../../tests/data/ami/survey/asterisk-22.txt")),
        ("16", include_str!("../../tests/data/ami/survey/asterisk-16.txt")),
    ];

    fn messages(trace: &str) -> Vec<Message> {
        let received =
            trace.lines().filter(|line| !line.starts_with(">>> ")).collect::<Vec<_>>().join("\r\n") + "\r\n\r\n";
        let (mut decoder, mut buffer) = (Decoder::default(), bytes::BytesMut::from(received.as_bytes()));
        std::iter::from_fn(|| decoder.next(&mut buffer)).collect()
    }

    fn answer(messages: &[Message], id: &str) -> Vec<Message> {
        messages.iter().filter(|message| message.action_id().as_deref() == Some(id)).cloned().collect()
    }

    fn message(text: &'static str) -> Message {
        Message::new(bytes::Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn the_answers_of_asterisk_are_understood() {
        for (version, trace) in TRACES {
            let messages = messages(trace);
            let commands = answer(&messages, "commands").pop().unwrap();
            // This Asterisk has no module for AGI.
            let classes = ["command", "config"];
            let found: Vec<_> = of_commands(&commands).iter().map(ToString::to_string).collect();
            assert_eq!(found.len(), classes.len(), "{version}: {found:?}");
            for (found, class) in found.iter().zip(classes) {
                assert!(found.contains(&format!("`{class}`")), "{version}: {found}");
            }
            let endpoint = Endpoint::of(&answer(&messages, "redirected")).unwrap();
            assert_eq!(endpoint.context, "onward", "{version}");
            assert_eq!(endpoint.redirect_method.as_deref(), (version == "22").then_some("user"), "{version}");
            assert_eq!(last_value(&answer(&messages, "pjsip")[0], "context").as_deref(), Some("onward"), "{version}");
            let onward = of_dialplan(&Ok(answer(&messages, "onward")));
            assert_eq!(onward, Dialplan::Does("extension _X. runs Dial".to_owned()), "{version}");
            assert_eq!(of_dialplan(&Ok(answer(&messages, "answer"))), Dialplan::DeadEnd, "{version}");
            let nowhere = answer(&messages, "nowhere").pop().unwrap();
            assert_eq!(of_dialplan(&Err(nowhere)), Dialplan::DeadEnd, "{version}");
        }
    }

    #[test]
    fn only_a_redirect_into_a_context_that_leads_on_is_advised_against() {
        let endpoint = |method: Option<&str>| Endpoint {
            context: "onward".to_owned(),
            redirect_method: method.map(str::to_owned),
        };
        let does = Dialplan::Does("extension _X. runs Dial".to_owned());
        let advice = |method, dialplan: &Dialplan| of_endpoint("trunk1", &endpoint(method), dialplan);
        let text = advice(Some("user"), &does).unwrap().to_string();
        assert_eq!(
            text,
            "a 302 response of endpoint trunk1 sends the call to any extension of its context onward, where extension _X. \
             runs Dial: set `redirect_method = uri_core` in pjsip.conf, or give the endpoint a context that only ends calls"
        );
        assert!(advice(Some("user"), &Dialplan::Unknown).unwrap().to_string().contains("which could not be read"));
        for (method, dialplan) in
            [(Some("uri_core"), &does), (Some("uri_pjsip"), &does), (None, &does), (Some("user"), &Dialplan::DeadEnd)]
        {
            assert_eq!(advice(method, dialplan), None, "{method:?} {dialplan:?}");
        }
    }

    #[test]
    fn a_context_that_includes_another_leads_on() {
        for (line, does) in [
            ("Event: ListDialplan\r\nContext: a\r\nIncludeContext: b\r\n", "it includes context b"),
            ("Event: ListDialplan\r\nContext: a\r\nSwitch: Realtime/b\r\n", "it asks the switch Realtime/b"),
            ("Event: ListDialplan\r\nExtension: s\r\nApplication: Goto\r\n", "extension s runs Goto"),
        ] {
            assert_eq!(of_dialplan(&Ok(vec![message(line)])), Dialplan::Does(does.to_owned()));
        }
        let refused = message("Response: Error\r\nMessage: Permission denied\r\n");
        assert_eq!(of_dialplan(&Err(refused)), Dialplan::Unknown);
    }

    #[test]
    fn live_dangerously_is_found_as_asterisk_reads_it() {
        let set = |line: &'static str| of_asterisk_conf(&message(line));
        assert_eq!(
            set("Response: Success\r\nLine-000000-000000: live_dangerously=YES\r\n"),
            Some(Advice::LiveDangerously)
        );
        let later = "Response: Success\r\nLine-000000-000000: live_dangerously=yes\r\nLine-000000-000001: live_dangerously=no\r\n";
        assert_eq!(set(later), None);
        assert_eq!(set("Response: Success\r\nLine-000000-000000: hideconnect=yes\r\n"), None);
        assert_eq!(set("Response: Error\r\nMessage: Permission denied\r\n"), None);
    }
}
