//! What asks for a login, and what counts as a refused one.

use super::hand::{Hand, leased, policy, settled_by};
use crate::interface::action::{Action, Question};
use crate::interface::event::Event;
use crate::interface::policy::{Mode, Policy};
use leasehold_base::failure::{Failure, FailureKind};

fn logs_in(seen: &[Action]) -> bool {
    seen.iter().any(|action| matches!(action, Action::Ask(Question::LogIn(_))))
}

/// The server renews a token only for the certificate that logged in.
#[test]
fn a_changed_certificate_means_a_login_at_once_where_the_token_is_bound_to_it() {
    for bound in [true, false] {
        let policy = Policy { binds_certificate: bound, ..policy(Mode::Daemon, 1) };
        let mut hand = settled_by(policy, leased("l", 3600));
        assert_eq!(logs_in(&hand.give(Event::CertificateChanged)), bound);
    }
}

#[test]
fn a_token_that_a_sink_showed_is_replaced_where_it_is_ours() {
    for ours in [true, false] {
        let policy = Policy { owns_token: ours, ..policy(Mode::Daemon, 1) };
        let mut hand = settled_by(policy, leased("l", 3600));
        assert_eq!(logs_in(&hand.give(Event::Exposed)), ours);
    }
}

/// The server may have refused and counted a login whose answer was lost.
#[test]
fn a_login_without_an_answer_counts_as_refused_after_one_that_was_where_accounts_are_locked() {
    for locks_out in [true, false] {
        let mut hand = Hand::new(Policy { locks_out, ..policy(Mode::Daemon, 1) });
        let mut seen = hand.give(Event::Start { kept: None, rebooted: false });
        let (mut tries, begin) = (0, hand.millis);
        while hand.millis - begin < 600_000 {
            let asked = seen.iter().find_map(|action| match action {
                Action::Ask(Question::LogIn(token)) => Some(*token),
                _ => None,
            });
            let probed = seen.contains(&Action::Ask(Question::Probe));
            seen = match asked {
                Some(token) => {
                    tries += 1;
                    let kind = if tries == 1 { FailureKind::Refused } else { FailureKind::Unheard };
                    let (sent, result) = (hand.now().moment, Err(Failure::new(kind, "why")));
                    hand.give(Event::LoggedIn { token, sent, result })
                }
                None if probed => hand.give(Event::Probed(Ok(()))),
                None => hand.sleep(),
            };
        }
        assert_eq!(tries == 3, locks_out, "{tries} logins");
    }
}
