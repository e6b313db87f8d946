//! Decides which addresses the server may connect to on behalf of somebody else.
//!
//! An address is judged by what it reaches: `::ffff:10.0.0.7` and `64:ff9b::a00:7` lead to 10.0.0.7. Public addresses
//! may be connected to. The ranges for special purposes, as IANA registers them, may not, except those that an
//! administrator opens. Some are never opened, because no receiver is there and an attacker's goal may be.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::networks::Networks;

/// A range of addresses that is not public.
#[derive(Debug, PartialEq, Eq)]
pub struct Range {
    network: IpNet,
    /// What an address of the range is, with its article.
    pub name: &'static str,
    /// The document that defines the range.
    pub source: &'static str,
    /// True if an administrator can open the range or a part of it.
    pub can_be_opened: bool,
}

/// The reason to refuse an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The address that was asked for.
    pub address: IpAddr,
    /// The address that a connection to it reaches.
    pub reached: IpAddr,
    /// The range that the reached address is in.
    pub range: &'static Range,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, reached, range } = self;
        if address == reached {
            write!(formatter, "{address} is {} ({})", range.name, range.source)
        } else {
            write!(formatter, "{address} reaches {reached}, which is {} ({})", range.name, range.source)
        }
    }
}

/// Checks that the address may be connected to: it is public, or one of the `opened` networks contains what it reaches.
///
/// # Errors
/// Returns what the address is if it may not be connected to.
pub fn check(address: IpAddr, opened: &Networks) -> Result<(), Refusal> {
    let reached = reached(address);
    match range(reached) {
        Some(range) if !range.can_be_opened || !opened.contains(reached) => Err(Refusal { address, reached, range }),
        Some(_) | None => Ok(()),
    }
}

/// Returns the address that a connection to `address` reaches. It is another one if an IPv4 address is embedded so that
/// the system or the network translates it back: as IPv4-mapped (RFC 4291) or by NAT64 with its well-known prefix (RFC
/// 6052).
#[must_use]
pub fn reached(address: IpAddr) -> IpAddr {
    let address = address.to_canonical();
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, ..] => Ipv4Addr::from_bits((v6.to_bits() & 0xffff_ffff) as u32).into(),
            _ => address,
        },
        IpAddr::V4(_) => address,
    }
}

/// Returns the range that the address is in, or None if it is public. The smallest range decides.
#[must_use]
pub fn range(address: IpAddr) -> Option<&'static Range> {
    let found = RANGES.iter().filter(|range| range.network.contains(&address));
    found.max_by_key(|range| range.network.prefix_len())
}

/// Makes a range that an administrator can open.
const fn range4(octets: [u8; 4], length: u8, name: &'static str, source: &'static str) -> Range {
    let [a, b, c, d] = octets;
    let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
    Range { network: IpNet::new_assert(address, length), name, source, can_be_opened: true }
}

/// Makes a range of IPv6 that an administrator can open. The segments after the first four are 0.
const fn range6(segments: [u16; 4], length: u8, name: &'static str, source: &'static str) -> Range {
    let [a, b, c, d] = segments;
    let address = IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0));
    Range { network: IpNet::new_assert(address, length), name, source, can_be_opened: true }
}

/// Makes a single address that nothing opens.
const fn only(address: IpAddr, name: &'static str, source: &'static str) -> Range {
    let length = if address.is_ipv4() { 32 } else { 128 };
    Range { network: IpNet::new_assert(address, length), name, source, can_be_opened: false }
}

impl Range {
    /// Makes it a range that nothing opens.
    const fn never(self) -> Self {
        Self { can_be_opened: false, ..self }
    }
}

/// What the metadata services are that clouds give at their own addresses, besides 169.254.169.254.
const METADATA: &str = "the address of a cloud's metadata service";

