//! Splits the byte stream into messages. It never fails: bytes that cannot be a message are skipped.

use bytes::{Buf, BytesMut};

use super::message::Message;

/// The longest message that is kept, in bytes. Asterisk's longest events (a queue's status, a channel's variables) are
/// far shorter.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// Finds the messages in the bytes that are received, however those are split.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The part of the buffer before this index has been searched and does not end a message.
    searched: usize,
    /// True in the middle of a message that is too long.
    skipping: bool,
}

impl Decoder {
    /// Returns the banner: the first line, which has no empty line after it.
    pub fn banner(&mut self, buffer: &mut BytesMut) -> Option<String> {
        let end = buffer.iter().position(|&byte| byte == b'\n')?;
        let line = buffer.split_to(end + 1);
        Some(String::from_utf8_lossy(line.trim_ascii()).into_owned())
    }

    /// Removes the next message from `buffer` and returns it, if a whole one is there. The buffer never grows much
    /// beyond [`MAX_MESSAGE`].
    pub fn next(&mut self, buffer: &mut BytesMut) -> Option<Message> {
        loop {
            let Some((end, after)) = self.find_end(buffer) else {
                if buffer.len() > MAX_MESSAGE {
                    self.skipping = true;
                    // The last bytes may be the beginning of the empty line that ends the message.
                    buffer.advance(buffer.len() - 3);
                    self.searched = 0;
                }
                return None;
            };
            let mut lines = buffer.split_to(after);
            self.searched = 0;
            lines.truncate(end);
            let too_long = std::mem::take(&mut self.skipping);
            if too_long || lines.len() > MAX_MESSAGE || lines.trim_ascii().is_empty() {
                continue;
            }
            return Some(Message::new(lines.freeze()));
        }
    }

    /// Returns where the message ends and where the next one begins. An empty line at the very beginning ends one, too.
    fn find_end(&mut self, buffer: &[u8]) -> Option<(usize, usize)> {
        if self.searched == 0 && !self.skipping {
            match buffer {
                [b'\n', ..] => return Some((0, 1)),
                [b'\r', b'\n', ..] => return Some((0, 2)),
                // It may become an empty line, which is only looked for here.
                [b'\r'] => return None,
                _ => {}
            }
        }
        let mut from = self.searched;
        while let Some(line_end) = memchr::memchr(b'\n', &buffer[from..]) {
            let next = from + line_end + 1;
            match &buffer[next..] {
                [b'\n', ..] => return Some((next, next + 1)),
                [b'\r', b'\n', ..] => return Some((next, next + 2)),
                // The bytes after this line's end have not been received yet.
                [] | [b'\r'] => {
                    self.searched = next - 1;
                    return None;
                }
                _ => from = next,
            }
        }
        self.searched = buffer.len();
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(parts: &[&[u8]]) -> Vec<String> {
        let (mut decoder, mut buffer, mut messages) = (Decoder::default(), BytesMut::new(), Vec::new());
        for part in parts {
            buffer.extend_from_slice(part);
            while let Some(message) = decoder.next(&mut buffer) {
                messages.push(message.get("Event").map(std::borrow::Cow::into_owned).unwrap_or_default());
            }
        }
        messages
    }

    #[test]
    fn messages_survive_lf_alone_and_stray_empty_lines() {
        assert_eq!(decode(&[b"\r\n\r\nEvent: A\nX: 1\n\nEvent: B\r\n\r\n\nEvent: C\n\n"]), ["A", "B", "C"]);
    }

    #[test]
    fn a_stray_empty_line_may_be_split_between_cr_and_lf() {
        assert_eq!(decode(&[b"\r", b"\nEvent: A\r\n\r\n\r", b"\nEvent: B\r\n\r\n"]), ["A", "B"]);
    }

    #[test]
    fn a_huge_message_is_skipped_and_the_next_one_is_not() {
        let huge = [b"Event: Huge\r\nX: ".as_slice(), &vec![b'x'; 3 * MAX_MESSAGE], b"\r\n\r\n"].concat();
        let mut parts: Vec<&[u8]> = huge.chunks(1000).collect();
        parts.push(b"Event: Next\r\n\r\n");
        assert_eq!(decode(&parts), ["Next"]);
    }

    #[test]
    fn the_buffer_does_not_grow_with_an_endless_line() {
        let (mut decoder, mut buffer) = (Decoder::default(), BytesMut::new());
        for _ in 0..1000 {
            buffer.extend_from_slice(&[b'x'; 4096]);
            assert!(decoder.next(&mut buffer).is_none());
            assert!(buffer.len() <= MAX_MESSAGE + 4096);
        }
    }

    #[test]
    fn the_banner_needs_no_empty_line() {
        let mut buffer = BytesMut::from(&b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\n\r\n"[..]);
        let mut decoder = Decoder::default();
        assert_eq!(decoder.banner(&mut buffer).as_deref(), Some("Asterisk Call Manager/11.0.0"));
        assert!(decoder.next(&mut buffer).is_some_and(|message| message.is_success()));
    }

    proptest! {
        #[test]
        fn however_it_is_split_the_same_messages_come_out(cuts in prop::collection::vec(0_usize..200, 0..20)) {
            let whole = b"Event: A\r\nOne: 1\r\n\r\nEvent: B\r\nTwo: 2\r\nThree: 3\r\n\r\nEvent: C\r\n\r\n";
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % whole.len()).collect();
            cuts.sort_unstable();
            cuts.push(whole.len());
            let mut from = 0;
            let parts: Vec<&[u8]> = cuts.iter().map(|&to| { let part = &whole[from..to]; from = to; part }).collect();
            prop_assert_eq!(decode(&parts), ["A", "B", "C"]);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), size in 1_usize..50) {
            let parts: Vec<&[u8]> = bytes.chunks(size).collect();
            decode(&parts);
        }
    }
}
