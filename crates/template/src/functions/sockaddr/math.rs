//! `math`: addresses moved within or beyond their networks.

use super::address::{Address, prefix_mask};
use crate::function::FunctionError;
use crate::functions::arg::fail;

/// Applies `operation` with `value` to `address`.
pub(super) fn apply(operation: &str, value: &str, address: Address) -> Result<Address, FunctionError> {
    match operation.to_lowercase().as_str() {
        "address" => {
            let by = signed(value, address)?;
            let bits = address.bits.wrapping_add(by as u128) & address.host_mask();
            Ok(Address { bits, ..address })
        }
        "network" => {
            let by = signed(value, address)?;
            Ok(Address { bits: in_network(address, by), ..address })
        }
        "mask" => {
            let mask = value.parse().ok().and_then(|prefix| prefix_mask(address.v6, prefix));
            let Some(mask) = mask else { return fail("the mask is not a number of bits that it can have") };
            Ok(Address { bits: address.bits & mask, mask: address.mask.min(mask), ..address })
        }
        _ => fail("unsupported math operation"),
    }
}

/// Parses a number with its sign, which must be there.
fn signed(value: &str, address: Address) -> Result<i128, FunctionError> {
    if !value.starts_with(['+', '-']) {
        return fail("a sign (+ or -) is required");
    }
    // Go takes 64 bits for IPv6, and 33 for IPv4.
    let number = value.parse::<i64>().ok();
    let number = number.filter(|number| address.v6 || (-(1 << 32)..1 << 32).contains(number));
    match number {
        Some(number) => Ok(number.into()),
        None => fail("the text after the sign is not a number, or the number is too large for the address"),
    }
}

/// Returns the address that is `by` addresses from the first of the network. A negative number counts from the end of
/// the network. The result stays in the network.
fn in_network(address: Address, by: i128) -> u128 {
    let hosts = !address.mask & address.host_mask();
    match by {
        // A slip of go-sockaddr, which people may have templates around: its number grows to 129
        // bits there, of which it shows the first 128.
        0 if address.v6 => 1 << 120 | address.first() >> 8,
        by if by < 0 => address.last() - ((by.unsigned_abs() - 1) & hosts),
        by => address.first() + (by.unsigned_abs() & hosts),
    }
}
