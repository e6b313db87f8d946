//! IP networks: those that a key can be used from, and those of trusted proxies.

use core::net::IpAddr;
use std::fmt;

use ipnet::IpNet;

/// A set of IPv4 and IPv6 networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// Why a text is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The text is neither a network nor an address.
    #[error("is not a network such as `192.0.2.0/24` or `2001:db8::/32`, nor an address")]
    Malformed,
    /// The text has bits after the prefix, so that it is unclear what is meant.
    #[error("has bits after its prefix; write `{network}`, or `{address}` for the one address")]
    HostBits {
        /// The network with that prefix.
        network: IpNet,
        /// The address before the prefix.
        address: IpAddr,
    },
    /// The text is an IPv4 network in IPv6 notation, which no request is compared with.
    #[error("is an IPv4 address in IPv6 notation; write it as IPv4")]
    Mapped,
}

impl Networks {
    /// Parses each text as a network in CIDR notation or as one address.
    ///
    /// # Errors
    /// Returns the place of the first text that is neither, counted from 0, and what is wrong with it.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, (usize, NetworkError)> {
        let parsed =
            texts.into_iter().enumerate().map(|(place, text)| parse(text.as_ref()).map_err(|why| (place, why)));
        Ok(Self(parsed.collect::<Result<_, _>>()?))
    }

    /// Returns true if there is no network in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns true if one of the networks contains the address. An IPv4 address in IPv6 notation is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns each network as a text, in the order in which they were given.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(IpNet::to_string).collect()
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.texts().join(", "))
    }
}

fn parse(text: &str) -> Result<IpNet, NetworkError> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.parse::<IpAddr>().map_err(|_| NetworkError::Malformed)?),
    };
    if let IpAddr::V6(address) = network.addr()
        && address.to_ipv4_mapped().is_some()
    {
        return Err(NetworkError::Mapped);
    }
    if network.trunc() != network {
        return Err(NetworkError::HostBits { network: network.trunc(), address: network.addr() });
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Networks::parse([network]).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn an_address_is_in_a_network_if_it_begins_with_its_prefix() {
        assert!(contains("192.0.2.0/24", "192.0.2.255"));
        assert!(!contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
        assert!(contains("2001:db8::/32", "2001:db8:ffff::1") && !contains("2001:db8::/32", "2001:db9::1"));
        assert!(contains("0.0.0.0/0", "203.0.113.9") && !contains("0.0.0.0/0", "2001:db8::1"));
    }

    #[test]
    fn an_ipv4_peer_of_an_ipv6_socket_is_an_ipv4_address() {
        assert!(contains("192.0.2.0/24", "::ffff:192.0.2.1"));
        assert!(!contains("::/0", "::ffff:192.0.2.1"));
    }

    #[test]
    fn what_is_not_a_network_is_refused_with_its_place_and_a_reason() {
        let refused = |text: &str| Networks::parse(["10.0.0.0/8", text]).unwrap_err();
        for text in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", " 10.0.0.0/8", "example.com", "10.0.0.0/8,"]
        {
            assert_eq!(refused(text), (1, NetworkError::Malformed), "{text}");
        }
        assert_eq!(refused("::ffff:10.0.0.0/104"), (1, NetworkError::Mapped));
        let (_, why) = refused("10.1.2.3/8");
        assert_eq!(why.to_string(), "has bits after its prefix; write `10.0.0.0/8`, or `10.1.2.3` for the one address");
    }

    proptest! {
        #[test]
        fn a_network_is_written_as_it_is_read_and_contains_its_first_and_last_address(
            bits in any::<u128>(), v6 in any::<bool>(), length in 0_u8..=128,
        ) {
            let address: IpAddr = if v6 {
                core::net::Ipv6Addr::from_bits(bits).into()
            } else {
                core::net::Ipv4Addr::from_bits((bits >> 96) as u32).into()
            };
            let length = if v6 { length } else { length % 33 };
            let network = IpNet::new(address, length).unwrap().trunc();
            prop_assume!(!matches!(network.addr(), IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()));
            let networks = Networks::parse([network.to_string()]).unwrap();
            prop_assert_eq!(networks.texts(), vec![network.to_string()]);
            prop_assert!(networks.contains(address) || address.to_canonical() != address);
            prop_assert!(networks.contains(network.network()));
        }
    }
}
