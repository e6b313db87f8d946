//! Dial strings: the texts in which a channel technology names whom to call and through what, such as
//! `PJSIP/1234567890@endpoint1`. There is one parser for each technology, and each splits as its channel driver does.

use super::called::{Called, Reading};
use super::fault::Fault;
use super::names::{MAX_CONTEXT_BYTES, name};

/// The channel technologies that have a parser here. No other technology can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Technology {
    /// `chan_pjsip`, the SIP driver of present releases.
    Pjsip,
    /// `core_local`, whose channels run the dialplan of a context.
    Local,
    /// `chan_sip`, the SIP driver of Asterisk 20 and before.
    Sip,
    /// `chan_iax2`, which connects two Asterisk servers.
    Iax2,
    /// `chan_dahdi`, for telephony cards.
    Dahdi,
}

impl Technology {
    /// All technologies that can be granted.
    pub const ALL: [Self; 5] = [Self::Pjsip, Self::Local, Self::Sip, Self::Iax2, Self::Dahdi];

    /// Returns the name of the technology as Asterisk writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pjsip => "PJSIP",
            Self::Local => "Local",
            Self::Sip => "SIP",
            Self::Iax2 => "IAX2",
            Self::Dahdi => "DAHDI",
        }
    }

    /// Returns the technology of that name, in any case, as Asterisk finds it (`ast_get_channel_tech`).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|technology| technology.as_str().eq_ignore_ascii_case(name))
    }
}

/// A dial string that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialString {
    /// The technology of the channel.
    pub technology: Technology,
    /// What is called; None if the trunk itself is called, such as the phone of an endpoint.
    pub called: Option<Called>,
    /// Where the call goes.
    pub way: Way,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Through a trunk or to a phone, which is a named endpoint, peer or group.
    Trunk {
        /// The name of the trunk.
        trunk: String,
        /// How the dial string was written.
        form: Form,
    },
    /// Into the dialplan, by a Local channel.
    Context {
        /// The name of the context.
        context: String,
        /// The letters of the options, such as `n`.
        options: String,
    },
}

/// The order in which a dial string names the number and the trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `PJSIP/endpoint1`: nothing but the trunk.
    Trunk,
    /// `PJSIP/1234567890@endpoint1`: the number and then the trunk.
    NumberAtTrunk,
    /// `SIP/peer1/1234567890`: the trunk and then the number.
    TrunkNumber,
}

impl DialString {
    /// Parses a dial string.
    ///
    /// # Errors
    /// Refuses a technology that has no parser here, an address or a URI, and every text that the parser of its
    /// technology does not understand as a whole.
    pub fn parse(text: &str, reading: Reading<'_>) -> Result<Self, Fault> {
        let Some((technology, resource)) = text.split_once('/') else {
            let example = "an example that does is PJSIP/1234567890@endpoint1";
            return Err(Fault::malformed(format_args!("{text} names no technology; {example}")));
        };
        let Some(technology) = Technology::named(technology) else {
            return Err(Fault::denied(format_args!("technology {technology} is not granted")));
        };
        match technology {
            Technology::Local => local(resource, reading),
            Technology::Pjsip => pjsip(resource, reading),
            Technology::Sip => peer(technology, resource, reading),
            Technology::Iax2 => iax2(resource, reading),
            Technology::Dahdi => dahdi(resource, reading),
        }
    }

    /// Writes the dial string as it goes out to Asterisk.
    #[must_use]
    pub fn write(&self, reading: Reading<'_>) -> String {
        let (technology, called) = (self.technology.as_str(), self.called.as_ref().map(|called| reading.wire(called)));
        match (&self.way, called) {
            (Way::Trunk { trunk, form: Form::NumberAtTrunk }, Some(called)) => format!("{technology}/{called}@{trunk}"),
            (Way::Trunk { trunk, form: Form::TrunkNumber }, Some(called)) => format!("{technology}/{trunk}/{called}"),
            (Way::Trunk { trunk, .. }, _) => format!("{technology}/{trunk}"),
            (Way::Context { context, options }, called) => {
                let slash = if options.is_empty() { "" } else { "/" };
                format!("{technology}/{}@{context}{slash}{options}", called.unwrap_or_default())
            }
        }
    }

