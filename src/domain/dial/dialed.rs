//! What an Originate dials, as understood: its channel, and what runs when the channel answers.

use super::applications::{Application, Arguments, grantable};
use super::called::{Called, Reading};
use super::dial_string::DialString;
use super::fault::Fault;
use super::names::{MAX_CONTEXT_BYTES, name};
use crate::domain::number::{self, Numbering, Reached, Written};
use crate::domain::originate::{OriginateSpec, Target};

/// The longest text of a channel or of an application's arguments in bytes. Asterisk cuts a longer one
/// (`action_originate` in `main/manager.c`), so that it would dial something else than what was checked.
const MAX_BYTES: usize = 255;

/// What an Originate dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialed {
    /// The channel that is originated.
    pub channel: DialString,
    /// What runs when the channel answers.
    pub target: DialedTarget,
}

/// What runs when the originated channel answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialedTarget {
    /// A dialplan application is run.
    Application(Application),
    /// The dialplan, from a priority of an extension.
    Extension {
        /// The name of the context.
        context: String,
        /// The extension in the context.
        exten: Called,
        /// A number from 1, or a label.
        priority: String,
    },
}

/// A field of an Originate that is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// The name of the field in the API, such as `Channel`.
    pub field: &'static str,
    /// The name of the variable, if the field is one of the `variables`.
    pub variable: Option<String>,
    /// Why the value is refused.
    pub fault: Fault,
}

impl Denied {
    /// Refuses the value of a field that is not one of the variables.
    #[must_use]
    pub const fn field(field: &'static str, fault: Fault) -> Self {
        Self { field, variable: None, fault }
    }
}

impl Dialed {
    /// Parses the channel and the target of an Originate.
    ///
    /// # Errors
    /// Returns every field that cannot be read.
    pub fn parse(spec: &OriginateSpec, reading: Reading<'_>) -> Result<Self, Vec<Denied>> {
        let mut denied = Vec::new();
        let mut note = |field, fault| denied.push(Denied::field(field, fault));
        let channel = DialString::parse(&spec.channel, reading).map_err(|fault| note("Channel", fault));
        let target = match &spec.target {
            Target::Application { name, .. } if grantable(name).is_none() => {
                note("Application", Fault::denied(format_args!("application {name} cannot be granted to any client")));
                None
            }
            Target::Application { name, data } => match Application::parse(name, data, reading) {
                Ok(application) => Some(DialedTarget::Application(application)),
                Err(faults) => {
                    faults.into_iter().for_each(|fault| note("Data", fault));
                    None
                }
            },
            Target::Extension { context, exten, priority } => {
                let context = self::name(context, "context").map_err(|fault| note("Context", fault));
                let exten = reading.exten(exten).map_err(|fault| note("Exten", fault));
                let priority = self::name(priority, "priority").map_err(|fault| note("Priority", fault));
                match (context, exten, priority) {
                    (Ok(context), Ok(exten), Ok(priority)) => {
                        Some(DialedTarget::Extension { context, exten, priority })
                    }
                    _ => None,
                }
            }
        };
        match (channel, target) {
            (Ok(channel), Some(target)) => Self { channel, target }.that_fits(reading),
            _ => Err(denied),
        }
    }

    /// Returns this if Asterisk would cut none of its texts.
    fn that_fits(self, reading: Reading<'_>) -> Result<Self, Vec<Denied>> {
        let mut denied = Vec::new();
        let mut fits = |field, text: &str, most: usize| {
            if text.len() > most {
                let why = format!("has {} bytes on its way to Asterisk, which cuts a text after {most}", text.len());
                denied.push(Denied::field(field, Fault::Malformed(why)));
            }
        };
        fits("Channel", &self.channel.write(reading), MAX_BYTES);
        if let DialedTarget::Extension { exten, .. } = &self.target {
            fits("Exten", &reading.wire(exten), MAX_CONTEXT_BYTES);
        }
        if denied.is_empty() { Ok(self) } else { Err(denied) }
    }

