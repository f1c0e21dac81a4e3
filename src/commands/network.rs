//! The machine's interfaces, for `sockaddr`.

use std::net::IpAddr;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{SockaddrLike as _, SockaddrStorage};

use crate::template::host::{HostError, Interface, Network};

/// The kernel's flags in Go's order, which numbers them by bit.
const FLAGS: [InterfaceFlags; 6] = [
    InterfaceFlags::IFF_UP,
    InterfaceFlags::IFF_BROADCAST,
    InterfaceFlags::IFF_LOOPBACK,
    InterfaceFlags::IFF_POINTOPOINT,
    InterfaceFlags::IFF_MULTICAST,
    InterfaceFlags::IFF_RUNNING,
];

/// The IPv4 routes, as the kernel lists them.
const ROUTES: &str = "/proc/net/route";

/// Returns the interfaces and addresses in the kernel's order. Each call asks the kernel.
pub(super) fn of_this_machine() -> Result<Network, HostError> {
    let told =
        getifaddrs().map_err(|errno| HostError(format!("cannot list the network interfaces: {errno}")))?;
    let mut interfaces: Vec<Interface> = Vec::new();
    for one in told {
        match interfaces.iter_mut().find(|known| known.name == one.interface_name) {
            Some(known) => known.addresses.extend(address(&one)),
            None => interfaces.push(interface(&one)),
        }
    }
    // Without a route, or without /proc, none is the default.
    let default = std::fs::read_to_string(ROUTES).ok().and_then(|routes| default_of(&routes));
    Ok(Network { interfaces, default })
}

fn interface(one: &InterfaceAddress) -> Interface {
    let name = one.interface_name.clone();
    let link = one.address.as_ref().and_then(SockaddrStorage::as_link_addr);
    let hardware = link.and_then(nix::sys::socket::LinkAddr::addr).unwrap_or_default();
    let flags = FLAGS.iter().enumerate().filter(|(_, flag)| one.flags.contains(**flag));
    let mtu = std::fs::read_to_string(format!("/sys/class/net/{name}/mtu")).ok();
    Interface {
        index: link.and_then(|link| u32::try_from(link.ifindex()).ok()).unwrap_or_default(),
        mtu: mtu.and_then(|mtu| mtu.trim().parse().ok()).unwrap_or_default(),
        hardware: if hardware == [0; 6] { Vec::new() } else { hardware.to_vec() },
        flags: flags.map(|(bit, _)| 1 << bit).sum(),
        addresses: address(one).into_iter().collect(),
        name,
    }
}

/// Returns the address with the length of its network's prefix, or `None` for an entry that has no IP address.
fn address(one: &InterfaceAddress) -> Option<(IpAddr, u32)> {
    let prefix = match ip(one.netmask.as_ref()?)? {
        IpAddr::V4(mask) => u32::from(mask).count_ones(),
        IpAddr::V6(mask) => u128::from(mask).count_ones(),
    };
    Some((ip(one.address.as_ref()?)?, prefix))
}

fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    address.family()?;
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// Returns the interface of the first route to everywhere through a gateway.
fn default_of(routes: &str) -> Option<String> {
    const GATEWAY: u32 = 2;
    routes.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [interface, "00000000", _gateway, flags, _, _, _, "00000000", ..] = fields[..] else {
            return None;
        };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        (flags & GATEWAY != 0).then(|| interface.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_loopback_address() {
        let network = of_this_machine().expect("the kernel tells");
        let loopback = |one: &&Interface| one.flags & 4 != 0;
        let lo = network.interfaces.iter().find(loopback).expect("a loopback interface");
        assert!(lo.addresses.contains(&(IpAddr::from([127, 0, 0, 1]), 8)), "{lo:?}");
        assert!(lo.hardware.is_empty() && lo.index > 0 && lo.mtu > 0, "{lo:?}");
    }

    #[test]
    fn the_default_route_goes_through_a_gateway() {
        let routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            eth1\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(default_of(routes).as_deref(), Some("eth0"));
        assert_eq!(default_of("Iface\nbroken\n"), None);
        assert_eq!(default_of(""), None);
    }
}
