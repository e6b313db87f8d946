use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Each range with its first and its last address, the addresses beside it if they are public, and its source.
#[rustfmt::skip]
const TABLE: [(&str, &str, &[&str], &str); 38] = [
    ("0.0.0.0", "0.255.255.255", &["1.0.0.0"], "RFC 791"),
    ("10.0.0.0", "10.255.255.255", &["9.255.255.255", "11.0.0.0"], "RFC 1918"),
    ("100.64.0.0", "100.127.255.255", &["100.63.255.255", "100.128.0.0"], "RFC 6598"),
    ("127.0.0.0", "127.255.255.255", &["126.255.255.255", "128.0.0.0"], "RFC 1122"),
    ("169.254.0.0", "169.254.255.255", &["169.253.255.255", "169.255.0.0"], "RFC 3927"),
    ("172.16.0.0", "172.31.255.255", &["172.15.255.255", "172.32.0.0"], "RFC 1918"),
    ("192.0.0.0", "192.0.0.255", &["191.255.255.255", "192.0.1.0"], "RFC 6890"),
    ("192.0.2.0", "192.0.2.255", &["192.0.1.255", "192.0.3.0"], "RFC 5737"),
    ("192.88.99.0", "192.88.99.255", &["192.88.98.255", "192.88.100.0"], "RFC 7526"),
    ("192.168.0.0", "192.168.255.255", &["192.167.255.255", "192.169.0.0"], "RFC 1918"),
    ("198.18.0.0", "198.19.255.255", &["198.17.255.255", "198.20.0.0"], "RFC 2544"),
    ("198.51.100.0", "198.51.100.255", &["198.51.99.255", "198.51.101.0"], "RFC 5737"),
    ("203.0.113.0", "203.0.113.255", &["203.0.112.255", "203.0.114.0"], "RFC 5737"),
    ("224.0.0.0", "239.255.255.255", &["223.255.255.255"], "RFC 5771"),
    ("240.0.0.0", "255.255.255.254", &[], "RFC 1112"),
    ("255.255.255.255", "255.255.255.255", &[], "RFC 919"),
    ("169.254.169.254", "169.254.169.254", &[], "RFC 3927"),
    ("::", "::", &[], "RFC 4291"),
    ("::1", "::1", &[], "RFC 4291"),
    ("::2", "::fffe:ffff", &[], "RFC 4291"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", &[], "RFC 8215"),
    ("100::", "100::ffff:ffff:ffff:ffff", &[], "RFC 6666"),
    ("2001:0::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", &[], "RFC 4380"),
    ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", &[], "RFC 5180"),
    ("2001:100::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", &["2001:200::"], "RFC 2928"),
    ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", &[], "RFC 4843"),
    ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", &[], "RFC 7343"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", &["2001:db7:ffff::", "2001:db9::"], "RFC 3849"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["2001:ffff::", "2003::"], "RFC 3056"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", &["3ffe:ffff::", "3fff:1000::"], "RFC 9637"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[], "RFC 9602"),
    ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["3fff:ffff:ffff::"], "RFC 4291"),
    ("8000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[], "RFC 4291"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[], "RFC 4193"),
    ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[], "RFC 4291"),
    ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[], "RFC 3879"),
    ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[], "RFC 4291"),
    ("200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &["2000::"], "RFC 4291"),
];

#[test]
fn every_range_for_special_purposes_is_refused_from_its_first_to_its_last_address() {
    for (first, last, public, source) in TABLE {
        for address in [first, last] {
            let refusal = check(ip(address), &Networks::default()).expect_err(address);
            assert_eq!(refusal.range.source, source, "{address}");
        }
        for address in public {
            assert_eq!(check(ip(address), &Networks::default()), Ok(()), "{address} beside {first}");
        }
    }
}

