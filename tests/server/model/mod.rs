//! The simulation is worth what its model server is. Here the model (`crates/testkit/src/sim/server.rs`) and a real
//! OpenBao are asked the same, by one script, and must answer alike: the same status, as the client's
//! classes have it, and the same lives of tokens and leases, to the second.
//!
//! What the model has and a single OpenBao does not show on demand, so that it is not compared: the lag of a
//! standby (a cluster shows it in `tests/real`); a server that is down or hangs, and what is lost on the
//! way, which are the network's; what an engine says whose backend is broken, which differs with the
//! engine and is drawn; static roles, which need a database; a login without an end, which only root has;
//! and a service token that is not renewable, which no login makes. A batch token can be revoked in the model
//! and not in OpenBao, which answers 400. A wrapped login that somebody else has
//! unwrapped is one bit in the model: here the server shows that a second unwrapping is refused.
//!
//! What OpenBao has and the model does not: policies finer than a path that is denied (every token here may
//! renew and revoke leases), versions of a secret other than the newest, namespaces, and engines that write.

mod both;
mod pretended;
mod real;

use std::time::Duration;

use leasehold_base::failure::FailureKind as K;
use serde_json::json;

use crate::support::OpenBao;
use both::{
    Ask, Both, CERTIFICATE, CERTIFICATE_LIFE, CREDENTIALS, Grants, KV, NEVER, Says, granted, lease, token,
};

#[test]
fn a_token_is_renewed_up_to_its_longest_life_and_denied_once_it_is_revoked() {
    let mut both = Both::new(Grants::tokens(20, 23));
    both.ask(Ask::LogIn, &token(20));
    both.pass(5);
    both.ask(Ask::LookUp(0), &token(15));
    both.ask(Ask::RenewToken(0), &granted(18));
    both.ask(Ask::LookUp(0), &token(18));
    both.ask(Ask::RevokeToken(0), &Ok(Says::Done));
    for ask in [Ask::LookUp(0), Ask::RenewToken(0), Ask::RevokeToken(0), Ask::Read(0, KV)] {
        both.refused(ask, K::Denied);
    }
}

#[test]
fn a_periodic_token_is_renewed_for_its_period_each_time() {
    let mut grants = Grants::tokens(20, 0);
    grants.role.max = None;
    let mut both = Both::new(grants);
    both.ask(Ask::LogIn, &token(20));
    both.pass(4);
    both.ask(Ask::RenewToken(0), &granted(20));
    both.ask(Ask::LookUp(0), &token(20));
}

#[test]
fn a_token_that_ends_or_is_revoked_takes_its_leases_with_it_and_no_others() {
    let mut both = Both::new(Grants::tokens(12, 12));
    both.ask(Ask::LogIn, &token(12));
    both.ask(Ask::Read(0, CREDENTIALS), &lease(60));
    both.pass(6);
    for (login, token_of) in [(1, 1), (2, 2)] {
        both.ask(Ask::LogIn, &token(12));
        both.ask(Ask::Read(token_of, CREDENTIALS), &lease(60));
        both.ask(Ask::Renew(token_of, login, 50), &granted(50));
    }
    both.revoke_behind(1);
    both.settled(2);
    both.refused(Ask::LookUp(1), K::Denied);
    both.refused(Ask::Renew(1, 1, 50), K::Denied);
    both.refused(Ask::Renew(2, 1, 50), K::Rejected);
    // The first login's end.
    both.settled(1);
    both.refused(Ask::Read(0, KV), K::Denied);
    both.ask(Ask::LogIn, &token(12));
    both.refused(Ask::Renew(3, 0, 50), K::Rejected);
    both.ask(Ask::RevokeToken(2), &Ok(Says::Done));
    both.settled(0);
    both.refused(Ask::Renew(3, 2, 50), K::Rejected);
}

