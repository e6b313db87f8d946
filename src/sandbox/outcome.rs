//! What happens to a call to each number: the table in `docs/sandbox.md`.

/// How the far end of a dialed channel behaves.
///
/// | last two digits | the far end |
/// | --- | --- |
/// | `01` | is busy |
/// | `02` | rings and never answers: the Originate's timeout ends it |
/// | `03` | is congested |
/// | `04` | is an unallocated number |
/// | `05` | rings for 25 s, then answers |
/// | `06` | answers and never hangs up |
/// | `07` | answers, and the `OriginateResponse` is lost |
/// | `08` | does not exist in the dialplan |
/// | `09` | answers, and the dialplan reports a pressed digit by `UserEvent(Trunkline,…)` |
/// | any other | answers after 1 to 4 s and talks for 3 to 20 s, both drawn from the seed |
///
/// The number is the `123` of `PJSIP/123@trunk`, `SIP/trunk/123` and `Local/123@context/n`. Without a number, as in
/// `PJSIP/trunk`, the endpoint answers. These names take precedence over the digits:
///
/// | name | does |
/// | --- | --- |
/// | endpoint `nosuch` | is not configured: no channel appears |
/// | endpoint `unreachable` | has no contact, so it cannot be called |
/// | context `answer` | answers at once and hangs up after 0.2 s |
/// | context `talk` | answers at once and stays until the application ends |
/// | contexts `busy`, `congestion`, `noanswer`, `unalloc` | do at once what the name says |
/// | a Local extension that is not a number | does not exist in the dialplan |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It rings, answers, talks and hangs up.
    Answer,
    /// It answers at once and hangs up after 0.2 s.
    AnswerAtOnce,
    /// It answers at once, and the near end hangs up when its application ends.
    Talk,
    Busy,
    NoAnswer,
    Congestion,
    Unallocated,
    /// It answers after 25 s of ringing.
    SlowAnswer,
    /// It answers and stays until the call is hung up by a `Hangup` action.
    NeverHangsUp,
    /// It answers as `Answer` does, but the `OriginateResponse` is not sent.
    LostResponse,
    NoSuchExtension,
    /// It answers as `Answer` does, and the dialplan sends a `UserEvent`.
    Reports,
    /// The endpoint has no contact.
    Unreachable,
    /// There is no such endpoint or technology, so that no channel is created.
    NoChannel,
}

/// A dial string, split into its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialed {
    /// True for a Local channel, which has two legs.
    pub local: bool,
    /// The channel's name without its serial number, such as `PJSIP/trunk` or `Local/100@default`.
    pub device: String,
    /// The part after the technology, such as `100@default/n`.
    pub dial_string: String,
    /// The channel's context in the dialplan.
    pub context: String,
    pub exten: String,
    pub outcome: Outcome,
}

const TECHNOLOGIES: [&str; 5] = ["Local", "PJSIP", "SIP", "IAX2", "DAHDI"];

impl Dialed {
    /// Parses a dial string. Returns `None` if it has no technology, which Asterisk answers with `Invalid channel`.
    pub fn parse(channel: &str) -> Option<Self> {
        let (technology, dial_string) = channel.split_once('/')?;
        let known = TECHNOLOGIES.iter().any(|known| known.eq_ignore_ascii_case(technology));
        let mut dialed = if technology.eq_ignore_ascii_case("Local") {
            Self::local(dial_string)
        } else {
            Self::endpoint(technology, dial_string)
        };
        if !known {
            dialed.outcome = Outcome::NoChannel;
        }
        Some(dialed)
    }

