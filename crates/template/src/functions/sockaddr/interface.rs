//! One address of an interface as a template sees it: go-sockaddr's `IfAddr` and its attributes.

use std::any::Any;
use std::rc::Rc;

use super::address::Address;
use crate::function::{Function, FunctionError};
use crate::functions::arg::{Answer, fail, name};
use crate::host::{Interface, Network};
use crate::value::{List, Object, Shape, Type, UintType, Value};
use leasehold_base::secret::Secret;

/// An address, and the interface that has it.
#[derive(Debug, Clone)]
pub(super) struct IfAddr {
    pub(super) address: Address,
    pub(super) interface: Rc<Interface>,
}

static SHAPE: Shape = Shape {
    name: "sockaddr.IfAddr",
    pointer: false,
    fields: &["SockAddr", "Interface", "Index", "MTU", "Name", "HardwareAddr", "Flags"],
    methods: METHODS,
};

static METHODS: &[Function] = &[
    Function::new("Attr", &[Type::String], |_, args| {
        one(args, 0)?.attribute(&name(args, 1)).map(Value::text)
    })
    .returns(Type::String),
    Function::new("String", &[], |_, args| Ok(Value::text(one(args, 0)?.to_string()))).returns(Type::String),
];

/// What is only there to be printed: a Go type with a method `String`, or a struct of such.
struct Shown(&'static Shape, String);

static SOCK_ADDR: Shape = shown("sockaddr.IPAddr");
static INTERFACE: Shape = shown("net.Interface");
static HARDWARE: Shape = shown("net.HardwareAddr");
static FLAGS: Shape = shown("net.Flags");

const fn shown(name: &'static str) -> Shape {
    Shape { name, pointer: false, fields: &[], methods: &[] }
}

impl Object for Shown {
    fn shape(&self) -> &'static Shape {
        self.0
    }

    fn field(&self, _: usize) -> Value {
        Value::Nil
    }

    fn text(&self) -> Option<Secret> {
        Some(self.1.as_str().into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Go's names of its flags, by bit.
const FLAG_NAMES: [&str; 6] = ["up", "broadcast", "loopback", "pointtopoint", "multicast", "running"];

fn flags(interface: &Interface) -> String {
    let set = FLAG_NAMES.iter().enumerate().filter(|(bit, _)| interface.flags >> bit & 1 == 1);
    let names: Vec<&str> = set.map(|(_, name)| *name).collect();
    if names.is_empty() { "0".to_owned() } else { names.join("|") }
}

fn hardware(interface: &Interface) -> String {
    let pairs: Vec<String> = interface.hardware.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

fn whole(interface: &Interface) -> String {
    let Interface { index, mtu, name, .. } = interface;
    format!("{{{index} {mtu} {name} {} {}}}", hardware(interface), flags(interface))
}

impl std::fmt::Display for IfAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.address, whole(&self.interface))
    }
}

impl Object for IfAddr {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn field(&self, index: usize) -> Value {
        let shown = |shape, text| Value::Object(Rc::new(Shown(shape, text)));
        match index {
            0 => shown(&SOCK_ADDR, self.address.to_string()),
            1 => shown(&INTERFACE, whole(&self.interface)),
            2 => Value::int(self.interface.index.into()),
            3 => Value::int(self.interface.mtu.into()),
            4 => Value::text(self.interface.name.as_str()),
            5 => shown(&HARDWARE, hardware(&self.interface)),
            _ => shown(&FLAGS, flags(&self.interface)),
        }
    }

    fn text(&self) -> Option<Secret> {
        Some(self.to_string().into())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl IfAddr {
    /// Returns every address of the machine, in the system's order.
    pub(super) fn all(network: &Network) -> Vec<Self> {
        let of = |interface: &Interface| {
            let shared = Rc::new(interface.clone());
            let addresses = interface.addresses.iter();
            addresses
                .filter_map(|(ip, prefix)| Address::new(*ip, *prefix))
                .map(|address| Self { address, interface: Rc::clone(&shared) })
                .collect::<Vec<_>>()
        };
        network.interfaces.iter().flat_map(of).collect()
    }

    /// Returns the attribute called `name`, whatever the case of that name.
    pub(super) fn attribute(&self, name: &str) -> Result<String, FunctionError> {
        let address = self.address;
        let alone = |bits| address.host(bits).to_string();
        let width = if address.v6 { 128 } else { 32 };
        Ok(match (name.to_lowercase().as_str(), address.v6) {
            ("flags", _) => flags(&self.interface),
            ("name", _) => self.interface.name.clone(),
            ("address" | "host", _) => alone(address.bits),
            ("binary", _) => format!("{:0width$b}", address.bits),
            ("hex", _) => format!("{:0width$x}", address.bits, width = width / 4),
            ("first_usable", _) => alone(address.first_usable()),
            ("last_usable", _) => alone(address.last_usable()),
            ("mask_bits", _) => address.prefix().to_string(),
            ("netmask", _) => alone(address.mask),
            ("network", _) => alone(address.first()),
            ("octets", _) => octets(address),
            // Interfaces have no port.
            ("port", _) => "0".to_owned(),
            ("size", _) => size(address),
            ("broadcast", false) => alone(address.last()),
            ("uint32", false) | ("uint128", true) => address.bits.to_string(),
            ("string", _) => address.to_string(),
            ("type", v6) => if v6 { "IPv6" } else { "IPv4" }.to_owned(),
            _ => return fail("unsupported attribute name"),
        })
    }
}

fn octets(address: Address) -> String {
    let bytes = address.bits.to_be_bytes();
    let bytes = if address.v6 { &bytes[..] } else { &bytes[12..] };
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(" ")
}

/// Returns how many addresses the network has.
fn size(address: Address) -> String {
    match 1_u128.checked_shl(address.width() - address.prefix()) {
        Some(size) => size.to_string(),
        None => "340282366920938463463374607431768211456".to_owned(),
    }
}

/// Returns the addresses that the argument at `index` lists.
pub(super) fn list(args: &[Value], index: usize) -> Result<Vec<IfAddr>, FunctionError> {
    let of = |value: &Value| match value {
        Value::Object(object) => object.as_any().downcast_ref::<IfAddr>().cloned(),
        _ => None,
    };
    let items = match args.get(index) {
        Some(Value::List(list)) => list.items().iter().map(of).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    items.ok_or_else(|| FunctionError::new("the last argument is no list of addresses"))
}

/// Returns the address that the argument at `index` is.
fn one(args: &[Value], index: usize) -> Result<IfAddr, FunctionError> {
    match args.get(index) {
        Some(Value::Object(object)) => object.as_any().downcast_ref::<IfAddr>().cloned(),
        _ => None,
    }
    .ok_or_else(|| FunctionError::new("the argument is no address"))
}

/// Returns the first of the addresses that the argument at `index` lists, or the single address that the argument is.
pub(super) fn first(args: &[Value], index: usize) -> Result<Option<IfAddr>, FunctionError> {
    match args.get(index) {
        Some(Value::List(_)) => Ok(list(args, index)?.into_iter().next()),
        _ => one(args, index).map(Some),
    }
}

/// Makes a value of addresses.
pub(super) fn value(addresses: impl IntoIterator<Item = IfAddr>) -> Answer {
    let items = addresses.into_iter().map(|address| Value::Object(Rc::new(address)) as Value);
    Ok(Value::List(List::new(SHAPE.type_of(), items.collect())))
}

/// Go's `uint`, as `limit` takes it.
pub(super) const UINT: Type = Type::Uint(UintType::Uint);