    /// Puts the channel and the target into a spec as they go out to Asterisk.
    pub fn write(&self, reading: Reading<'_>, spec: &mut OriginateSpec) {
        spec.channel = self.channel.write(reading);
        spec.target = match &self.target {
            DialedTarget::Application(application) => {
                Target::Application { name: application.name.to_owned(), data: application.data(reading) }
            }
            DialedTarget::Extension { context, exten, priority } => {
                Target::Extension { context: context.clone(), exten: reading.wire(exten), priority: priority.clone() }
            }
        };
    }

    /// Returns the channels that `Dial` calls when the A leg answers; none for another target.
    #[must_use]
    pub fn second_legs(&self) -> &[DialString] {
        match &self.target {
            DialedTarget::Application(Application { arguments: Arguments::Dial(dial), .. }) => &dial.legs,
            _ => &[],
        }
    }

    /// Returns every telephone number that the call may reach, with the name of the field that names it: those of the A
    /// leg, of the legs of `Dial`, and of the extension, which the dialplan most likely calls.
    pub fn numbers(&self) -> impl Iterator<Item = (&'static str, &Written)> {
        let exten = match &self.target {
            DialedTarget::Extension { exten, .. } => Some(exten),
            DialedTarget::Application(_) => None,
        };
        let first = self.channel.called.iter().map(|called| ("Channel", called));
        let second = self.second_legs().iter().filter_map(|leg| leg.called.as_ref()).map(|called| ("Data", called));
        let all = first.chain(second).chain(exten.map(|called| ("Exten", called)));
        all.filter_map(|(field, called)| Some((field, called.number()?)))
    }

    /// Returns every number that the call may reach on a server: that of the person whom it is for, and those that are
    /// called.
    #[must_use]
    pub fn reaches(&self, contact: Option<&Written>, numbering: &Numbering) -> Vec<Reached> {
        number::reached(contact, self.numbers(), numbering)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reaches_the_numbers_of_all_legs_and_of_its_contact() {
        let numbering = Numbering::default();
        let reached = |target: serde_json::Value, contact: Option<&str>| -> Vec<(&'static str, String)> {
            let spec = serde_json::json!({
                "channel": "PJSIP/+491@trunk", "target": target, "timeout_ms": 1, "contact": contact,
            });
            let spec: OriginateSpec = serde_json::from_value(spec).unwrap();
            let dialed = Dialed::parse(&spec, Reading { numbering: &numbering, extensions: &[] }).unwrap();
            let reached = dialed.reaches(spec.contact(Some(5)).as_ref(), &numbering);
            reached.into_iter().map(|reached| (reached.field, reached.canonical().to_owned())).collect()
        };
        let told = |expected: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
            expected.iter().map(|(field, number)| (*field, (*number).to_owned())).collect()
        };
        let dial =
            serde_json::json!({ "application": { "name": "dial", "data": "PJSIP/2@a&PJSIP/+3@a&PJSIP/4,30,t" } });
        let all = [("contact_number", "5"), ("Channel", "491"), ("Data", "2"), ("Data", "3"), ("Data", "4")];
        assert_eq!(reached(dial, None), told(&all));
        let wait = serde_json::json!({ "application": { "name": "Wait", "data": "2" } });
        assert_eq!(reached(wait, Some("+49 6")), told(&[("contact_number", "496"), ("Channel", "491")]));
        for (exten, called) in [("+49 6", Some("496")), ("s", None)] {
            let there = serde_json::json!({ "extension": { "context": "out", "exten": exten, "priority": "1" } });
            let first = [("contact_number", "5"), ("Channel", "491")].into_iter();
            let expected: Vec<_> = first.chain(called.map(|number| ("Exten", number))).collect();
            assert_eq!(reached(there, None), told(&expected));
        }
    }
}