#[test]
fn an_address_is_judged_by_what_it_reaches() {
    for (address, reached) in [
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("::ffff:169.254.169.254", "169.254.169.254"),
        ("64:ff9b::10.0.0.7", "10.0.0.7"),
        ("64:ff9b::127.0.0.1", "127.0.0.1"),
        ("64:ff9b::169.254.169.254", "169.254.169.254"),
    ] {
        let refusal = check(ip(address), &Networks::default()).expect_err(address);
        assert_eq!((refusal.address, refusal.reached), (ip(address), ip(reached)));
    }
    // A host with IPv6 alone reaches public IPv4 addresses by NAT64.
    assert_eq!(check(ip("64:ff9b::8.8.8.8"), &Networks::default()), Ok(()));
    assert_eq!(check(ip("::ffff:8.8.8.8"), &Networks::default()), Ok(()));
    // These embed 8.8.8.8 in a way that no network has to translate.
    for address in ["::8.8.8.8", "64:ff9b:1::8.8.8.8", "2002:808:808::1", "2001:0:808:808::1", "::ffff:0:8.8.8.8"] {
        assert!(check(ip(address), &Networks::default()).is_err(), "{address}");
    }
    let refusal = check(ip("64:ff9b::10.0.0.7"), &Networks::default()).unwrap_err();
    assert_eq!(refusal.to_string(), "64:ff9b::a00:7 reaches 10.0.0.7, which is a private address (RFC 1918)");
    assert_eq!(
        check(ip("::1"), &Networks::default()).unwrap_err().to_string(),
        "::1 is the loopback address (RFC 4291)"
    );
}

#[test]
fn opened_networks_are_reached_and_no_others() {
    let opened = Networks::parse(["10.1.0.0/16", "fd12::/16", "127.0.0.1", "::1"]).unwrap();
    for address in ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "fd12::7", "127.0.0.1", "::1"] {
        assert_eq!(check(ip(address), &opened), Ok(()), "{address}");
    }
    for address in ["10.2.0.1", "::ffff:10.2.0.1", "64:ff9b::10.2.0.1", "fd13::7", "127.0.0.2", "192.168.0.1"] {
        assert!(check(ip(address), &opened).is_err(), "{address}");
    }
}

#[test]
fn no_network_opens_metadata_services_and_what_is_never_a_receiver() {
    let opened = Networks::parse(["0.0.0.0/0", "::/0"]).unwrap();
    for address in [
        "0.0.0.0",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "fe80::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::10.0.0.7",
        "64:ff9b:1::10.0.0.7",
        "2002:a00:7::",
        "2001:0:a00:7::",
        "ff02::1",
    ] {
        assert!(check(ip(address), &opened).is_err(), "{address}");
    }
    for address in ["10.0.0.7", "127.0.0.1", "100.64.0.1", "::1", "fd00::1"] {
        assert_eq!(check(ip(address), &opened), Ok(()), "{address}");
    }
}

proptest! {
    #[test]
    fn an_embedded_address_is_judged_as_the_address_itself(bits in any::<u32>()) {
        let plain = Ipv4Addr::from_bits(bits);
        let allowed = check(plain.into(), &Networks::default()).is_ok();
        let nat64 = Ipv6Addr::from_bits((0x0064_ff9b_u128 << 96) | u128::from(bits));
        for embedded in [plain.to_ipv6_mapped(), nat64] {
            prop_assert_eq!(check(embedded.into(), &Networks::default()).is_ok(), allowed, "{}", embedded);
        }
        prop_assert!(check(Ipv6Addr::from_bits(u128::from(bits)).into(), &Networks::default()).is_err());
    }

    #[test]
    fn of_ipv6_only_global_unicast_addresses_and_nat64_are_public(bits in any::<u128>()) {
        let address = Ipv6Addr::from_bits(bits);
        if check(address.into(), &Networks::default()).is_ok() {
            let translated = address.to_ipv4_mapped().is_some() || bits >> 32 == 0x0064_ff9b_u128 << 64;
            prop_assert!(bits >> 125 == 1 || translated, "{}", address);
        }
    }
}
