//! `sort`, by go-sockaddr's clauses.

use std::cmp::Ordering;

use super::interface::IfAddr;
use super::rfc;
use crate::function::FunctionError;
use crate::functions::arg::fail;

/// By what two addresses are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Address,
    /// Those of the interface with the default route first.
    Default,
    Name,
    /// Interfaces have no port: all are equal.
    Port,
    /// Those of RFC 6890 first.
    Private,
    /// The larger network first.
    Size,
    /// IPv4 first.
    Type,
}

/// Parses the clauses of `text`, and returns with each clause whether it is reversed.
pub(super) fn clauses(text: &str) -> Result<Vec<(By, bool)>, FunctionError> {
    let clause = |clause: &str| {
        let clause = clause.trim().to_lowercase();
        let (reversed, name) = match clause.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, clause.strip_prefix('+').unwrap_or(&clause)),
        };
        let by = match name {
            "address" => By::Address,
            "default" => By::Default,
            "name" => By::Name,
            "port" => By::Port,
            "private" => By::Private,
            "size" => By::Size,
            "type" => By::Type,
            _ => return fail("unknown sort type"),
        };
        Ok((by, reversed))
    };
    text.split(',').map(clause).collect()
}

/// Sorts as Go's `sort.Sort` does while a list is short: by insertion. Not by the library's sort,
/// since `private` is no order between IPv4 and IPv6, and that one may panic then.
pub(super) fn sort(addresses: &mut [IfAddr], clauses: &[(By, bool)], default: Option<&str>) {
    let less = |one: &IfAddr, other: &IfAddr| {
        let deciding = clauses.iter().find_map(|(by, reversed)| {
            let order = compare(*by, one, other, default);
            let order = if *reversed { order.reverse() } else { order };
            (order != Ordering::Equal).then_some(order)
        });
        deciding == Some(Ordering::Less)
    };
    for end in 1..addresses.len() {
        let mut at = end;
        while at > 0 && less(&addresses[at], &addresses[at - 1]) {
            addresses.swap(at, at - 1);
            at -= 1;
        }
    }
}

fn compare(by: By, one: &IfAddr, other: &IfAddr, default: Option<&str>) -> Ordering {
    let same_family = one.address.v6 == other.address.v6;
    match by {
        By::Address if same_family => one.address.bits.cmp(&other.address.bits),
        By::Size if same_family => one.address.mask.cmp(&other.address.mask),
        By::Address | By::Size | By::Port => Ordering::Equal,
        By::Default => {
            let is_default = |one: &IfAddr| Some(one.interface.name.as_str()) == default;
            is_default(other).cmp(&is_default(one))
        }
        By::Name => one.interface.name.cmp(&other.interface.name),
        By::Private => {
            let private = |one: &IfAddr| rfc::holds(6890, one.address) == Some(true);
            match (private(one), private(other)) {
                (true, _) if !same_family => Ordering::Less,
                (false, _) if !same_family => Ordering::Equal,
                (one, other) => other.cmp(&one),
            }
        }
        By::Type => one.address.v6.cmp(&other.address.v6),
    }
}
