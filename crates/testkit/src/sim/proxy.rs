//! A proxy between the client and the server, which answers for the server now and then: an ingress without a backend,
//! a login page, a mesh. What it says goes through the rule at the wire, [`verdict::judge`], as any answer does.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::Response;
use leasehold_core::action::{Action, Question};
use leasehold_core::event::{Event, Granted};
use leasehold_vault::facts;
use leasehold_vault::verdict::{self, Answer, Asked, Unspoken};
use std::time::Duration;

use super::dice::Dice;
use super::driver::Load;
use super::network::{Call, failed};
use super::server::Value;
use super::setup::Setup;
use super::world::World;

/// The version of a value that the server never had, because it came with a proxy's answer.
pub const FOREIGN: u64 = u64::MAX;

/// How many of a hundred answers name a time for the next try, among the answers that may do so.
const LATER: u64 = 70;

/// Which requests a proxy answers, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interference {
    pub reach: Reach,
    pub page: Page,
}

/// The requests that do not reach the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    All,
    /// Reads of one path, and the question which mount it is on.
    Path(String),
    Kind(Asking),
}

/// The kinds of requests, as a proxy can tell them apart by their paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    Login,
    LookUp,
    RenewToken,
    Resolve,
    Read,
    Wrap,
    Renew,
    Revoke,
    Probe,
}

/// An answer that the server did not give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub status: u16,
    pub body: Body,
    /// The value of `Retry-After`, in seconds.
    pub retry_after: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Html,
    Text,
    Empty,
    /// The API's JSON, which broke off.
    Cut,
    /// JSON that is not the API's.
    Foreign,
    /// The API's envelope, with nothing in it.
    Bare,
    /// The API's own words for a denial. A proxy that says so cannot be told from the server.
    Denial,
}

impl Body {
    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Html => b"<html><body><h1>404 Not Found</h1></body></html>",
            Self::Text => b"default backend - 404",
            Self::Empty => b"",
            Self::Cut => br#"{"request_id":"f1","lease_id":"","data":{"#,
            Self::Foreign => br#"{"message":"no Route matched with those values","code":404}"#,
            Self::Bare => br#"{"request_id":"f1","lease_id":"","lease_duration":0,"data":null}"#,
            Self::Denial => br#"{"errors":["permission denied"]}"#,
        }
    }
}

impl Interference {
    /// Draws an interference whose answer shows by its form that the server did not give it.
    pub fn random(setup: &Setup, dice: &mut Dice) -> Self {
        const KINDS: [Asking; 9] = [
            Asking::Login,
            Asking::LookUp,
            Asking::RenewToken,
            Asking::Resolve,
            Asking::Read,
            Asking::Wrap,
            Asking::Renew,
            Asking::Revoke,
            Asking::Probe,
        ];
        let index = usize::try_from(dice.below(setup.paths.len() as u64)).expect("small");
        let reach = match dice.below(4) {
            0 => Reach::Path(setup.paths[index].0.clone()),
            1 | 2 => Reach::Kind(dice.pick(&KINDS)),
            _ => Reach::All,
        };
        Self { reach, page: Page::random(dice) }
    }

    /// Returns the interference of a mesh that knows the API and denies everything.
    pub fn mesh() -> Self {
        Self { reach: Reach::All, page: Page { status: 403, body: Body::Denial, retry_after: None } }
    }

    /// Returns whether the proxy's answer cannot be told from the server's own.
    pub fn is_genuine(&self) -> bool {
        self.page.body == Body::Denial
    }

    pub fn reaches(&self, action: &Action) -> bool {
        match &self.reach {
            Reach::All => true,
            Reach::Kind(kind) => asking(action) == Some(*kind),
            Reach::Path(path) => match action {
                Action::Ask(Question::Resolve { request, .. })
                | Action::Ask(Question::Read { request, .. }) => {
                    request.path == *path || request.path == path.replacen("/data/", "/", 1)
                }
                _ => false,
            },
        }
    }
}

impl Page {
    fn random(dice: &mut Dice) -> Self {
        let status = dice.pick(&[200, 200, 204, 400, 403, 404, 404, 405, 429, 502, 503, 503]);
        let body = match status {
            204 => Body::Empty,
            200 if dice.chance(30) => Body::Bare,
            _ => dice.pick(&[Body::Html, Body::Text, Body::Empty, Body::Cut, Body::Foreign]),
        };
        // From a second to a day, each order of magnitude as often.
        let wait = 10_u64.pow(u32::try_from(dice.below(5)).expect("small")) * (1 + dice.below(9));
        let later = matches!(status, 429 | 503) && dice.chance(LATER);
        Self { status, body, retry_after: later.then_some(wait.min(86_400)) }
    }

