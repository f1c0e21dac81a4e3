//! Selecting addresses: `include`, `exclude`, `unique`, `limit`, `offset`.

use std::net::IpAddr;

use super::address::Address;
use super::interface::{IfAddr, list, value};
use super::rfc;
use crate::eval::Scope;
use crate::function::FunctionError;
use crate::functions::arg::{Answer, fail, int, name};
use crate::functions::expression::expression;
use crate::value::Value;

/// What a selector lets through, and what it does not. Selectors with `|` in them may name an
/// address twice, or on both sides, as go-sockaddr's do.
type Split = Result<(Vec<IfAddr>, Vec<IfAddr>), FunctionError>;

pub(super) fn include(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    value(split(scope, args)?.0)
}

pub(super) fn exclude(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    value(split(scope, args)?.1)
}

fn split(scope: &mut Scope<'_, '_>, args: &[Value]) -> Split {
    let (selector, parameter, addresses) = (name(args, 0), name(args, 1), list(args, 2)?);
    match selector.to_lowercase().as_str() {
        "address" => {
            let regex = expression(scope, args, 1)?;
            Ok(part(addresses, |one| regex.is_match(one.address.to_string().as_bytes())))
        }
        "name" => {
            let regex = expression(scope, args, 1)?;
            Ok(part(addresses, |one| regex.is_match(one.interface.name.as_bytes())))
        }
        "port" => {
            let regex = expression(scope, args, 1)?;
            Ok(part(addresses, |_| regex.is_match(b"0")))
        }
        "flag" | "flags" => by_flags(&parameter, addresses),
        "network" => by_networks(&parameter, &addresses),
        "rfc" | "rfcs" => by_rfcs(&parameter, &addresses),
        "size" => by_size(&parameter, addresses),
        "type" => by_types(&parameter, &addresses),
        _ => fail("invalid selector"),
    }
}

fn part(addresses: Vec<IfAddr>, wanted: impl Fn(&IfAddr) -> bool) -> (Vec<IfAddr>, Vec<IfAddr>) {
    addresses.into_iter().partition(wanted)
}

/// Go's flags of an interface, by name.
const INTERFACE_FLAGS: [(&str, u32); 6] =
    [("up", 1), ("broadcast", 2), ("loopback", 4), ("point-to-point", 8), ("multicast", 16), ("down", 0)];

/// What an address itself may be, by name.
const TRAITS: [&str; 8] = [
    "forwardable",
    "global unicast",
    "interface-local multicast",
    "link-local multicast",
    "link-local unicast",
    "loopback",
    "multicast",
    "unspecified",
];

/// Splits addresses by flags. An address passes if its interface has all the flags named, or if it has one of the
/// traits itself.
pub(super) fn by_flags(names: &str, addresses: Vec<IfAddr>) -> Split {
    let names = names.to_lowercase();
    let names: Vec<&str> = names.split('|').collect();
    let of_interface = |name: &str| INTERFACE_FLAGS.iter().find(|(known, _)| *known == name);
    if names.iter().any(|name| of_interface(name).is_none() && !TRAITS.contains(name)) {
        return fail("unknown interface flag");
    }
    let flags: Vec<u32> = names.iter().filter_map(|name| of_interface(name)).map(|(_, bit)| *bit).collect();
    let all = flags.iter().fold(0, |all, bit| all | bit);
    Ok(part(addresses, |one| {
        let by_interface = !flags.is_empty() && one.interface.flags & all == all;
        by_interface || names.iter().any(|name| has_trait(one.address, name))
    }))
}

fn has_trait(address: Address, name: &str) -> bool {
    let ip = address.ip();
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let v6_scope =
        |scope: u8| matches!(ip, IpAddr::V6(ip) if ip.is_multicast() && ip.octets()[1] & 15 == scope);
    match name {
        "forwardable" => rfc::holds(rfc::NOT_FORWARDED, address) == Some(false),
        "global unicast" => {
            let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
            !broadcast && !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !link_local
        }
        "interface-local multicast" => v6_scope(1),
        "link-local multicast" => {
            v6_scope(2) || matches!(ip, IpAddr::V4(ip) if ip.octets()[..3] == [224, 0, 0])
        }
        "link-local unicast" => link_local,
        "loopback" => ip.is_loopback(),
        "multicast" => ip.is_multicast(),
        "unspecified" => ip.is_unspecified(),
        _ => false,
    }
}

