//! `sockaddr`: questions about the machine's own network interfaces.
//!
//! A rendering does not reach the network, so the interfaces are not there to be asked. The name is
//! kept in the table so that the error says what to write instead.

use super::arg::{Answer, fail};
use crate::template::eval::Scope;
use crate::template::function::Function;
use crate::template::value::{Type, Value};

pub(super) static FUNCTIONS: &[Function] =
    &[Function::new("sockaddr", &[Type::String], sockaddr).variadic().returns(Type::String)];

fn sockaddr(_: &mut Scope<'_, '_>, _: &[Value]) -> Answer {
    fail(
        "sockaddr: a rendering does not see network interfaces; pass the address in the environment and use env",
    )
}