    fn answer(&self) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        let status = StatusCode::from_u16(self.status).expect("a status");
        Answer { status, headers, body: self.body.bytes().to_vec().into() }
    }
}

/// Returns which kind of request the action is, or `None` if it is no request.
pub fn asking(action: &Action) -> Option<Asking> {
    Some(match action {
        Action::Ask(Question::LogIn(_)) => Asking::Login,
        Action::Ask(Question::LookUp(_)) => Asking::LookUp,
        Action::Ask(Question::RenewToken(_)) => Asking::RenewToken,
        Action::Ask(Question::Resolve { .. }) => Asking::Resolve,
        Action::Ask(Question::Read { .. }) => Asking::Read,
        Action::Ask(Question::Wrap { .. }) => Asking::Wrap,
        Action::Ask(Question::Renew { .. }) => Asking::Renew,
        Action::Ask(Question::RevokeLease { .. }) | Action::Ask(Question::RevokeToken(_)) => Asking::Revoke,
        Action::Ask(Question::Probe) => Asking::Probe,
        _ => return None,
    })
}

/// Returns the same kind in the words of the rule at the wire.
fn asked(kind: Asking) -> Asked {
    match kind {
        Asking::Login => Asked::Login,
        Asking::LookUp => Asked::LookUp,
        Asking::RenewToken => Asked::RenewSelf,
        Asking::Resolve => Asked::Mounts,
        Asking::Read => Asked::Read,
        Asking::Wrap => Asked::Wrap,
        Asking::Renew => Asked::Renew,
        Asking::Revoke => Asked::Revoke,
        Asking::Probe => Asked::Health,
    }
}

impl World {
    /// Returns a proxy's answer to a request that does not reach the server.
    pub(super) fn interfere(&mut self, call: &Call) -> Option<(Event, Load)> {
        let page = self.faults.iter().find_map(|fault| match fault {
            super::faults::Fault::Proxy(proxy) if proxy.reaches(&call.action) => Some(proxy.page.clone()),
            _ => None,
        })?;
        let kind = asking(&call.action)?;
        let sent = self.boot.moment(call.sent);
        match verdict::judge(&page.answer(), asked(kind), &Unspoken(Vec::new())) {
            Ok(response) => self.believe(call, &response),
            Err(failure) => {
                match (failure.kind, kind) {
                    (FailureKind::Refused, Asking::Login) if page.body == Body::Denial => {
                        self.server.turned_away = Some(self.now);
                    }
                    (FailureKind::Unheard, _) => self.note_lost_login(call, self.now),
                    _ => {}
                }
                Some((failed(call, sent, failure)?, Load::Nothing))
            }
        }
    }

    /// Returns what the client makes of an answer that the rule takes for a success.
    fn believe(&mut self, call: &Call, response: &Response) -> Option<(Event, Load)> {
        let sent = self.boot.moment(call.sent);
        let nothing = |event| Some((event, Load::Nothing));
        match call.action.clone() {
            Action::Ask(Question::Probe) => nothing(Event::Probed(Ok(()))),
            Action::Ask(Question::LookUp(token)) => {
                let result = Ok(facts::token(&facts::looked_up(&response.data)));
                nothing(Event::LookedUp { token, sent, result })
            }
            Action::Ask(Question::RenewToken(token)) if response.auth.is_some() => {
                let result = Ok(Granted { ttl: Duration::ZERO, renewable: false });
                nothing(Event::TokenRenewed { token, sent, result })
            }
            // "No content" is what the server itself says to these.
            Action::Ask(Question::RevokeToken(token)) => {
                self.checks.note_kill(true);
                nothing(Event::TokenRevoked { token, result: Ok(()) })
            }
            Action::Ask(Question::RevokeLease { lease, .. }) => {
                self.checks.note_kill(true);
                nothing(Event::LeaseRevoked { lease, result: Ok(()) })
            }
            Action::Ask(Question::Resolve { secret, request, .. }) => {
                nothing(Event::Resolved { secret, result: Ok(request.as_ref().clone()) })
            }
            Action::Ask(Question::Read { secret, token, request }) => {
                let value = Value { version: FOREIGN, lease: None, bad: false };
                let load = Load::Value { path: request.path.clone(), value };
                Some((Event::Read { secret, token, sent, result: Ok(facts::read(response, None)) }, load))
            }
            Action::Ask(Question::Renew { secret, lease, .. }) => {
                nothing(Event::Renewed { secret, lease, sent, result: Ok(facts::granted(response)) })
            }
            _ => {
                let failure = Failure::new(FailureKind::Nonsense, "the answer has no token");
                Some((failed(call, sent, failure)?, Load::Nothing))
            }
        }
    }
}