fn by_networks(networks: &str, addresses: &[IfAddr]) -> Split {
    by_each(networks, addresses, |network| {
        let Some(network) = Address::parse(network) else { return fail("a network is not an IP address") };
        Ok(move |one: &IfAddr| network.contains(one.address))
    })
}

pub(super) fn by_rfcs(numbers: &str, addresses: &[IfAddr]) -> Split {
    by_each(numbers, addresses, |number| {
        let known = number
            .parse()
            .ok()
            .filter(|&number| Address::parse("::").is_some_and(|any| rfc::holds(number, any).is_some()));
        let Some(number) = known else { return fail("unsupported RFC") };
        Ok(move |one: &IfAddr| rfc::holds(number, one.address) == Some(true))
    })
}

/// Splits all addresses once for each of the words between `|`. Each time, an address goes to one side or the other.
fn by_each<F: Fn(&IfAddr) -> bool>(
    words: &str,
    addresses: &[IfAddr],
    test_of: impl Fn(&str) -> Result<F, FunctionError>,
) -> Split {
    let (mut passed, mut left) = (Vec::new(), Vec::new());
    for word in words.split('|') {
        let test = test_of(word)?;
        let (more, rest) = part(addresses.to_vec(), test);
        passed.extend(more);
        left.extend(rest);
    }
    Ok((passed, left))
}

fn by_size(prefix: &str, addresses: Vec<IfAddr>) -> Split {
    let Ok(prefix) = prefix.parse::<u32>() else { return fail("the size is not a number of bits") };
    if addresses.iter().any(|one| prefix > one.address.width()) {
        return fail("the mask's size is out of bounds for an address: include one type first");
    }
    Ok(part(addresses, |one| one.address.prefix() == prefix))
}

fn by_types(types: &str, addresses: &[IfAddr]) -> Split {
    let types = types.to_lowercase();
    let types: Vec<&str> = types.split('|').collect();
    if types.iter().any(|one| !matches!(*one, "ip" | "ipv4" | "ipv6" | "unix")) {
        return fail("unsupported type of address");
    }
    let (mut passed, mut left) = (Vec::new(), Vec::new());
    for one in addresses {
        for of in &types {
            let is = match *of {
                "ip" => true,
                "ipv4" => !one.address.v6,
                "ipv6" => one.address.v6,
                _ => false,
            };
            if is { &mut passed } else { &mut left }.push(one.clone());
        }
    }
    Ok((passed, left))
}

/// Returns the first of each run of equal neighbours.
pub(super) fn unique(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let by_name = match name(args, 0).to_lowercase().as_str() {
        "address" => false,
        "name" => true,
        _ => return fail("unsupported unique constraint"),
    };
    let key = |one: &IfAddr| if by_name { one.interface.name.clone() } else { one.address.to_string() };
    let mut addresses = list(args, 1)?;
    addresses.dedup_by_key(|one| key(one));
    value(addresses)
}

pub(super) fn limit(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let most = match args.first() {
        Some(Value::Uint(_, most)) => usize::try_from(*most).unwrap_or(usize::MAX),
        _ => 0,
    };
    value(list(args, 1)?.into_iter().take(most))
}

/// Returns the addresses from an offset on. The offset counts from the start or, if it is negative, from the end.
pub(super) fn offset(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (offset, addresses) = (int(args, 0), list(args, 1)?);
    let distance = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
    if distance > addresses.len() {
        return fail("unable to seek past the end of the list of addresses");
    }
    let skipped = if offset < 0 { addresses.len() - distance } else { distance };
    value(addresses.into_iter().skip(skipped))
}