#[test]
fn a_lease_is_renewed_from_now_on_and_cut_at_its_longest_life() {
    let mut both = Both::new(Grants { lease: (60, 100), ..Grants::tokens(600, 600) });
    both.ask(Ask::LogIn, &token(600));
    both.ask(Ask::Read(0, CREDENTIALS), &lease(60));
    both.ask(Ask::Renew(0, 0, 80), &granted(80));
    both.ask(Ask::Renew(0, 0, 30), &granted(30));
    both.pass(4);
    both.ask(Ask::Renew(0, 0, 1000), &granted(96));
    both.ask(Ask::RevokeLease(0, 0), &Ok(Says::Done));
    both.settled(0);
    both.refused(Ask::Renew(0, 0, 30), K::Rejected);
    both.ask(Ask::RevokeLease(0, 0), &Ok(Says::Done));
    both.refused(Ask::Renew(0, NEVER, 30), K::Rejected);
    both.ask(Ask::RevokeLease(0, NEVER), &Ok(Says::Done));
    both.ask(Ask::Read(0, CREDENTIALS), &lease(60));
    both.revoke_lease_behind(1);
    both.refused(Ask::Renew(0, 1, 30), K::Rejected);
}

#[test]
fn a_lease_that_is_granted_more_than_the_longest_life_is_cut_to_it_and_ends() {
    let mut both = Both::new(Grants { lease: (60, 5), ..Grants::tokens(600, 600) });
    both.ask(Ask::LogIn, &token(600));
    both.ask(Ask::Read(0, CREDENTIALS), &lease(5));
    both.ask(Ask::Renew(0, 0, 60), &granted(5));
    both.pass(7);
    both.settled(0);
    both.refused(Ask::Renew(0, 0, 60), K::Rejected);
}

#[test]
fn a_batch_token_is_not_renewed_and_its_leases_end_with_it() {
    let mut grants = Grants::tokens(100, 200);
    grants.role.batch = true;
    grants.role.renewable = false;
    grants.lease = (300, 600);
    let mut both = Both::new(grants);
    let batch = Ok(Says::Token { ttl: Some(100), renewable: false, batch: true, uses: None });
    both.ask(Ask::LogIn, &batch);
    both.ask(Ask::LookUp(0), &batch);
    both.refused(Ask::RenewToken(0), K::Rejected);
    both.ask(Ask::Read(0, CREDENTIALS), &lease(100));
    both.ask(Ask::Renew(0, 0, 50), &granted(50));
    both.ask(Ask::Renew(0, 0, 300), &granted(100));
    both.ask(Ask::LookUp(0), &batch);
}

#[test]
fn uses_are_counted_but_for_the_question_about_a_mount_and_the_last_takes_no_lease() {
    let mut grants = Grants::tokens(100, 200);
    grants.role.uses = Some(4);
    let mut both = Both::new(grants);
    let left = |uses| Ok(Says::Token { ttl: Some(100), renewable: true, batch: false, uses: Some(uses) });
    both.ask(Ask::LogIn, &left(4));
    both.ask(Ask::Resolve(0, "secret/web"), &Ok(Says::Path(KV.to_owned())));
    both.ask(Ask::LookUp(0), &left(3));
    both.ask(Ask::Read(0, KV), &Ok(Says::Version(1)));
    both.ask(Ask::Read(0, CREDENTIALS), &lease(60));
    both.refused(Ask::Read(0, CREDENTIALS), K::Rejected);
    both.refused(Ask::LookUp(0), K::Denied);
    both.settled(0);
}

#[test]
fn a_secret_is_read_in_its_newest_version_denied_and_missing() {
    let mut both = Both::new(Grants::tokens(600, 600));
    both.ask(Ask::LogIn, &token(600));
    both.ask(Ask::Resolve(0, "secret/web"), &Ok(Says::Path(KV.to_owned())));
    both.ask(Ask::Resolve(0, KV), &Ok(Says::Path(KV.to_owned())));
    both.ask(Ask::Resolve(0, CREDENTIALS), &Ok(Says::Path(CREDENTIALS.to_owned())));
    both.ask(Ask::Read(0, KV), &Ok(Says::Version(1)));
    both.put();
    both.ask(Ask::Read(0, KV), &Ok(Says::Version(2)));
    both.change("delete");
    both.refused(Ask::Read(0, KV), K::Missing);
    both.change("undelete");
    both.ask(Ask::Read(0, KV), &Ok(Says::Version(2)));
    both.deny(true);
    both.refused(Ask::Read(0, KV), K::Denied);
    both.ask(Ask::LookUp(0), &token(600));
    both.deny(false);
    both.change("destroy");
    both.refused(Ask::Read(0, KV), K::Missing);
    both.refused(Ask::Read(0, "secret/data/other"), K::Missing);
    both.ask(Ask::Read(0, CERTIFICATE), &Ok(Says::Ends(CERTIFICATE_LIFE)));
}

