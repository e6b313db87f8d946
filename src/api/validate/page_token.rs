//! Page tokens: where in a list its next page begins, as a text that clients only pass on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::paging::Page;
use crate::api::fields::Check;
use crate::api::{At, Violations};
use crate::store::call_search::Cursor;
use crate::store::page_start::PageStart;

/// The first byte of every token, which a token of another form would not have.
const VERSION: u8 = 1;

/// Why a text is no token.
const UNREADABLE: &str = "is not a token of this server; use the `next_page_token` of a response as it is";

/// How many bytes of the filter's hash are in a token.
const HASH: usize = 8;

/// Makes the token of the page after `cursor` in the list that a request asks for. The request must not hold what may
/// differ between the pages of one list.
pub fn of<M: Check + prost::Message>(filter: &M, cursor: Cursor) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(hash(filter));
    match cursor {
        Cursor::Id(id) => bytes.extend(id.as_bytes()),
        Cursor::Position(position) => bytes.extend(position.to_be_bytes()),
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns where a page begins that a request asks for by its number or by a token. `filter` is the request without what
/// may differ between the pages of one list.
pub fn start<M: Check + prost::Message>(
    filter: &M,
    page: Option<i32>,
    page_size: Option<i32>,
    token: Option<&str>,
    violations: &mut Violations,
) -> PageStart {
    let by_number = PageStart::Offset(Page::new(page, page_size).offset());
    let Some(token) = token else { return by_number };
    let at = At::field("page_token");
    if page.is_some() {
        violations.invalid_if_new(&at, "is not allowed together with `page`");
    }
    match read(filter, token) {
        Ok(Cursor::Position(last)) => return PageStart::After(last),
        Ok(Cursor::Id(_)) => violations.invalid_if_new(&at, UNREADABLE),
        Err(error) => violations.invalid_if_new(&at, error),
    }
    by_number
}

/// Reads a token of the same list.
///
/// # Errors
/// Says why it is none.
pub fn read<M: Check + prost::Message>(filter: &M, token: &str) -> Result<Cursor, &'static str> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| UNREADABLE)?;
    let (VERSION, rest) = bytes.split_first().map(|(version, rest)| (*version, rest)).ok_or(UNREADABLE)? else {
        return Err(UNREADABLE);
    };
    let (of_filter, place) = rest.split_at_checked(HASH).ok_or(UNREADABLE)?;
    let cursor = match place.len() {
        8 => Cursor::Position(i64::from_be_bytes(place.try_into().map_err(|_| UNREADABLE)?)),
        16 => Cursor::Id(Uuid::from_slice(place).map_err(|_| UNREADABLE)?),
        _ => return Err(UNREADABLE),
    };
    if of_filter != hash(filter) {
        return Err("is from a list with other filters; use it with the same ones, or leave it out");
    }
    Ok(cursor)
}

fn hash<M: Check + prost::Message>(filter: &M) -> [u8; HASH] {
    let whole = Sha256::new().chain_update(M::NAME).chain_update(filter.encode_to_vec()).finalize();
    std::array::from_fn(|index| whole[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::{ListCallsRequest, ListQueuesRequest};

    #[test]
    fn a_token_is_read_again_with_its_own_filter_only() {
        let filter = ListCallsRequest { project: Some("a".to_owned()), ..Default::default() };
        for cursor in [Cursor::Id(Uuid::max()), Cursor::Position(-7)] {
            let token = of(&filter, cursor);
            assert_eq!(read(&filter, &token), Ok(cursor));
            assert!(read(&ListCallsRequest::default(), &token).unwrap_err().contains("other filters"));
        }
        let empty = of(&ListCallsRequest::default(), Cursor::Position(1));
        assert!(read(&ListQueuesRequest::default(), &empty).is_err(), "it is from another list");
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let filter = ListCallsRequest::default();
        let token = of(&filter, Cursor::Id(Uuid::max()));
        for text in ["", "x", "AAAA", &token[1..], &token[..token.len() - 4], &format!("{token}AAAA")] {
            assert!(read(&filter, text).unwrap_err().contains("not a token"), "{text}");
        }
    }
}