    fn local(dial_string: &str) -> Self {
        let place = dial_string.split('/').next().unwrap_or_default();
        let (exten, context) = place.split_once('@').unwrap_or((place, "default"));
        let outcome = match context {
            _ if !is_number(exten) => Outcome::NoSuchExtension,
            "answer" => Outcome::AnswerAtOnce,
            "talk" => Outcome::Talk,
            "busy" => Outcome::Busy,
            "congestion" => Outcome::Congestion,
            "noanswer" => Outcome::NoAnswer,
            "unalloc" => Outcome::Unallocated,
            _ => of_number(exten),
        };
        Self {
            local: true,
            device: format!("Local/{exten}@{context}"),
            dial_string: dial_string.to_owned(),
            context: context.to_owned(),
            exten: exten.to_owned(),
            outcome,
        }
    }

    /// Parses `number@endpoint`, `endpoint/number`, `endpoint/sip:number@host` or `endpoint`.
    fn endpoint(technology: &str, dial_string: &str) -> Self {
        let (endpoint, number) = match dial_string.split_once('/') {
            Some((endpoint, rest)) => {
                let user = rest.split('@').next().unwrap_or_default();
                (endpoint, user.rsplit(':').next().unwrap_or_default())
            }
            None => match dial_string.split_once('@') {
                Some((number, endpoint)) => (endpoint, number),
                None => (dial_string, ""),
            },
        };
        let outcome = match endpoint {
            "" | "nosuch" => Outcome::NoChannel,
            "unreachable" => Outcome::Unreachable,
            _ => of_number(number),
        };
        Self {
            local: false,
            device: format!("{technology}/{endpoint}"),
            dial_string: dial_string.to_owned(),
            context: "default".to_owned(),
            exten: "s".to_owned(),
            outcome,
        }
    }

    /// Returns true if the far end rings or refuses without a pause, as the dialplans of the traces do.
    pub fn is_prompt(&self) -> bool {
        self.local
            && matches!(self.context.as_str(), "answer" | "talk" | "busy" | "congestion" | "noanswer" | "unalloc")
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn of_number(number: &str) -> Outcome {
    if !is_number(number) {
        return Outcome::Answer;
    }
    match number.get(number.len().saturating_sub(2)..) {
        Some("01") => Outcome::Busy,
        Some("02") => Outcome::NoAnswer,
        Some("03") => Outcome::Congestion,
        Some("04") => Outcome::Unallocated,
        Some("05") => Outcome::SlowAnswer,
        Some("06") => Outcome::NeverHangsUp,
        Some("07") => Outcome::LostResponse,
        Some("08") => Outcome::NoSuchExtension,
        Some("09") => Outcome::Reports,
        _ => Outcome::Answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(channel: &str) -> Outcome {
        Dialed::parse(channel).unwrap().outcome
    }

    #[test]
    fn the_numbers_of_the_guide_answer() {
        for number in ["1234567890", "0987654321", "1111111111", "2222222222"] {
            assert_eq!(outcome(&format!("PJSIP/{number}@endpoint1")), Outcome::Answer, "{number}");
        }
    }

    #[test]
    fn the_number_is_found_in_every_form_of_dial_string() {
        for channel in
            ["PJSIP/555001@trunk", "SIP/trunk/555001", "Local/555001@ctx/n", "PJSIP/trunk/sip:+555001@host:5060"]
        {
            assert_eq!(outcome(channel), Outcome::Busy, "{channel}");
        }
        assert_eq!(Dialed::parse("PJSIP/555001@trunk").unwrap().device, "PJSIP/trunk");
        assert_eq!(Dialed::parse("SIP/trunk/555001").unwrap().device, "SIP/trunk");
    }

    #[test]
    fn names_take_precedence_over_digits() {
        assert_eq!(outcome("Local/101@answer/n"), Outcome::AnswerAtOnce);
        assert_eq!(outcome("Local/nosuch@answer/n"), Outcome::NoSuchExtension);
        assert_eq!(outcome("PJSIP/100@nosuch"), Outcome::NoChannel);
        assert_eq!(outcome("Nope/100"), Outcome::NoChannel);
        assert_eq!(Dialed::parse("nothing"), None);
    }
}
