//! Which event classes a manager user may read, according to `manager.conf`. No action reports it, and not every user
//! may read that file.

use super::action::Action;
use super::message::Message;
use super::options::Options;
use super::session::{Live, SessionError};

/// The event classes that a user may read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Readable(Vec<String>);

impl Readable {
    /// Asks Asterisk for them. Returns None if the user may not read that file or has no section in it.
    pub async fn of(live: &mut Live, options: &Options) -> Result<Option<Self>, SessionError> {
        let settings =
            Action::GetConfig { file: "manager.conf".try_into()?, category: options.username.as_str().try_into()? };
        let section = live.answer(&settings, "manager", "GetConfig", options.answer_deadline).await?;
        Ok(Self::in_section(&section))
    }

    /// Returns true if the user may read a class.
    pub fn has(&self, class: &str) -> bool {
        self.0.iter().any(|granted| granted == class || granted == "all")
    }

    fn in_section(section: &Message) -> Option<Self> {
        if !section.is_success() {
            return None;
        }
        let lines = section.headers().filter(|(name, _)| name.starts_with(b"Line-")).map(|(_, line)| line);
        let read: Vec<String> = lines.filter_map(|line| line.strip_prefix("read=").map(str::to_owned)).collect();
        if read.is_empty() {
            return None;
        }
        // A repeated line adds to the lines before it.
        let classes = read.iter().flat_map(|line| line.split(','));
        Some(Self(classes.map(|class| class.trim().to_ascii_lowercase()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn what_a_user_may_read_stands_in_its_section() {
        let lines = b"Response: Success\r\nCategory-000000: dialer\r\nLine-000000-000000: secret=read=no\r\n\
            Line-000000-000001: read=system, call\r\nLine-000000-000002: write=all\r\nLine-000000-000003: read=CDR\r\n";
        let section = Message::new(Bytes::from_static(lines));
        let classes = ["system", "call", "cdr"].map(str::to_owned).to_vec();
        assert_eq!(Readable::in_section(&section), Some(Readable(classes)));
        let refused = Message::new(Bytes::from_static(b"Response: Error\r\nMessage: Permission denied\r\n"));
        assert_eq!(Readable::in_section(&refused), None);
    }
}
