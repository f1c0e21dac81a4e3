//! `sockaddr`: questions about the machine's addresses, in the language of go-sockaddr.
//!
//! The argument is a template of its own, with functions of its own, over the addresses that the
//! rendering's host lists.

mod address;
mod interface;
mod math;
mod order;
mod rfc;
mod select;

use std::sync::OnceLock;

use super::arg::{Answer, fail, name, text};
use super::expression::expression;
use crate::Template;
use crate::eval::{MissingKey, Scope};
use crate::function::{Function, FunctionError, Functions};
use crate::limits::Limits;
use crate::value::{Type, Value};
use interface::{IfAddr, UINT, first, list, value};
use order::By;

pub(super) static FUNCTIONS: &[Function] =
    &[Function::new("sockaddr", &[Type::String], sockaddr).variadic().returns(Type::String)];

/// What an expression may call besides the language's own.
static OF_EXPRESSIONS: &[Function] = &[
    Function::new("GetAllInterfaces", &[], |scope, _| value(all(scope)?)),
    Function::new("GetDefaultInterfaces", &[], default_interfaces),
    Function::new("GetInterfaceIP", &[Type::String], |scope, args| named(scope, args, true))
        .returns(Type::String),
    Function::new("GetInterfaceIPs", &[Type::String], |scope, args| named(scope, args, false))
        .returns(Type::String),
    Function::new("GetPrivateIP", &[], |scope, _| Ok(ips(routed(scope, true)?.into_iter().take(1))))
        .returns(Type::String),
    Function::new("GetPrivateIPs", &[], |scope, _| every(scope, true)).returns(Type::String),
    Function::new("GetPrivateInterfaces", &[], |scope, _| value(routed(scope, true)?)),
    Function::new("GetPublicIP", &[], |scope, _| Ok(ips(routed(scope, false)?.into_iter().take(1))))
        .returns(Type::String),
    Function::new("GetPublicIPs", &[], |scope, _| every(scope, false)).returns(Type::String),
    Function::new("GetPublicInterfaces", &[], |scope, _| value(routed(scope, false)?)),
    Function::new("attr", &[Type::String, Type::Interface], attr).returns(Type::String),
    Function::new("exclude", &[Type::String, Type::String, Type::Interface], select::exclude),
    Function::new("include", &[Type::String, Type::String, Type::Interface], select::include),
    Function::new("join", &[Type::String, Type::String, Type::Interface], join).returns(Type::String),
    Function::new("limit", &[UINT, Type::Interface], select::limit),
    Function::new("math", &[Type::String, Type::String, Type::Interface], math),
    Function::new("offset", &[Type::INT, Type::Interface], select::offset),
    Function::new("sort", &[Type::String, Type::Interface], sort),
    Function::new("unique", &[Type::String, Type::Interface], select::unique),
];

/// The limits of one expression. They are charged to the rendering before it runs, so that a loop over such
/// calls ends at the rendering's own limits.
const LIMITS: Limits = Limits { depth: 100, range: 10_000, output: 1 << 20, steps: 20_000, held: 4 << 20 };

fn sockaddr(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    static TABLE: OnceLock<Functions> = OnceLock::new();
    let functions = TABLE.get_or_init(|| {
        let mut functions = Functions::new();
        functions.add(OF_EXPRESSIONS);
        functions
    });
    // A step is 64 bytes of text.
    scope.spend(
        64 * 1024 + args.iter().enumerate().map(|(index, _)| text(args, index).len()).sum::<usize>(),
    )?;
    let words: Vec<&[u8]> = (0..args.len()).map(|index| text(args, index)).collect();
    let expression = [b"{{ ", words.join(&b' ').as_slice(), b" }}"].concat();
    // The expression may be made of a secret, so no error quotes it.
    let template = Template::parse("sockaddr", &expression, None, functions).map_err(|error| {
        FunctionError::new(format!("the expression is none at column {}", error.position.column))
    })?;
    let dot = value(all(scope)?)?;
    let output = template.execute(dot, MissingKey::Error, LIMITS, scope.host());
    let output = output.map_err(|error| match error.message.strip_prefix("error calling ") {
        Some(said) => FunctionError::new(said.to_owned()),
        None => FunctionError::new("the expression fails on the machine's addresses"),
    })?;
    scope.spend(output.len())?;
    Ok(Value::Text(output))
}