    /// Returns the trunk that is called or called through; None for a Local channel.
    #[must_use]
    pub fn trunk(&self) -> Option<&str> {
        match &self.way {
            Way::Trunk { trunk, .. } => Some(trunk),
            Way::Context { .. } => None,
        }
    }
}

/// Returns the trunk that a dial string names, without judging the rest of it; None for a Local channel and for a text that
/// is no dial string.
#[must_use]
pub fn trunk(text: &str) -> Option<&str> {
    let (technology, resource) = text.split_once('/')?;
    if Technology::named(technology) == Some(Technology::Local) {
        return None;
    }
    let at_trunk = || resource.split_once('@').map_or(resource, |(_, trunk)| trunk);
    Some(resource.split_once('/').map_or_else(at_trunk, |(trunk, _)| trunk))
}

/// Parses what follows `PJSIP/` as `chan_pjsip` does: an endpoint, or a user and `@` and an endpoint, or an endpoint and
/// `/` and an address of record. It splits at the first `/`, and only then at the first `@`.
fn pjsip(resource: &str, reading: Reading<'_>) -> Result<DialString, Fault> {
    no_address(resource)?;
    match resource.split_once('/') {
        None => at_trunk(Technology::Pjsip, resource, reading),
        // An address of record is named like its endpoint, or else by a number that is called.
        Some((endpoint, aor)) if endpoint == aor => trunk_alone(Technology::Pjsip, endpoint, reading),
        Some((endpoint, aor)) => {
            let dialed = trunk_number(Technology::Pjsip, endpoint, aor, reading)?;
            let is_own = dialed.called.as_ref().is_some_and(|called| reading.wire(called) == endpoint);
            if is_own { trunk_alone(Technology::Pjsip, endpoint, reading) } else { Ok(dialed) }
        }
    }
}

/// Parses what follows `SIP/`: a peer, or a number and `@` and a peer, or a peer and `/` and a number. `!` and further
/// parts, by which `chan_sip` takes a From header and another host, are no part of a name or a number.
fn peer(technology: Technology, resource: &str, reading: Reading<'_>) -> Result<DialString, Fault> {
    no_address(resource)?;
    match resource.split_once('/') {
        None => at_trunk(technology, resource, reading),
        Some((peer, number)) => trunk_number(technology, peer, number, reading),
    }
}

/// Parses what follows `IAX2/`: a peer, or a peer and `/` and a number. Before `@` there would be a user and a secret,
/// and after it a context of the other server, neither of which is granted by anything.
fn iax2(resource: &str, reading: Reading<'_>) -> Result<DialString, Fault> {
    no_address(resource)?;
    if resource.contains('@') {
        return Err(Fault::denied("an IAX2 channel is named as IAX2/peer or IAX2/peer/number, without `@`"));
    }
    peer(Technology::Iax2, resource, reading)
}

/// Parses what follows `DAHDI/`: a channel's number or a group such as `g1`, and `/` and a number. Options and waits
/// before the number are no part of either.
fn dahdi(resource: &str, reading: Reading<'_>) -> Result<DialString, Fault> {
    let (line, number) = resource.split_once('/').map_or((resource, None), |(line, number)| (line, Some(number)));
    let digits = line.strip_prefix(['g', 'G', 'r', 'R']).unwrap_or(line);
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::malformed(format_args!("{line:?} must be a channel such as `1`, or a group such as `g1`")));
    }
    let called = number.map(|number| reading.called(number)).transpose()?;
    let form = if called.is_some() { Form::TrunkNumber } else { Form::Trunk };
    Ok(DialString { technology: Technology::Dahdi, called, way: Way::Trunk { trunk: line.to_owned(), form } })
}

