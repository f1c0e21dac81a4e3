//! An address with the mask of its network, and the arithmetic of both.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address in its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    /// True if it is 128 bits wide, and not 32.
    pub(super) v6: bool,
    /// The address as a number.
    pub(super) bits: u128,
    /// The mask, as wide as the address.
    pub(super) mask: u128,
}

impl Address {
    /// Makes the address `ip` in a network of `prefix` bits; `None` if the family has fewer.
    pub(super) fn new(ip: IpAddr, prefix: u32) -> Option<Self> {
        let (v6, bits) = match ip {
            IpAddr::V4(ip) => (false, u128::from(u32::from(ip))),
            IpAddr::V6(ip) => (true, u128::from(ip)),
        };
        let mask = prefix_mask(v6, prefix)?;
        Some(Self { v6, bits, mask })
    }

    /// Parses `10.1.2.3/8`, or an address alone, which is a network of itself.
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((ip, prefix)) => Self::new(ip.parse().ok()?, prefix.parse().ok()?),
            None => {
                let ip: IpAddr = text.parse().ok()?;
                Self::new(ip, if ip.is_ipv6() { 128 } else { 32 })
            }
        }
    }

    /// Returns how many bits an address has.
    pub(super) const fn width(self) -> u32 {
        if self.v6 { 128 } else { 32 }
    }

    /// Returns the mask of a single host.
    pub(super) const fn host_mask(self) -> u128 {
        if self.v6 { u128::MAX } else { u32::MAX as u128 }
    }

    /// Returns how many bits the network's prefix has.
    pub(super) const fn prefix(self) -> u32 {
        self.mask.count_ones()
    }

    /// Returns the first address of the network.
    pub(super) const fn first(self) -> u128 {
        self.bits & self.mask
    }

    /// Returns the last address of the network; for IPv4 that is the broadcast address.
    pub(super) const fn last(self) -> u128 {
        self.first() | (self.mask ^ self.host_mask())
    }

    /// Returns the first address of the network that a host may have.
    pub(super) const fn first_usable(self) -> u128 {
        if !self.v6 && self.prefix() < 31 { self.first() + 1 } else { self.first() }
    }

    /// Returns the last address of the network that a host may have.
    pub(super) const fn last_usable(self) -> u128 {
        if !self.v6 && self.prefix() < 31 { self.last() - 1 } else { self.last() }
    }

    /// Returns whether all of `other`'s network is in this one.
    pub(super) const fn contains(self, other: Self) -> bool {
        self.v6 == other.v6 && self.first() <= other.first() && self.last() >= other.last()
    }

    /// Returns another address of the same family, alone.
    pub(super) const fn host(self, bits: u128) -> Self {
        Self { bits, mask: self.host_mask(), ..self }
    }

    /// Returns the address without its network.
    pub(super) fn ip(self) -> IpAddr {
        if self.v6 {
            let ip = Ipv6Addr::from(self.bits);
            // Go shows these as IPv4.
            ip.to_ipv4_mapped().map_or(IpAddr::V6(ip), IpAddr::V4)
        } else {
            IpAddr::V4(Ipv4Addr::from(u32::try_from(self.bits).unwrap_or(u32::MAX)))
        }
    }
}

/// Returns a mask of `prefix` ones; `None` if an address of the family has fewer bits.
pub(super) const fn prefix_mask(v6: bool, prefix: u32) -> Option<u128> {
    let (width, all) = if v6 { (128, u128::MAX) } else { (32, u32::MAX as u128) };
    if prefix > width {
        return None;
    }
    Some(match all.checked_shl(width - prefix) {
        Some(mask) => mask & all,
        None => 0,
    })
}

/// With the network's prefix, where it is more than the address.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix() == self.width() {
            write!(f, "{}", self.ip())
        } else {
            write!(f, "{}/{}", self.ip(), self.prefix())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_ends_and_hold_one_another() {
        let parse = |text: &str| Address::parse(text).expect(text);
        for (text, first, last) in [
            ("10.1.2.3/8", "10.0.0.1", "10.255.255.254"),
            ("10.1.2.3/31", "10.1.2.2", "10.1.2.3"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.3"),
            ("1.2.3.4/0", "0.0.0.1", "255.255.255.254"),
            ("fd00::1/64", "fd00::", "fd00::ffff:ffff:ffff:ffff"),
            ("::1/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            let address = parse(text);
            assert_eq!(address.to_string(), text);
            assert_eq!(address.host(address.first_usable()).to_string(), first, "{text}");
            assert_eq!(address.host(address.last_usable()).to_string(), last, "{text}");
        }
        assert!(parse("10.0.0.0/8").contains(parse("10.1.2.3/24")));
        assert!(!parse("10.1.2.3/24").contains(parse("10.0.0.0/8")));
        assert!(!parse("::/0").contains(parse("10.0.0.0/8")));
        for bad in ["", "10.0.0", "10.0.0.0/33", "::/129", "host", "10.0.0.1/-1"] {
            assert_eq!(Address::parse(bad), None, "{bad}");
        }
    }
}
