//! What is known of one server: logins, tokens, what a refusal means, and whether it answers at all.

pub(crate) mod breaker;
pub(crate) mod doubt;
pub(crate) mod judge;
pub(crate) mod login;
pub(crate) mod logins;
pub(crate) mod mounts;
pub(crate) mod outage;
pub(crate) mod pauses;
pub(crate) mod session;
pub(crate) mod tokens;

use crate::interface::policy::Policy;
use crate::tools::dice::Dice;
use breaker::Breaker;
use judge::Judge;
use pauses::Pauses;
use session::Session;

/// What is known of one server.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Whether the server answers at all.
    pub(crate) breaker: Breaker,
    /// The pauses that the server asked for.
    pub(crate) pauses: Pauses,
    /// The logins, and the state of the next one.
    pub(crate) session: Session,
    /// What the server's refusals mean.
    pub(crate) judge: Judge,
}

impl Upstream {
    pub(crate) fn new(policy: &Policy, dice: Dice) -> Self {
        Self {
            breaker: Breaker::new(dice),
            pauses: Pauses::default(),
            session: Session::new(policy.locks_out),
            judge: Judge::new(policy.sees_token),
        }
    }
}
