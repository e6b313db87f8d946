//! The sandbox's answer to each action.

use std::collections::HashMap;

use tokio::time::Instant;

use super::Originated;
use super::call::{Asked, Call, Leg, Party};
use super::exchange::Exchange;
use super::outcome::Dialed;
use super::render::{self, put};
use super::script::{self, Side};
use super::subscribers::{Filter, Mask};
use crate::ami::Message;

/// Applications that run programs. They are refused to a user without the write permission `system`, which the
/// sandbox's user does not have. These are parts of names, as Asterisk compares them (`action_originate` in
/// `main/manager.c`).
const FORBIDDEN: [&str; 6] = ["system", "exec", "agi", "mixmonitor", "externalivr", "originate"];

/// The actions that the sandbox answers, with Asterisk's descriptions. Its user may use all of them.
const COMMANDS: [(&str, &str); 15] = [
    ("CoreSettings", "Show PBX core settings (version etc).  (Priv: system,reporting,all)"),
    ("CoreShowChannels", "List currently active channels.  (Priv: system,reporting,all)"),
    ("CoreStatus", "Show PBX core status variables.  (Priv: system,reporting,all)"),
    ("Events", "Control Event Flow.  (Priv: <none>)"),
    ("Filter", "Dynamically add filters for the current manager session.  (Priv: system,all)"),
    ("Getvar", "Gets a channel variable or function value.  (Priv: call,reporting,all)"),
    ("Hangup", "Hangup channel.  (Priv: system,call,all)"),
    ("ListCommands", "List available manager commands.  (Priv: <none>)"),
    ("Logoff", "Logoff Manager.  (Priv: <none>)"),
    ("MixMonitor", "Record a call and mix the audio during the recording.  (Priv: system,all)"),
    ("Originate", "Originate a call.  (Priv: originate,all)"),
    ("Ping", "Keepalive command.  (Priv: <none>)"),
    ("Setvar", "Sets a channel variable or function value.  (Priv: call,all)"),
    ("Status", "List channel status.  (Priv: system,call,reporting,all)"),
    ("StopMixMonitor", "Stop recording a call through MixMonitor.  (Priv: system,call,all)"),
];

/// The longest ChannelId in bytes (`AST_MAX_PUBLIC_UNIQUEID`).
const LONGEST_ID: usize = 149;

/// How long Asterisk waits for an answer if the Originate has no timeout, in milliseconds.
const DEFAULT_TIMEOUT_MS: f64 = 30_000.0;

/// An action and the session that gets its answer.
struct Request<'a> {
    session: u64,
    id: String,
    action: &'a Message,
}

impl Request<'_> {
    fn field(&self, name: &str) -> String {
        self.action.get(name).unwrap_or_default().into_owned()
    }
}

impl Exchange {
    pub(super) fn act(&mut self, session: u64, action: &Message) {
        if self.subscribers.muted {
            return;
        }
        let request = Request { session, id: action.action_id().unwrap_or_default().into_owned(), action };
        let name = request.field("Action");
        match name.to_ascii_lowercase().as_str() {
            "ping" => self.ping(&request),
            "events" => self.events(&request),
            "filter" => self.filter(&request),
            "listcommands" => self.say(&request, "Success", &COMMANDS),
            "coresettings" => self.core_settings(&request),
            "corestatus" => self.core_status(&request),
            "originate" => self.originate(&request),
            "hangup" => self.hang_up(&request),
            "coreshowchannels" => self.core_show_channels(&request),
            "status" => self.status(&request),
            "mixmonitor" => self.record(&request, "MixMonitorStart", &[("MixMonitorID", "0x1")]),
            "stopmixmonitor" => self.record(&request, "MixMonitorStop", &[]),
            "setvar" => self.set_variable(&request),
            "getvar" => self.get_variable(&request),
            "login" => self.say(&request, "Success", &[("Message", "Already authenticated")]),
            "logoff" => {
                self.say(&request, "Goodbye", &[("Message", "Thanks for all the fish.")]);
                self.subscribers.leave(session);
            }
            "" => self.refuse(&request, "Missing action in request"),
            _ => {
                let unknown =
                    format!("Invalid/unknown command: {name}. Use Action: ListCommands to show available commands.");
                self.refuse(&request, &unknown);
            }
        }
    }

