//! The arguments of `Queue`:
//! `queue[,options[,URL[,announcement[,timeout[,AGI[,macro[,gosub[,rule[,position]]]]]]]]]`.

use super::options::{self, Opt};
use super::plain;
use crate::domain::dial::fault::Fault;
use crate::domain::dial::names;

/// The options that run dialplan code.
const CODE_OPTIONS: &str = "FbB";

/// The arguments of `Queue`, as understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The name of the queue.
    pub queue: String,
    options: Vec<Opt>,
    url: String,
    announcements: Vec<String>,
    timeout: String,
    /// What follows the timeout. Asterisk 21 no longer has `macro`, so that the rule and the position are in another place
    /// there.
    rest: Vec<String>,
}

impl Queue {
    /// Parses the arguments.
    ///
    /// # Errors
    /// Returns every fault that is found.
    pub fn parse(data: &str) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut note = |fault| faults.push(fault);
        let (queue, rest) = data.split_once(',').unwrap_or((data, ""));
        let queue = names::name(queue, "queue").map_err(&mut note).unwrap_or_default();
        let (options, rest) = options::read(rest).map_err(&mut note).unwrap_or_default();
        for option in &options {
            if CODE_OPTIONS.contains(option.letter) {
                note(Fault::denied(format_args!("option {} of Queue cannot be granted to any client", option.letter)));
            } else if option.argument.as_deref().is_some_and(|argument| names::name(argument, "argument").is_err()) {
                note(Fault::malformed(format_args!(
                    "the argument of option {} of Queue is not understood",
                    option.letter
                )));
            }
        }
        let mut arguments = rest.unwrap_or_default().split(',');
        let mut next = || arguments.next().unwrap_or_default();
        let (url, announcements, timeout) = (next(), next(), next());
        let is_given = |text: &&str| !text.is_empty();
        let url = Some(url).filter(is_given).map(plain::url).transpose().map_err(&mut note).unwrap_or_default();
        let announcements =
            Some(announcements).filter(is_given).map(names::sounds).transpose().map_err(&mut note).unwrap_or_default();
        let timeout = Some(timeout).filter(is_given).map(|text| names::seconds(text, "timeout of Queue"));
        let timeout = timeout.transpose().map_err(&mut note).unwrap_or_default();
        let rest: Vec<&str> = arguments.collect();
        if rest.iter().take(3).any(is_given) {
            note(Fault::denied("arguments 6 to 8 of Queue run code and cannot be granted to any client"));
        } else if rest.iter().filter(|text| is_given(text)).any(|text| names::name(text, "argument").is_err()) {
            note(Fault::malformed("the rule and the position of Queue must be a name and a number"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self {
            queue,
            options,
            url: url.unwrap_or_default(),
            announcements: announcements.unwrap_or_default(),
            timeout: timeout.unwrap_or_default(),
            rest: rest.into_iter().map(str::to_owned).collect(),
        })
    }

    /// Writes the arguments as they go out to Asterisk.
    #[must_use]
    pub fn write(&self) -> String {
        let (options, announcements) = (options::write(&self.options), self.announcements.join("&"));
        let mut arguments: Vec<&str> = vec![&self.queue, &options, &self.url, &announcements, &self.timeout];
        arguments.extend(self.rest.iter().map(String::as_str));
        plain::join(&arguments)
    }
}
