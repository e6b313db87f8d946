//! Where a request came from: the connection's address, or what a trusted proxy says.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{self, HeaderName};

use crate::domain::networks::Networks;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Where a request came from. It is in the extensions of every request that a service method receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The IP address of the client, or that of the connection if the client's is not certain.
    pub address: IpAddr,
    /// False if the request came through a trusted proxy whose headers do not say from where.
    pub is_certain: bool,
}

/// Returns the origin of a request. Headers are believed only if the connection is from a trusted proxy.
///
/// Each proxy appends the address that it got the request from, so the list is read from its end: the first address
/// that is not a trusted proxy's is the client's. What is before it was written by the client and counts for nothing. A
/// proxy that writes one of the two headers passes the other on as the client sent it, so both must agree.
pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &Networks) -> Origin {
    let peer = peer.to_canonical();
    let certain = |address| Origin { address, is_certain: true };
    if !trusted.contains(peer) {
        return certain(peer);
    }
    let chains = [x_forwarded_for(headers), forwarded(headers)];
    let mut found = chains.iter().filter(|chain| !chain.is_empty()).map(|chain| client(chain, trusted));
    match (found.next(), found.next()) {
        (None, _) => certain(peer),
        (Some(Some(one)), None) => certain(one),
        (Some(Some(one)), Some(Some(other))) if one == other => certain(one),
        _ => Origin { address: peer, is_certain: false },
    }
}

/// Returns the last address that is not a trusted proxy's, or the first one if all are. Returns None if an element after
/// it is no address.
fn client(chain: &[Option<IpAddr>], trusted: &Networks) -> Option<IpAddr> {
    let mut last = None;
    for hop in chain.iter().rev() {
        let address = (*hop)?;
        last = Some(address);
        if !trusted.contains(address) {
            break;
        }
    }
    last
}

/// Returns the addresses of `X-Forwarded-For`; None stands for an element that is no address.
fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let mut chain = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        let elements = value.to_str().map(|text| text.split(',').map(str::trim).filter(|text| !text.is_empty()));
        match elements {
            Ok(elements) => chain.extend(elements.map(address)),
            Err(_) => chain.push(None),
        }
    }
    chain
}

/// Returns the addresses of `Forwarded` (RFC 7239); None stands for an element without an address.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let mut chain = Vec::new();
    for value in headers.get_all(header::FORWARDED) {
        // A client could open a quotation that hides what the proxy appends.
        let closed = |text: &&str| text.matches('"').count().is_multiple_of(2);
        let Some(text) = value.to_str().ok().filter(closed) else {
            chain.push(None);
            continue;
        };
        for element in split_unquoted(text, ',').filter(|element| !element.is_empty()) {
            let node = split_unquoted(element, ';').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
            });
            chain.push(node.and_then(|node| address(node.trim_matches('"'))));
        }
    }
    chain
}

/// Splits a text at a separator that is not between quotation marks. No address contains a backslash, so a quotation
/// mark after one counts like any other, and what it is in is no address.
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let parts = text.split(move |character| {
        quoted ^= character == '"';
        character == separator && !quoted
    });
    parts.map(str::trim)
}

/// Reads an address with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse().ok().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
        let trusted = Networks::parse(["10.0.0.0/8", "fd00::/8"]).unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let origin = of(peer.parse().unwrap(), &map, &trusted);
        (origin.address.to_string(), origin.is_certain)
    }

    fn certain(address: &str) -> (String, bool) {
        (address.to_owned(), true)
    }

    const XFF: &str = "x-forwarded-for";
    const FORWARDED: &str = "forwarded";

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        for header in [(XFF, "10.0.0.9"), (FORWARDED, "for=10.0.0.9")] {
            assert_eq!(origin("192.0.2.1", &[header]), certain("192.0.2.1"));
            assert_eq!(origin("10.0.0.1", &[header]), certain("10.0.0.9"));
        }
        assert_eq!(origin("10.0.0.1", &[]), certain("10.0.0.1"));
        assert_eq!(origin("::ffff:10.0.0.1", &[(XFF, "192.0.2.7")]), certain("192.0.2.7"));
    }

    #[test]
    fn the_last_address_that_is_no_proxys_counts_whatever_the_client_wrote_before_it() {
        assert_eq!(origin("10.0.0.1", &[(XFF, "192.0.2.7, 203.0.113.9, 10.0.0.2")]), certain("203.0.113.9"));
        assert_eq!(origin("10.0.0.1", &[(XFF, "192.0.2.7"), (XFF, "203.0.113.9")]), certain("203.0.113.9"));
        assert_eq!(origin("10.0.0.1", &[(XFF, "nonsense, 203.0.113.9")]), certain("203.0.113.9"));
        let both = r#"for="[2001:db8::1]:4711";proto=https, For = 203.0.113.9:80 ;by=10.0.0.1"#;
        assert_eq!(origin("10.0.0.1", &[(FORWARDED, both)]), certain("203.0.113.9"));
        assert_eq!(origin("fd00::1", &[(FORWARDED, r#"for="[2001:db8::1]:4711""#)]), certain("2001:db8::1"));
    }

    #[test]
    fn an_origin_that_no_header_tells_is_not_certain() {
        let unknown = ("10.0.0.1".to_owned(), false);
        for header in [
            (XFF, "192.0.2.7, unknown"),
            (XFF, "192.0.2.7, 10.0.0.300"),
            (FORWARDED, "for=unknown"),
            (FORWARDED, "for=_hidden"),
            (FORWARDED, "proto=https"),
            (FORWARDED, r#"for="203.0.113.9, for=192.0.2.7"#),
            (FORWARDED, r#"for=10.0.0.5;x=", for=192.0.2.7"#),
        ] {
            assert_eq!(origin("10.0.0.1", &[header]), unknown, "{header:?}");
        }
    }

    #[test]
    fn a_header_that_the_proxy_does_not_write_cannot_move_the_origin() {
        let forged = (FORWARDED, "for=10.0.0.9");
        assert!(!origin("10.0.0.1", &[(XFF, "203.0.113.9"), forged]).1);
        assert_eq!(origin("10.0.0.1", &[(XFF, "203.0.113.9"), (FORWARDED, "for=203.0.113.9")]), certain("203.0.113.9"));
    }

    proptest! {
        #[test]
        fn what_a_client_writes_never_moves_its_origin(
            written in r#"(for=|[ -~]|[";,\\\\]|10\.0\.0\.5){0,20}"#, other in r#"(for=|[ -~]|10\.0\.0\.5){0,10}"#,
            proxy_writes in prop::sample::select(vec![XFF, FORWARDED]), has_other in any::<bool>(),
        ) {
            let (appended, other_header) = match proxy_writes {
                XFF => (format!("{written}, 203.0.113.9"), FORWARDED),
                _ => (format!("{written}, for=203.0.113.9"), XFF),
            };
            let mut headers = vec![(proxy_writes, appended.as_str())];
            headers.extend(has_other.then_some((other_header, other.as_str())));
            let (address, is_certain) = origin("10.0.0.1", &headers);
            prop_assert!(!is_certain || address == "203.0.113.9", "{} of {:?}", address, headers);
        }
    }
}
