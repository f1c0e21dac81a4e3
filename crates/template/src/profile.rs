//! Limits what a template may do if the program that renders it does not trust its author.
//!
//! The wall has two sides. The functions that reach the program are refused by name where a template is compiled, with
//! the reason. A template that was compiled so also carries the profile with it: every execution is bounded by the
//! profile's limits, and what still asks for the program's world ends the rendering. So no caller can forget either.

use std::sync::OnceLock;

use crate::error::{ExecError, ExecErrorKind, ParseError, Position};
use crate::eval::{self, MissingKey};
use crate::function::Functions;
use crate::functions;
use crate::host::{Host, HostError, Network, Request, Response, WallTime, WrittenFile};
use crate::limits::Limits;
use crate::value::Value;
use crate::{Secret, Template};

const ENVIRONMENT: &str = "it reads the environment of the program that renders; keep the value in Vault";
const FILES: &str = "it uses files of the program that renders; keep the value in Vault";
const NETWORK: &str = "it shows the network of the program that renders; write the address into the template";
const ZONES: &str = "it reads time-zone files of the program that renders; use sprig_date, which shows UTC";
const CLOCK: &str =
    "it reads the clock, so each rendering would differ without a cause; keep the time in Vault";
const DICE: &str = "it draws lots, so each rendering would differ without a cause; keep the value in Vault";

/// The functions that a pure template may not call, with the reason.
const IMPURE: &[(&str, &[&str])] = &[
    (ENVIRONMENT, &["env", "envOrDefault", "mustEnv", "sprig_env", "sprig_expandenv"]),
    (FILES, &["file", "writeToFile"]),
    (NETWORK, &["sockaddr"]),
    (ZONES, &["sprig_dateInZone", "sprig_date_in_zone", "sprig_htmlDateInZone"]),
    (CLOCK, &["sprig_ago", "sprig_now", "timestamp"]),
    (
        DICE,
        &[
            "sprig_randAlpha",
            "sprig_randAlphaNum",
            "sprig_randAscii",
            "sprig_randBytes",
            "sprig_randInt",
            "sprig_randNumeric",
            "sprig_shuffle",
            "sprig_uuidv4",
        ],
    ),
];

/// The bytes of text that a template may have.
const TEXT: usize = 64 << 10;

/// What a pure rendering may do: enough for any Secret of Kubernetes, which has 1 MiB at most, in well under a second.
/// The hash of a password counts as 4 MiB of text, so there may be seven.
const LIMITS: Limits = Limits { depth: 100, range: 10_000, output: 4 << 20, steps: 500_000, held: 8 << 20 };

/// Which functions a template may call, and what its renderings may do.
///
/// ```
/// use leasehold_template::Profile;
///
/// let error = Profile::pure().parse("web", br#"{{ env "HOME" }}"#, None).unwrap_err();
/// assert!(error.to_string().contains("function \"env\" not defined"));
/// assert!(error.advice().contains("the environment of the program that renders"));
/// assert!(Profile::pure().parse("web", br#"{{ "a" | toUpper }}"#, None).is_ok());
/// ```
#[derive(Debug)]
pub struct Profile {
    functions: Functions,
    limits: Limits,
    text: usize,
}

impl Profile {
    /// Returns the profile of templates that are functions of their secrets alone: the same secrets give the same bytes.
    /// They reach no environment, file, network, clock or time zone, and no random value except the salt of a
    /// password's hash, which the [`Host`] gives.
    pub fn pure() -> &'static Self {
        static PURE: OnceLock<Profile> = OnceLock::new();
        PURE.get_or_init(|| {
            let mut functions = functions::all().clone();
            for (why, names) in IMPURE {
                names.iter().for_each(|name| functions.forbid(name, why));
            }
            Self { functions, limits: LIMITS, text: TEXT }
        })
    }

    /// Returns the functions that a template may call besides Go's built-ins.
    #[must_use]
    pub const fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Returns what one rendering may do.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Parses a template as [`Template::parse`] does. Every execution of it keeps to the profile, whatever limits and
    /// host it is given.
    ///
    /// # Errors
    /// [`ParseError`] as there; also for a function that the profile refuses, with the reason as the hint, and for a
    /// text that is too long.
    pub fn parse(
        &self,
        name: &str,
        text: &[u8],
        delimiters: Option<(&str, &str)>,
    ) -> Result<Template, ParseError> {
        if text.len() > self.text {
            return Err(ParseError {
                name: name.to_owned(),
                position: Position { offset: 0, line: 1, column: 0 },
                line: 1,
                message: format!("the text has more than {} KiB", self.text >> 10),
                hint: Some("split it into several templates".to_owned()),
            });
        }
        let template = Template::parse(name, text, delimiters, &self.functions)?;
        Ok(Template { bounds: Some(self.limits), ..template })
    }
}

/// Executes a template that was compiled under a profile with these limits.
pub(crate) fn execute(
    template: &Template,
    data: Value,
    missing_key: MissingKey,
    (asked, most): (Limits, Limits),
    host: &mut dyn Host,
) -> Result<Secret, Box<ExecError>> {
    let mut fence = Fence { host, crossed: None };
    let result = eval::execute(template, data, missing_key, asked.within(most), &mut fence);
    match fence.crossed {
        // What the rendering made of the answer counts for nothing.
        Some(what) => Err(Box::new(ExecError {
            name: template.name().to_owned(),
            executing: template.name().to_owned(),
            at: None,
            message: format!("a template that is to be pure asks for {what}"),
            kind: ExecErrorKind::Other,
        })),
        None => result,
    }
}

/// Lets questions for secrets through, and the salt of a hash. Everything else ends the rendering.
struct Fence<'h> {
    host: &'h mut dyn Host,
    /// What was asked for that is beyond it.
    crossed: Option<&'static str>,
}

impl Fence<'_> {
    fn refuse(&mut self, what: &'static str) -> HostError {
        self.crossed.get_or_insert(what);
        HostError(format!("a template that is to be pure asks for {what}"))
    }
}

impl Host for Fence<'_> {
    fn ask(&mut self, request: &Request) -> Result<Option<Response>, HostError> {
        self.host.ask(request)
    }

    fn env(&mut self, _: &str) -> Option<Secret> {
        self.refuse("the environment");
        None
    }

    fn file(&mut self, _: &str) -> Result<Option<Secret>, HostError> {
        Err(self.refuse("a file"))
    }

    fn now(&mut self) -> WallTime {
        self.refuse("the clock");
        WallTime { seconds: 0, nanoseconds: 0 }
    }

    /// Returns no zone. The zone of the machine is not shown, so dates are in UTC; any other zone is refused.
    fn zone(&mut self, name: &str) -> Option<Vec<u8>> {
        if name != "Local" {
            self.refuse("a time zone");
        }
        None
    }

    fn network(&mut self) -> Result<Network, HostError> {
        Err(self.refuse("the network"))
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.host.random(bytes);
    }

    fn write(&mut self, _: WrittenFile) -> Result<(), HostError> {
        Err(self.refuse("a file to write"))
    }
}

#[cfg(test)]
mod tests;