/// Every range that is not public: those of IANA's two registries of special-purpose addresses, the addresses of
/// metadata services, and what is not assigned in IPv6.
static RANGES: [Range; 47] = [
    range4([0, 0, 0, 0], 8, "an address of this network", "RFC 791").never(),
    range4([10, 0, 0, 0], 8, "a private address", "RFC 1918"),
    range4([100, 64, 0, 0], 10, "an address of carrier-grade NAT", "RFC 6598"),
    range4([127, 0, 0, 0], 8, "a loopback address", "RFC 1122"),
    range4([169, 254, 0, 0], 16, "a link-local address", "RFC 3927").never(),
    range4([172, 16, 0, 0], 12, "a private address", "RFC 1918"),
    range4([192, 0, 0, 0], 24, "an address of IETF protocols", "RFC 6890"),
    range4([192, 0, 2, 0], 24, "a documentation address", "RFC 5737"),
    range4([192, 88, 99, 0], 24, "a 6to4 relay", "RFC 7526").never(),
    range4([192, 168, 0, 0], 16, "a private address", "RFC 1918"),
    range4([198, 18, 0, 0], 15, "a benchmarking address", "RFC 2544"),
    range4([198, 51, 100, 0], 24, "a documentation address", "RFC 5737"),
    range4([203, 0, 113, 0], 24, "a documentation address", "RFC 5737"),
    range4([224, 0, 0, 0], 4, "a multicast address", "RFC 5771").never(),
    range4([240, 0, 0, 0], 4, "a reserved address", "RFC 1112").never(),
    only(IpAddr::V4(Ipv4Addr::BROADCAST), "the broadcast address", "RFC 919"),
    only(IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)), METADATA, "Alibaba Cloud"),
    only(IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), METADATA, "Azure"),
    only(IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)), METADATA, "Oracle Cloud"),
    only(IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)), METADATA, "AWS"),
    only(IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)), METADATA, "Google Cloud"),
    only(IpAddr::V6(Ipv6Addr::UNSPECIFIED), "the unspecified address", "RFC 4291"),
    Range { can_be_opened: true, ..only(IpAddr::V6(Ipv6Addr::LOCALHOST), "the loopback address", "RFC 4291") },
    range6([0, 0, 0, 0], 96, "an IPv4-compatible address", "RFC 4291").never(),
    range6([0x64, 0xff9b, 1, 0], 48, "an address of a local NAT64", "RFC 8215").never(),
    range6([0x100, 0, 0, 0], 64, "a discard-only address", "RFC 6666").never(),
    range6([0x100, 0, 0, 1], 64, "a dummy address", "RFC 9780").never(),
    range6([0x2001, 0, 0, 0], 23, "an address of IETF protocols", "RFC 2928"),
    range6([0x2001, 0, 0, 0], 32, "a Teredo address", "RFC 4380").never(),
    range6([0x2001, 2, 0, 0], 48, "a benchmarking address", "RFC 5180"),
    range6([0x2001, 3, 0, 0], 32, "an AMT address", "RFC 7450").never(),
    range6([0x2001, 4, 0x112, 0], 48, "an address of AS112", "RFC 7535").never(),
    range6([0x2001, 0x10, 0, 0], 28, "an ORCHID", "RFC 4843").never(),
    range6([0x2001, 0x20, 0, 0], 28, "an ORCHID", "RFC 7343").never(),
    range6([0x2001, 0x30, 0, 0], 28, "an address of drone identification", "RFC 9374").never(),
    range6([0x2001, 0xdb8, 0, 0], 32, "a documentation address", "RFC 3849"),
    range6([0x2002, 0, 0, 0], 16, "a 6to4 address", "RFC 3056").never(),
    range6([0x3fff, 0, 0, 0], 20, "a documentation address", "RFC 9637"),
    range6([0x5f00, 0, 0, 0], 16, "a segment identifier", "RFC 9602").never(),
    range6([0xfc00, 0, 0, 0], 7, "a unique local address", "RFC 4193"),
    range6([0xfe80, 0, 0, 0], 10, "a link-local address", "RFC 4291").never(),
    range6([0xfec0, 0, 0, 0], 10, "a site-local address", "RFC 3879"),
    range6([0xff00, 0, 0, 0], 8, "a multicast address", "RFC 4291").never(),
    // Of IPv6, only 2000::/3 is assigned to public addresses.
    range6([0, 0, 0, 0], 3, "a reserved address", "RFC 4291").never(),
    range6([0x4000, 0, 0, 0], 2, "a reserved address", "RFC 4291").never(),
    range6([0x8000, 0, 0, 0], 2, "a reserved address", "RFC 4291").never(),
    range6([0xc000, 0, 0, 0], 2, "a reserved address", "RFC 4291").never(),
];

#[cfg(test)]
mod tests;