/// Parses what follows `Local/` as `core_local` does: everything after the first `/` are options, and before that, the
/// first `@` ends the extension.
fn local(resource: &str, reading: Reading<'_>) -> Result<DialString, Fault> {
    let (place, options) = resource.split_once('/').map_or((resource, None), |(place, rest)| (place, Some(rest)));
    let (exten, context) = place.split_once('@').unwrap_or((place, "default"));
    if let Some(options) = options
        && (options.is_empty() || !options.chars().all(|letter| matches!(letter, 'n' | 'j' | 'm' | 'b')))
    {
        return Err(Fault::malformed(format_args!("{options:?} must be options of a Local channel, such as `n`")));
    }
    let (called, context) = (reading.exten(exten)?, name(context, "context")?);
    if reading.wire(&called).len() > MAX_CONTEXT_BYTES {
        return Err(Fault::malformed("the extension must have at most 79 characters"));
    }
    let way = Way::Context { context, options: options.unwrap_or_default().to_owned() };
    Ok(DialString { technology: Technology::Local, called: Some(called), way })
}

/// Parses a trunk, or a number and `@` and a trunk.
fn at_trunk(technology: Technology, resource: &str, reading: Reading<'_>) -> Result<DialString, Fault> {
    match resource.split_once('@') {
        None => trunk_alone(technology, resource, reading),
        Some((number, trunk)) => {
            let (trunk, called) = (trunk_name(trunk)?, Some(reading.called(number)?));
            Ok(DialString { technology, called, way: Way::Trunk { trunk, form: Form::NumberAtTrunk } })
        }
    }
}

/// Parses a trunk that is called itself. One that is named by a number, as the phones of many companies are, calls that
/// number, and is written as numbers are.
fn trunk_alone(technology: Technology, trunk: &str, reading: Reading<'_>) -> Result<DialString, Fault> {
    let is_address = trunk.split('.').count() == 4 && trunk.split('.').all(|part| part.parse::<u8>().is_ok());
    if is_address {
        return Err(no_name());
    }
    let called = if trunk.chars().any(char::is_alphabetic) { None } else { Some(reading.called(trunk)?) };
    let trunk = called.as_ref().map_or_else(|| trunk_name(trunk), |called| Ok(reading.wire(called)))?;
    Ok(DialString { technology, called, way: Way::Trunk { trunk, form: Form::Trunk } })
}

fn trunk_number(technology: Technology, trunk: &str, number: &str, reading: Reading<'_>) -> Result<DialString, Fault> {
    let (trunk, called) = (trunk_name(trunk)?, Some(reading.called(number)?));
    Ok(DialString { technology, called, way: Way::Trunk { trunk, form: Form::TrunkNumber } })
}

fn trunk_name(text: &str) -> Result<String, Fault> {
    name(text, "trunk")
}

/// Refuses URIs and addresses, which would reach any host.
fn no_address(resource: &str) -> Result<(), Fault> {
    if resource.contains(':') || resource.matches('@').count() > 1 {
        return Err(no_name());
    }
    Ok(())
}

fn no_name() -> Fault {
    Fault::denied("a SIP URI or an address cannot be dialed, only a named endpoint")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_record_that_is_named_like_its_endpoint_is_the_endpoint() {
        let numbering = crate::domain::number::Numbering::default();
        let reading = Reading { numbering: &numbering, extensions: &[] };
        for (text, written) in [
            ("PJSIP/desk/desk", "PJSIP/desk"),
            ("PJSIP/100/100", "PJSIP/100"),
            ("PJSIP/100/1 00", "PJSIP/100"),
            ("PJSIP/100/101", "PJSIP/100/101"),
        ] {
            let parsed = DialString::parse(text, reading).unwrap();
            assert_eq!(parsed.write(reading), written, "{text}");
            assert_eq!(DialString::parse(written, reading), Ok(parsed), "{text}");
        }
    }

    #[test]
    fn a_dial_string_names_its_trunk() {
        for (text, named) in [
            ("PJSIP/123@trunk", Some("trunk")),
            ("SIP/trunk/123", Some("trunk")),
            ("PJSIP/endpoint1", Some("endpoint1")),
            ("Local/123@context/n", None),
            ("nonsense", None),
        ] {
            assert_eq!(trunk(text), named, "{text}");
        }
    }
}
