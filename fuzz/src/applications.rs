//! The arguments of dialplan applications. An input is written as in a dialplan, such as `Dial(PJSIP/1@t,30,tT)`.

use trunkline::domain::dial::applications::dial::CODE_OPTIONS;
use trunkline::domain::dial::applications::options::Opt;
use trunkline::domain::dial::applications::{Application, Arguments, grantable};
use trunkline::domain::dial::called::Reading;

use super::{asterisk, dial, servers};

/// Reads the input as an application with its arguments on each server.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (name, data) = text.split_once('(').unwrap_or((&text, ""));
    let data = data.strip_suffix(')').unwrap_or(data);
    for server in servers::all() {
        let reading = server.reading();
        if let Ok(application) = Application::parse(name, data, reading) {
            assert_eq!(grantable(name), Some(application.name), "only what can be granted is read");
            check_application(&application, reading);
        }
    }
}

fn check_application(application: &Application, reading: Reading<'_>) {
    let data = application.data(reading);
    assert!(!data.contains(['$', '\\', '"', '\'', '[', ']']), "{data:?} has what Asterisk may evaluate or unquote");
    assert!(!data.chars().any(char::is_control), "{data:?} is one line");
    match Application::parse(application.name, &data, reading) {
        Ok(again) => assert_eq!(again.data(reading), data, "what is written is written the same again"),
        // A number may have more digits with the prefix with which it goes out than one that is read.
        Err(faults) => {
            assert!(faults.iter().all(|fault| fault.why().contains("must have at most 32 digits")), "{faults:?}");
        }
    }

    let arguments = asterisk::separate(&data, ',', usize::MAX);
    let argument = |index: usize| arguments.get(index).map_or("", String::as_str);
    match &application.arguments {
        Arguments::Dial(dial) => {
            let legs: Vec<String> = dial.legs.iter().map(|leg| leg.write(reading)).collect();
            assert!(!legs.is_empty() && argument(0).split('&').eq(&legs), "Asterisk calls {legs:?} for {data}");
            dial.legs.iter().for_each(|leg| dial::check_parsed(leg, reading));
            assert_eq!((argument(1), argument(3)), (dial.timeout.as_str(), dial.url.as_deref().unwrap_or_default()));
            let given: Vec<_> =
                dial.options.iter().map(|Opt { letter, argument }| (*letter, argument.clone())).collect();
            assert_eq!(asterisk::options(argument(2)), Some(given), "Asterisk reads the options of {data}");
            assert!(!argument(2).is_empty() || dial.options.is_empty());
            runs_no_code(argument(2), CODE_OPTIONS, &data);
        }
        Arguments::Queue(queue) => {
            assert_eq!(argument(0), queue.queue, "Asterisk takes the queue of {data}");
            runs_no_code(argument(1), "FbB", &data);
            assert!(argument(3).split('&').all(is_sound), "the announcements of {data} are below the sounds");
            assert!((5..8).all(|index| argument(index).is_empty()), "{data} runs no AGI, macro or routine");
        }
        Arguments::ConfBridge { conference, profiles } => {
            assert_eq!(argument(0), conference, "Asterisk takes the conference of {data}");
            for (index, profile) in profiles.iter().enumerate() {
                assert_eq!(argument(index + 1), profile, "Asterisk takes the profiles of {data}");
            }
            assert!(arguments.len() <= 4, "{data}");
        }
        Arguments::Other(_) if application.name == "Playback" => {
            assert!(argument(0).split('&').all(is_sound), "the sounds of {data} are below the sounds");
        }
        Arguments::Other(_) => {}
    }
}

/// Checks that Asterisk reads no option that runs dialplan code.
fn runs_no_code(options: &str, code: &str, data: &str) {
    let options = asterisk::options(options).expect("each `(` has its `)`");
    assert!(options.iter().all(|(letter, _)| letter.is_ascii_alphabetic() && !code.contains(*letter)), "{data}");
}

fn is_sound(text: &str) -> bool {
    !text.starts_with('/') && text.split('/').all(|part| part != "..") && !text.contains("://")
}