#[test]
fn a_token_without_the_default_policy_may_do_nothing_about_itself() {
    let mut grants = Grants::tokens(600, 600);
    grants.role.default_policy = false;
    let mut both = Both::new(grants);
    both.ask(Ask::LogIn, &token(600));
    for ask in [Ask::LookUp(0), Ask::RenewToken(0), Ask::RevokeToken(0)] {
        both.refused(ask, K::Denied);
    }
    both.ask(Ask::Read(0, KV), &Ok(Says::Version(1)));
    both.ask(Ask::Read(0, CREDENTIALS), &lease(60));
    both.ask(Ask::Renew(0, 0, 50), &granted(50));
}

#[test]
fn a_dead_token_is_told_nothing_of_a_mount() {
    let mut both = Both::new(Grants::tokens(600, 600));
    both.ask(Ask::LogIn, &token(600));
    both.revoke_behind(0);
    // As written: the read that follows is refused, and by that the core knows.
    both.ask(Ask::Resolve(0, "secret/web"), &Ok(Says::Path("secret/web".to_owned())));
    both.refused(Ask::Read(0, "secret/web"), K::Denied);
}

#[test]
fn a_sealed_server_answers_nothing_and_forgets_nothing() {
    let mut both = Both::new(Grants::tokens(600, 600));
    both.ask(Ask::Health, &Ok(Says::Done));
    both.ask(Ask::LogIn, &token(600));
    both.ask(Ask::Read(0, CREDENTIALS), &lease(60));
    both.seal();
    let asks = [Ask::Health, Ask::LogIn, Ask::LookUp(0), Ask::RenewToken(0), Ask::RevokeToken(0)];
    for ask in asks.into_iter().chain([Ask::Read(0, KV), Ask::Renew(0, 0, 50), Ask::RevokeLease(0, 0)]) {
        both.refused(ask, K::Unavailable);
    }
    both.refused(Ask::Resolve(0, "secret/web"), K::Unavailable);
    both.unseal();
    both.ask(Ask::Health, &Ok(Says::Done));
    both.ask(Ask::LookUp(0), &token(600));
    both.ask(Ask::Renew(0, 0, 50), &granted(50));
}

#[test]
fn too_many_requests_are_turned_away_and_health_is_not_counted() {
    let mut both = Both::new(Grants::tokens(600, 600));
    both.ask(Ask::LogIn, &token(600));
    both.exhaust_quota();
    for ask in [Ask::LogIn, Ask::LookUp(0), Ask::Read(0, KV)] {
        both.refused(ask, K::Overloaded(None));
    }
    both.ask(Ask::Health, &Ok(Says::Done));
}

#[test]
fn five_refused_logins_lock_good_credentials_out_too_for_the_lockout_and_no_longer() {
    let mut both = Both::new(Grants { lockout: Duration::from_secs(8), ..Grants::tokens(600, 600) });
    both.credentials(false);
    for _ in 0..4 {
        both.refused(Ask::LogIn, K::Refused);
    }
    both.credentials(true);
    both.ask(Ask::LogIn, &token(600));
    both.credentials(false);
    // Each within the time in which the one before it is remembered, all of them not.
    for _ in 0..5 {
        both.refused(Ask::LogIn, K::Refused);
        both.pass(2);
    }
    both.credentials(true);
    both.refused(Ask::LogIn, K::Refused);
    both.pass(8);
    both.ask(Ask::LogIn, &token(600));
}

#[test]
fn an_answer_is_unwrapped_once_as_the_model_has_it_of_a_login() {
    let server = OpenBao::start();
    let wrapped = server.ask_wrapped("POST", "auth/token/create", Some(json!({ "ttl": "5m" })), "60s").json();
    let by = wrapped["wrap_info"]["token"].as_str().expect("it is wrapped").to_owned();
    let unwrap = || server.ask_as(&by, "POST", "sys/wrapping/unwrap", None).status;
    assert_eq!((unwrap(), unwrap()), (200, 400), "400 where a login is meant is a refusal");
    let mut model = pretended::Pretended::new(&Grants::tokens(600, 600));
    model.server.wrapping_stolen = true;
    assert_eq!(model.answer(Ask::LogIn, Duration::ZERO), Err(K::Refused));
}
