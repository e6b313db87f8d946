//! The channel ids that clients choose for their calls.

use super::fault::Fault;

/// Checks a `ChannelId` or `OtherChannelId`. It consists of ASCII letters, digits, `.`, `_`, `:` and `-`.
///
/// # Errors
/// Refuses other characters, the form of Asterisk's own ids (`1764201234.57`), and the form of the ids that Trunkline
/// gives to calls without one (`tl-…`): with either, a client could occupy an id that another channel is about to get.
pub fn check(id: &str) -> Result<(), Fault> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-');
    if id.is_empty() || !id.bytes().all(fits) {
        return Err(Fault::malformed("must consist of letters, digits, `.`, `_`, `:` and `-`"));
    }
    // Asterisk puts its system name and `-` before the digits if it has one, so the end of the id counts as well.
    let end = id.rsplit('-').next().unwrap_or(id);
    if end.split_once('.').is_some_and(|(time, number)| is_digits(time) && is_digits(number)) {
        return Err(Fault::malformed("must not have the form of an id that Asterisk makes, such as `1764201234.57`"));
    }
    if id.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("tl-")) {
        return Err(Fault::malformed("must not begin with `tl-`, with which the ids of Trunkline begin"));
    }
    Ok(())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_another_channel_may_get_is_refused() {
        for fine in ["channel-123", "a:b_c.d", "1764201234", "crm.57", "0198c8f2-6f5e-7c21-a3c5-6f1b1f0e9d10", "TL1"] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
        for wrong in ["", "a b", "a\u{e4}", "a,b", "1764201234.57", "pbx1-1764201234.57", "tl-1", "TL-x", "a/b", "a;2"]
        {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }
}
