//! The arguments of `Dial`: `Tech/resource[&…][,timeout[,options[,URL]]]`.

use super::options::{self, Opt};
use super::plain;
use crate::domain::dial::called::Reading;
use crate::domain::dial::dial_string::DialString;
use crate::domain::dial::fault::Fault;
use crate::domain::dial::names;

/// The options that run dialplan code: `F` and `G` jump to an extension, `M` and `U` call routines, `b` and `B` run
/// handlers before the call. They cannot be granted to any client.
pub const CODE_OPTIONS: &str = "FGMUbB";

/// The options that set a caller id: `f` that of the second leg, `o` that which the second leg sees.
pub const CALLER_ID_OPTIONS: &str = "fo";

/// The arguments of `Dial`, as understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// The channels that are called at once. There is at least one.
    pub legs: Vec<DialString>,
    /// How many seconds the legs ring; empty for no limit.
    pub timeout: String,
    /// The options. None of them runs code.
    pub options: Vec<Opt>,
    /// The URL that is sent to the channel.
    pub url: Option<String>,
}

impl Dial {
    /// Parses the arguments.
    ///
    /// # Errors
    /// Returns every fault that is found.
    pub fn parse(data: &str, reading: Reading<'_>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let (legs, rest) = data.split_once(',').map_or((data, None), |(legs, rest)| (legs, Some(rest)));
        let mut parsed = Vec::new();
        for leg in legs.split('&') {
            match DialString::parse(leg, reading) {
                Ok(leg) => parsed.push(leg),
                Err(fault) => faults.push(fault),
            }
        }
        let (timeout, rest) = rest.map_or(("", None), |rest| match rest.split_once(',') {
            Some((timeout, rest)) => (timeout, Some(rest)),
            None => (rest, None),
        });
        if !timeout.is_empty()
            && let Err(fault) = names::seconds(timeout, "timeout of Dial")
        {
            faults.push(fault);
        }
        let (options, url) = options::read(rest.unwrap_or_default()).unwrap_or_else(|fault| {
            faults.push(fault);
            (Vec::new(), None)
        });
        faults.extend(options.iter().filter_map(|option| check_option(option).err()));
        let url = url.filter(|url| !url.is_empty()).map(plain::url).transpose().unwrap_or_else(|fault| {
            faults.push(fault);
            None
        });
        if faults.is_empty() {
            Ok(Self { legs: parsed, timeout: timeout.to_owned(), options, url })
        } else {
            Err(faults)
        }
    }

    /// Writes the arguments as they go out to Asterisk.
    #[must_use]
    pub fn write(&self, reading: Reading<'_>) -> String {
        let legs: Vec<String> = self.legs.iter().map(|leg| leg.write(reading)).collect();
        let options = options::write(&self.options);
        plain::join(&[&legs.join("&"), &self.timeout, &options, self.url.as_deref().unwrap_or_default()])
    }
}

fn check_option(option: &Opt) -> Result<(), Fault> {
    let Opt { letter, argument } = option;
    if CODE_OPTIONS.contains(*letter) {
        return Err(Fault::denied(format_args!("option {letter} of Dial cannot be granted to any client")));
    }
    let Some(argument) = argument.as_deref().filter(|argument| !argument.is_empty()) else { return Ok(()) };
    let fits = match letter {
        // The sound for the second leg, and in newer releases one for the A leg after `:`.
        'A' => {
            return argument
                .split(':')
                .filter(|sound| !sound.is_empty())
                .try_for_each(|sound| names::sounds(sound).map(drop));
        }
        'D' => argument.chars().all(|tone| tone.is_ascii_digit() || "ABCDabcdFfwW*#:".contains(tone)),
        'f' | 'o' => plain::is_text(argument),
        'L' => argument.chars().all(|character| character.is_ascii_digit() || character == ':'),
        'n' | 'O' | 'S' => argument.bytes().all(|byte| byte.is_ascii_digit()),
        'P' | 'Q' | 'm' | 'r' | 's' | 'u' => names::name(argument, "argument").is_ok(),
        _ => return Err(Fault::malformed(format_args!("option {letter} of Dial has no argument"))),
    };
    if fits {
        Ok(())
    } else {
        Err(Fault::malformed(format_args!("the argument of option {letter} of Dial is not understood")))
    }
}
