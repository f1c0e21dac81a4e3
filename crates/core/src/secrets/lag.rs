//! Denials that are put down to a standby that does not know a fresh login yet.

use crate::interface::ids::TokenId;

/// How many denials in a row were put down to a standby that lags behind a login.
#[derive(Debug, Default)]
pub(crate) struct Lag {
    /// The login.
    of: Option<TokenId>,
    pub(crate) tries: u32,
}

impl Lag {
    /// Counts for this login from now on. Returns whether it counted for another.
    pub(crate) fn follows(&mut self, login: Option<TokenId>) -> bool {
        let another = self.of != login;
        if another {
            *self = Self { of: login, tries: 0 };
        }
        another
    }

    /// Records that the login has another number now.
    pub(crate) fn renamed(&mut self, old: TokenId, new: TokenId) {
        if self.of == Some(old) {
            self.of = Some(new);
        }
    }
}
