//! `semver` and `semverCompare`: versions and what may be asked of them, as Masterminds' library
//! understands both.

mod constraint;

use std::any::Any;
use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use crate::function::{Function, FunctionError};
use crate::functions::arg::{Answer, fail, name};
use crate::value::{Object, Shape, Type, UintType, Value};
use constraint::Constraints;
use leasehold_base::secret::Secret;

const VERSION: Type = Type::Pointer("semver.Version");
const NUMBER: Type = Type::Uint(UintType::Uint64);

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_semver", &[Type::String], |_, args| match Version::parse(&name(args, 0)) {
        Some(version) => Ok(Value::Object(Rc::new(version))),
        None => fail("invalid semantic version"),
    })
    .returns(VERSION),
    Function::new("sprig_semverCompare", &[Type::String; 2], |_, args| {
        let Some(constraints) = Constraints::parse(&name(args, 0)) else {
            return fail("improper constraint");
        };
        let Some(version) = Version::parse(&name(args, 1)) else { return fail("invalid semantic version") };
        Ok(Value::Bool(constraints.allow(&version)))
    })
    .returns(Type::Bool),
];

static SHAPE: Shape = Shape { name: "semver.Version", pointer: true, fields: &[], methods: METHODS };

static METHODS: &[Function] = &[
    Function::new("Compare", &[VERSION], |_, args| Ok(Value::int(order(args)? as i64))).returns(Type::INT),
    Function::new("Equal", &[VERSION], |_, args| Ok(Value::Bool(order(args)?.is_eq()))).returns(Type::Bool),
    Function::new("GreaterThan", &[VERSION], |_, args| Ok(Value::Bool(order(args)?.is_gt())))
        .returns(Type::Bool),
    Function::new("GreaterThanEqual", &[VERSION], |_, args| Ok(Value::Bool(order(args)?.is_ge())))
        .returns(Type::Bool),
    Function::new("LessThan", &[VERSION], |_, args| Ok(Value::Bool(order(args)?.is_lt())))
        .returns(Type::Bool),
    Function::new("LessThanEqual", &[VERSION], |_, args| Ok(Value::Bool(order(args)?.is_le())))
        .returns(Type::Bool),
    Function::new("Major", &[], |_, args| number(args, 0)).returns(NUMBER),
    Function::new("Metadata", &[], |_, args| Ok(Value::text(version(args, 0)?.metadata.as_str())))
        .returns(Type::String),
    Function::new("Minor", &[], |_, args| number(args, 1)).returns(NUMBER),
    Function::new("Original", &[], |_, args| Ok(Value::text(version(args, 0)?.original.as_str())))
        .returns(Type::String),
    Function::new("Patch", &[], |_, args| number(args, 2)).returns(NUMBER),
    Function::new("Prerelease", &[], |_, args| Ok(Value::text(version(args, 0)?.pre.as_str())))
        .returns(Type::String),
    Function::new("String", &[], |_, args| Ok(Value::text(version(args, 0)?.to_string())))
        .returns(Type::String),
];

/// A semantic version.
struct Version {
    /// Major, minor, patch.
    numbers: [u64; 3],
    /// What is behind `-`; empty for a release.
    pre: String,
    /// What is behind `+`, which does not count in comparisons.
    metadata: String,
    original: String,
}

impl Version {
    /// Parses a version such as `v1.2.3-beta.1+build`. The minor number, the patch number and all that is behind them
    /// may be missing.
    fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let (bare, metadata) = split_off(bare, '+');
        let (bare, pre) = split_off(bare, '-');
        if [pre, metadata].into_iter().flatten().any(|dotted| !is_dotted(dotted)) {
            return None;
        }
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let parts: Vec<&str> = bare.split('.').collect();
        if parts.len() > 3 || !parts.iter().all(|part| digits(part)) {
            return None;
        }
        let mut numbers = [0; 3];
        for (number, part) in numbers.iter_mut().zip(&parts) {
            *number = part.parse().ok()?;
        }
        let leading_zero = |part: &str| part.len() > 1 && part.starts_with('0') && digits(part);
        let (pre, metadata) = (pre.unwrap_or_default(), metadata.unwrap_or_default());
        if pre.split('.').any(leading_zero) {
            return None;
        }
        Some(Self { numbers, pre: pre.into(), metadata: metadata.into(), original: text.into() })
    }

    fn compare(&self, other: &Self) -> Ordering {
        let pre = || match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            // A release comes behind what went before it.
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_pre(&self.pre, &other.pre),
        };
        self.numbers.cmp(&other.numbers).then_with(pre)
    }
}

/// Returns `text` up to the first `sign`, and the text behind the sign if there is one.
fn split_off(text: &str, sign: char) -> (&str, Option<&str>) {
    match text.split_once(sign) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    }
}

/// Returns whether `text` is words of letters, digits and hyphens with dots between them.
fn is_dotted(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split('.').all(word)
}

/// Compares two pre-releases part by part. Numbers are compared by their value and come before words. Words are
/// compared by their letters. A part that is missing comes before a part that is there.
fn compare_pre(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let (one, other) = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => (one, other),
        };
        let order = match (one.parse::<u64>(), other.parse::<u64>()) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => one.cmp(other),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        if !self.pre.is_empty() {
            write!(f, "-{}", self.pre)?;
        }
        if self.metadata.is_empty() { Ok(()) } else { write!(f, "+{}", self.metadata) }
    }
}

impl Object for Version {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn field(&self, _: usize) -> Value {
        Value::Nil
    }

    fn text(&self) -> Option<Secret> {
        Some(self.to_string().into())
    }

    fn encoded(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn version(args: &[Value], index: usize) -> Result<&Version, FunctionError> {
    let version = match args.get(index) {
        Some(Value::Object(object)) => object.as_any().downcast_ref::<Version>(),
        _ => None,
    };
    version.ok_or_else(|| FunctionError::new("nil pointer instead of a version"))
}

fn order(args: &[Value]) -> Result<Ordering, FunctionError> {
    Ok(version(args, 0)?.compare(version(args, 1)?))
}

fn number(args: &[Value], index: usize) -> Answer {
    Ok(Value::Uint(UintType::Uint64, version(args, 0)?.numbers[index]))
}