    fn say(&mut self, request: &Request, response: &str, fields: &[(&str, &str)]) {
        let mut text = String::new();
        put(&mut text, &[("Response", response)]);
        if !request.id.is_empty() {
            put(&mut text, &[("ActionID", &request.id)]);
        }
        put(&mut text, fields);
        text.push_str("\r\n");
        self.subscribers.say(request.session, &text);
    }

    fn refuse(&mut self, request: &Request, why: &str) {
        self.say(request, "Error", &[("Message", why)]);
    }

    fn ping(&mut self, request: &Request) {
        let timestamp = format!("{}.000000", self.clock().unix);
        self.say(request, "Success", &[("Ping", "Pong"), ("Timestamp", &timestamp)]);
    }

    fn events(&mut self, request: &Request) {
        let mask = Mask::parse(&request.field("EventMask"));
        let on = if mask == Mask::Classes(Vec::new()) { "Off" } else { "On" };
        self.subscribers.set_mask(request.session, mask);
        self.say(request, "Success", &[("Events", on)]);
    }

    fn filter(&mut self, request: &Request) {
        if !request.field("Operation").eq_ignore_ascii_case("Add") {
            return self.refuse(request, "Unknown operation");
        }
        match Filter::parse(&request.field("Filter")) {
            Some(filter) => {
                self.subscribers.add_filter(request.session, filter);
                self.say(request, "Success", &[("Message", "Filter Added Successfully")]);
            }
            None => self.refuse(request, "Filter did not compile.  Check the syntax of the filter given."),
        }
    }

    fn core_settings(&mut self, request: &Request) {
        let fields = [
            ("AMIversion", "11.0.0"),
            ("AsteriskVersion", "22.10.1"),
            ("SystemName", "sandbox"),
            ("CoreMaxCalls", "0"),
            ("CoreMaxLoadAvg", "0.000000"),
            ("CoreRunUser", ""),
            ("CoreRunGroup", ""),
            ("CoreMaxFilehandles", "0"),
            ("CoreRealTimeEnabled", "No"),
            ("CoreCDRenabled", "Yes"),
            ("CoreHTTPenabled", "No"),
        ];
        self.say(request, "Success", &fields);
    }

    fn core_status(&mut self, request: &Request) {
        let calls = self.calls.len().to_string();
        self.say(request, "Success", &[("CoreCurrentCalls", &calls)]);
    }