fn all(scope: &mut Scope<'_, '_>) -> Result<Vec<IfAddr>, FunctionError> {
    Ok(IfAddr::all(&scope.host().network()?))
}

/// Returns the name of the interface with the default route.
fn default_name(scope: &mut Scope<'_, '_>) -> Result<Option<String>, FunctionError> {
    Ok(scope.host().network()?.default)
}

fn default_interfaces(scope: &mut Scope<'_, '_>, _: &[Value]) -> Answer {
    let Some(default) = default_name(scope)? else { return fail("no default interface found") };
    value(all(scope)?.into_iter().filter(|one| one.interface.name == default))
}

/// Returns the addresses that other machines can reach, the one of the default route first: private ones (RFC
/// 6890), or the others.
fn routed(scope: &mut Scope<'_, '_>, private: bool) -> Result<Vec<IfAddr>, FunctionError> {
    let (forwardable, _) = select::by_flags("forwardable", all(scope)?)?;
    let (mut up, _) = select::by_flags("up", forwardable)?;
    let default = default_name(scope)?;
    let clauses = [By::Default, By::Type, By::Size].map(|by| (by, false));
    order::sort(&mut up, &clauses, default.as_deref());
    let (of_rfc, others) = select::by_rfcs("6890", &up)?;
    Ok(if private { of_rfc } else { others })
}

/// Returns all private or all public addresses of all interfaces.
fn every(scope: &mut Scope<'_, '_>, private: bool) -> Answer {
    let mut addresses = all(scope)?;
    order::sort(&mut addresses, &[By::Type, By::Size].map(|by| (by, false)), None);
    let (of_rfc, others) = select::by_rfcs("6890", &addresses)?;
    if !private {
        return Ok(ips(others));
    }
    let forwarded = |one: &IfAddr| rfc::holds(rfc::NOT_FORWARDED, one.address) == Some(false);
    Ok(ips(of_rfc.into_iter().filter(forwarded)))
}

/// Returns the addresses of the interfaces whose name matches: the first that can be reached from elsewhere, or all.
fn named(scope: &mut Scope<'_, '_>, args: &[Value], only_first: bool) -> Answer {
    let regex = expression(scope, args, 0)?;
    let mut addresses = all(scope)?;
    addresses.retain(|one| regex.is_match(one.interface.name.as_bytes()));
    if only_first {
        addresses = select::by_flags("forwardable", addresses)?.0;
    }
    order::sort(&mut addresses, &[By::Type, By::Size].map(|by| (by, false)), None);
    Ok(ips(addresses.into_iter().take(if only_first { 1 } else { usize::MAX })))
}

fn ips(addresses: impl IntoIterator<Item = IfAddr>) -> Value {
    let ips: Vec<String> = addresses.into_iter().map(|one| one.address.ip().to_string()).collect();
    Value::text(ips.join(" "))
}

fn attr(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let Some(first) = first(args, 1)? else { return Ok(Value::text("")) };
    first.attribute(&name(args, 0)).map(Value::text)
}

fn join(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let attribute = name(args, 0);
    let texts = list(args, 2)?.iter().map(|one| one.attribute(&attribute)).collect::<Result<Vec<_>, _>>()?;
    Ok(Value::text(texts.join(&name(args, 1))))
}

fn math(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (operation, by) = (name(args, 0), name(args, 1));
    let moved = list(args, 2)?.into_iter().map(|one| {
        let address = math::apply(&operation, &by, one.address)?;
        Ok(IfAddr { address, ..one })
    });
    value(moved.collect::<Result<Vec<_>, FunctionError>>()?)
}

fn sort(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let clauses = order::clauses(&name(args, 0))?;
    let mut addresses = list(args, 1)?;
    let default = default_name(scope)?;
    order::sort(&mut addresses, &clauses, default.as_deref());
    value(addresses)
}
