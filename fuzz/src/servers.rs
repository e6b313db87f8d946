//! The servers and grants with which texts are read: each differs in how numbers are written there.

use trunkline::domain::dial::called::Reading;
use trunkline::domain::extension::Pattern;
use trunkline::domain::number::{DialFormat, Numbering};

/// The rules of one server, and a client's grant for it.
pub struct Server {
    /// How numbers are written on the server.
    pub numbering: Numbering,
    extensions: Vec<Pattern>,
}

impl Server {
    /// Returns what texts are read with.
    pub fn reading(&self) -> Reading<'_> {
        Reading { numbering: &self.numbering, extensions: &self.extensions }
    }
}

/// Returns a server without settings, and servers in Germany, in America, in Russia and in Spain.
pub fn all() -> [Server; 5] {
    let server = |numbering, extensions: &[&str]| {
        let pattern = |text: &&str| Pattern::try_from((*text).to_owned()).expect("a pattern");
        Server { numbering, extensions: extensions.iter().map(pattern).collect() }
    };
    let german = Numbering {
        country_code: Some("49".into()),
        national_prefix: Some("0".into()),
        service_codes: vec!["*31#".into(), "*67".into()],
        // What goes out as digits is the same number here when it is read again. It is not everywhere, nor has it to be.
        dial_format: DialFormat::Digits,
        ..Numbering::default()
    };
    let american = Numbering {
        international_prefixes: vec!["011".into()],
        country_code: Some("1".into()),
        national_prefix: Some("1".into()),
        service_codes: vec!["*67".into()],
        dial_format: DialFormat::International,
    };
    let russian = Numbering {
        international_prefixes: vec!["810".into(), "8".into()],
        country_code: Some("7".into()),
        national_prefix: Some("8".into()),
        dial_format: DialFormat::International,
        ..Numbering::default()
    };
    let spanish = Numbering { country_code: Some("34".into()), dial_format: DialFormat::E164, ..Numbering::default() };
    [
        server(Numbering::default(), &["*98", "*9XX", "operator"]),
        server(german, &["*98"]),
        server(american, &[]),
        server(russian, &["_X", "NN"]),
        server(spanish, &[]),
    ]
}