    fn originate(&mut self, request: &Request) {
        let (channel, channel_id) = (request.field("Channel"), request.field("ChannelId"));
        let (action_id, other_id) = (request.id.clone(), request.field("OtherChannelId"));
        self.seen.note(Originated {
            action_id: action_id.clone(),
            channel_id: channel_id.clone(),
            channel: channel.clone(),
            data: request.field("Data"),
            exten: request.field("Exten"),
        });
        if channel.is_empty() {
            return self.refuse(request, "Channel not specified");
        }
        if channel_id.len() > LONGEST_ID || other_id.len() > LONGEST_ID {
            return self.refuse(request, "Uniqueid length exceeds maximum of 149");
        }
        let Ok(timeout) = parse_or(&request.field("Timeout"), DEFAULT_TIMEOUT_MS) else {
            return self.refuse(request, "Invalid timeout");
        };
        let Some(dialed) = Dialed::parse(&channel) else {
            return self.refuse(request, "Invalid channel");
        };
        let (application, exten) = (request.field("Application"), request.field("Exten"));
        if FORBIDDEN.iter().any(|part| application.to_ascii_lowercase().contains(part)) {
            return self.refuse(request, "Originate Access Forbidden: app or data blacklisted");
        }
        let context = request.field("Context");
        if application.is_empty() && (exten.is_empty() || context.is_empty()) {
            return self.refuse(request, "Originate with 'Exten' requires 'Context' and 'Priority'");
        }
        self.say(request, "Success", &[("Message", "Originate successfully queued")]);
        let id = if channel_id.is_empty() { self.make_id() } else { channel_id };
        let second_id = if other_id.is_empty() { format!("{id};2") } else { other_id };
        let conflict = self.conflicts(&id) || (dialed.local && self.conflicts(&second_id));
        let began = Instant::now();
        let call = Call {
            asked: Asked {
                action_id,
                channel,
                extension: application.is_empty().then_some((context, exten)),
                application,
                data: request.field("Data"),
                caller: Party::parse(&request.field("CallerID")),
                account: request.field("Account"),
            },
            script: if conflict { script::refused() } else { script::of_call(&dialed) }.into(),
            dialed,
            peer_dialed: None,
            legs: [const { None }; 3],
            gone: [const { None }; 3],
            id,
            second_id,
            deadline: began + self.timing.scaled(timeout / 1000.0),
            began,
            at: began,
            answered: None,
            timer: None,
            bridge: None,
            variables: variables(request.action),
        };
        self.begin(call);
    }

    /// Returns true if a live channel's id begins with `id`, as Asterisk 22 checks it. A new id may begin with a live
    /// one.
    fn conflicts(&self, id: &str) -> bool {
        self.ids.range(id.to_owned()..).next().is_some_and(|(live, _)| live.starts_with(id))
    }

    /// Finds a live channel by its name or its Uniqueid.
    fn find(&self, channel: &str) -> Option<(u64, Side)> {
        self.names.get(channel).or_else(|| self.ids.get(channel)).copied()
    }

    /// Finds the request's channel, or answers that there is none.
    fn find_or_refuse(&mut self, request: &Request) -> Option<(u64, Side)> {
        let channel = request.field("Channel");
        if channel.is_empty() {
            self.refuse(request, "No channel specified");
            return None;
        }
        let found = self.find(&channel);
        if found.is_none() {
            self.refuse(request, "No such channel");
        }
        found
    }

    fn hang_up(&mut self, request: &Request) {
        let Some((id, _)) = self.find_or_refuse(request) else { return };
        let cause = request.field("Cause").parse().unwrap_or(0);
        self.say(request, "Success", &[("Message", "Channel Hungup")]);
        let answered = self.calls.get(&id).is_some_and(|call| call.answered.is_some());
        self.interrupt(id, script::hung_up(answered, cause));
    }

    fn core_show_channels(&mut self, request: &Request) {
        self.say(request, "Success", &[("EventList", "start"), ("Message", "Channels will follow")]);
        let clock = self.clock();
        let mut text = String::new();
        let mut items = 0_usize;
        for (call, leg) in self.calls.values().flat_map(legs) {
            items += 1;
            put(&mut text, &[("Event", "CoreShowChannel"), ("ActionID", &request.id)]);
            render::channel(&mut text, leg, &call.id, "");
            let seconds = clock.since(leg.began);
            let duration = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
            let fields = [
                ("Application", leg.application.as_str()),
                ("ApplicationData", &leg.application_data),
                ("Duration", &duration),
                ("BridgeId", bridge_of(call)),
            ];
            put(&mut text, &fields);
            text.push_str("\r\n");
        }
        put(&mut text, &[("Event", "CoreShowChannelsComplete"), ("ActionID", &request.id), ("EventList", "Complete")]);
        put(&mut text, &[("ListItems", &items.to_string())]);
        text.push_str("\r\n");
        self.subscribers.say(request.session, &text);
    }

