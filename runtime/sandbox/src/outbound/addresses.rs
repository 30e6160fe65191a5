//! Which addresses requests may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whose an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The public network's.
    Public,
    /// This machine's or its neighbours'.
    Private,
    /// Nobody's a name should lead to: links, multicast, documentation, and what tells a cloud's machines about
    /// themselves. Reached by whoever is granted the address itself.
    Nobody,
}

/// Where clouds answer questions of their machines, among addresses that would be private.
const METADATA_V4: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

impl Whose {
    /// By the registries of special-purpose addresses (RFC 6890 and what came after).
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        if address == METADATA_V4 {
            return Self::Nobody;
        }
        match address.octets() {
            [127, ..] | [10, ..] | [192, 168, ..] => Self::Private,
            [172, b, ..] if (16..32).contains(&b) => Self::Private,
            // shared with a carrier
            [100, b, ..] if (64..128).contains(&b) => Self::Private,
            // this network, links, protocol assignments, documentation, 6to4 relays, benchmarks, multicast, reserved
            [0, ..] | [169, 254, ..] | [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Self::Nobody,
            [192, 88, 99, _] | [198, 18 | 19, ..] | [224..=255, ..] => Self::Nobody,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address == METADATA_V6 {
            return Self::Nobody;
        }
        let v4 = |high: u16, low: u16| {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            Self::of_v4(Ipv4Addr::new(a, b, c, d))
        };
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Private,
            // translated and tunnelled: the address within counts
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
            [0xfc00..=0xfdff, ..] => Self::Private,
            // protocol assignments and tunnels, documentation
            [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Self::Nobody,
            // only this block is given out to the public
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        for (whose, addresses) in [
            (
                Whose::Public,
                &[
                    "8.8.8.8",
                    "93.184.216.34",
                    "172.32.0.1",
                    "2606:4700::1111",
                    "::ffff:8.8.8.8",
                    "64:ff9b::808:808",
                    "2002:808:808::1",
                ][..],
            ),
            (
                Whose::Private,
                &[
                    "10.1.2.3",
                    "100.64.0.1",
                    "127.0.0.1",
                    "127.255.255.254",
                    "172.16.0.1",
                    "172.31.255.255",
                    "192.168.1.1",
                    "::1",
                    "::ffff:10.0.0.1",
                    "::ffff:127.0.0.1",
                    "64:ff9b::a00:1",
                    "2002:7f00:1::",
                    "fc00::1",
                    "fd12:3456::1",
                ],
            ),
            (
                Whose::Nobody,
                &[
                    "0.0.0.0",
                    "100.100.100.200",
                    "169.254.169.254",
                    "192.0.0.192",
                    "192.0.2.1",
                    "198.18.0.1",
                    "224.0.0.1",
                    "240.0.0.1",
                    "255.255.255.255",
                    "::",
                    "::127.0.0.1",
                    "::ffff:169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                    "2002:a9fe:a9fe::1",
                    "2001::1",
                    "2001:db8::1",
                    "64:ff9b:1::1",
                    "fd00:ec2::254",
                    "fe80::1",
                    "fec0::1",
                    "ff02::1",
                ],
            ),
        ] {
            for address in addresses {
                let parsed = address.parse().expect("an address");
                assert_eq!(Whose::of(parsed), whose, "{address}");
            }
        }
    }
}