    fn status(&mut self, request: &Request) {
        let only = request.field("Channel");
        if !only.is_empty() && self.find_or_refuse(request).is_none() {
            return;
        }
        self.say(request, "Success", &[("EventList", "start"), ("Message", "Channel status will follow")]);
        let clock = self.clock();
        let mut text = String::new();
        let mut items = 0_usize;
        let wanted = |leg: &Leg| only.is_empty() || leg.name == only || leg.uniqueid == only;
        for (call, leg) in self.calls.values().flat_map(legs).filter(|(_, leg)| wanted(leg)) {
            items += 1;
            put(&mut text, &[("Event", "Status"), ("Privilege", "Call")]);
            render::channel(&mut text, leg, &call.id, "");
            let fields = [
                ("Type", leg.name.split('/').next().unwrap_or_default()),
                ("BridgeID", bridge_of(call)),
                ("Application", &leg.application),
                ("Data", &leg.application_data),
                ("Seconds", &clock.since(leg.began).to_string()),
                ("ActionID", &request.id),
            ];
            put(&mut text, &fields);
            text.push_str("\r\n");
        }
        let items = items.to_string();
        put(&mut text, &[("Event", "StatusComplete"), ("ActionID", &request.id), ("EventList", "Complete")]);
        put(&mut text, &[("ListItems", &items), ("Items", &items)]);
        text.push_str("\r\n");
        self.subscribers.say(request.session, &text);
    }

    fn record(&mut self, request: &Request, event: &'static str, fields: &[(&str, &str)]) {
        let Some((id, side)) = self.find_or_refuse(request) else { return };
        self.say(request, "Success", fields);
        if let Some(call) = self.calls.get(&id)
            && let Some(leg) = call.leg(side)
        {
            self.subscribers.tell(event, "call", |out| render::channel(out, leg, &call.id, ""));
        }
    }

    fn set_variable(&mut self, request: &Request) {
        let Some((id, _)) = self.find_or_refuse(request) else { return };
        if let Some(call) = self.calls.get_mut(&id) {
            call.variables.insert(request.field("Variable"), request.field("Value"));
        }
        self.say(request, "Success", &[("Message", "Variable Set")]);
    }

    fn get_variable(&mut self, request: &Request) {
        let Some((id, _)) = self.find_or_refuse(request) else { return };
        let name = request.field("Variable");
        let value = self.calls.get(&id).and_then(|call| call.variables.get(&name)).cloned().unwrap_or_default();
        self.say(request, "Success", &[("Variable", &name), ("Value", &value)]);
    }
}

fn legs(call: &Call) -> impl Iterator<Item = (&Call, &Leg)> {
    call.legs.iter().flatten().map(move |leg| (call, leg))
}

fn bridge_of(call: &Call) -> &str {
    call.bridge.as_ref().map_or("", |bridge| &bridge.id)
}

/// Parses a positive number of milliseconds. An empty text stands for the default.
fn parse_or(text: &str, default: f64) -> Result<f64, ()> {
    match text {
        "" => Ok(default),
        text => text.parse().ok().filter(|number: &f64| *number > 0.0).ok_or(()),
    }
}

/// Returns the variables of an Originate, split and unescaped as Asterisk does (`__ast_app_separate_args` in
/// `main/app.c`).
fn variables(action: &Message) -> HashMap<String, String> {
    let headers = action.headers().filter(|(name, _)| name.eq_ignore_ascii_case(b"Variable"));
    let mut variables = HashMap::new();
    for (_, header) in headers {
        let mut pairs = vec![String::new()];
        let mut characters = header.chars();
        while let Some(character) = characters.next() {
            let last = pairs.len() - 1;
            match character {
                '\\' => pairs[last].extend(characters.next()),
                ',' => pairs.push(String::new()),
                '"' => {}
                other => pairs[last].push(other),
            }
        }
        for (name, value) in pairs.iter().filter_map(|pair| pair.split_once('=')) {
            variables.insert(name.trim_start_matches('_').to_owned(), value.to_owned());
        }
    }
    variables
}
