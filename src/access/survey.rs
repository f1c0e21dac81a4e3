//! Compares what a plan wants with what a login may really do. It mints nothing: it reads secrets only of KV
//! engines, where reading leaves no trace but in the audit log.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::rules::{self, Rule};
use super::turns::Turns;
use super::wants::{Want, Wants};
use crate::config::foreign::Keys;
use crate::config::plan::{AuthMethod, AuthPlan, Plan, Source, VariableSource};
use crate::core::no_login;
use crate::exit::{Cause, Ending};
use crate::secret::Secret;
use crate::vault::client::Client;
use crate::vault::mounts::{Mount, canonical};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::{Request, Verb};

/// The number of paths that one question is about.
const BATCH: usize = 100;

/// The state of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It is granted, and there as far as that can be known.
    Works,
    /// The policy does not grant it.
    Denied,
    /// A store that is no Vault does not let us read it: why. No policy's line would grant it.
    Refused(Failure),
    /// It is granted, and not there: why.
    Missing(Failure),
    /// A store that is no Vault does not answer, or not now: why.
    Away(Failure),
}

/// A path, or what stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rules that have to be granted. There are two forms if the server does not tell which one it is.
    pub rules: Vec<Rule>,
    /// The capabilities that are granted, in the server's words, for the first of the rules.
    pub has: Vec<String>,
    /// The state of the path.
    pub state: State,
    /// True if a file or variable cannot be without it. The others end by themselves, or in time.
    pub vital: bool,
}

/// Logs in, asks about everything, and revokes the login.
///
/// # Errors
/// 77 if the login is refused, or may not ask what it may do; 69 if the server is away; 78 if asking would use up a
/// credential that the real run needs.
pub async fn survey(
    plan: &Plan,
    wants: &Wants,
    variables: &BTreeMap<String, Secret>,
) -> Result<Vec<Finding>, Ending> {
    with_login(plan, variables, async |surveyor| surveyor.look(plan, wants).await).await
}

/// Logs in, asks for the keys of the secrets that become variables as a whole, and revokes the login. Only secrets
/// of KV engines are read, because reading others would mint something.
///
/// # Errors
/// As above, and 66 if a secret is not there.
pub async fn keys_of(plan: &Plan, variables: &BTreeMap<String, Secret>) -> Result<Keys, Ending> {
    let wanted = plan.exec.env.iter().filter_map(|variable| match &variable.source {
        VariableSource::Made(Source::Json { request }) if variable.spread.is_some() => Some(request),
        _ => None,
    });
    let wanted: Vec<&Request> = wanted.collect();
    with_login(plan, variables, async |surveyor| surveyor.keys(&wanted).await).await
}

/// Returns what `ask` finds out with a login, which is revoked afterwards.
async fn with_login<T>(
    plan: &Plan,
    variables: &BTreeMap<String, Secret>,
    ask: impl AsyncFnOnce(&Surveyor<'_>) -> Result<T, Ending>,
) -> Result<T, Ending> {
    if matches!(plan.auth.method, AuthMethod::AppRole { wrapped_by: Some(_), .. }) {
        let what = "a login would use up the wrapping token that `auth.secret_id_wrapped` is about";
        let hint = "lay another `auth` of the same role over this one: --config own.yaml --config other.yaml";
        return Err(Ending::new(Cause::Config, what, hint));
    }
    // With a wrapped login, nothing could be asked.
    let auth = AuthPlan { wrap_ttl: None, ..plan.auth.clone() };
    let client = Client::new(&plan.vault, &auth).map_err(|failure| {
        let hint = failure.hint("check the files that `vault` names");
        Ending::new(Cause::Config, failure.why, hint)
    })?;
    let client = client.within(variables);
    let turns = Turns::new(plan.vault.rate_limit);
    turns.next().await;
    let token = client.login().await.map_err(|failure| no_login(&failure, &plan.auth.advice()))?.client_token;
    let surveyor = Surveyor { client: &client, token: &token, at_once: plan.vault.max_in_flight, turns };
    let result = ask(&surveyor).await;
    if auth.owns_token()
        && let Err(failure) = client.revoke_self(&token).await
    {
        tracing::warn!("could not revoke the login of this command, which ends by itself: {failure}");
    }
    result
}

struct Surveyor<'s> {
    client: &'s Client,
    token: &'s Secret,
    /// The number of questions that may be under way.
    at_once: usize,
    /// When each may be asked. As in a run, the question what a path is mounted on needs no turn.
    turns: Turns,
}

/// A request with what has to be granted for it: a want with the mount that it is on, or the upkeep of the login.
struct Asked<'w> {
    want: Option<(&'w Want, Option<Mount>)>,
    rules: Vec<Rule>,
}

impl Surveyor<'_> {
    async fn look(&self, plan: &Plan, wants: &Wants) -> Result<Vec<Finding>, Ending> {
        let asked = self.asked(plan, wants).await?;
        let paths: Vec<&str> =
            asked.iter().flat_map(|asked| &asked.rules).map(|rule| rule.path.as_str()).collect();
        let granted = self.granted(&paths).await?;
        let findings = stream::iter(asked).map(|asked| self.finding(asked, &granted));
        findings.buffered(self.at_once).try_collect().await
    }

    /// Returns the names of the keys of KV secrets, by their paths.
    async fn keys(&self, wanted: &[&Request]) -> Result<Keys, Ending> {
        let mut keys = Keys::new();
        for request in wanted {
            let mount = self.client.mount_of(&request.path, self.token).await;
            let mount = mount.map_err(|failure| unanswered(&request.path, &failure))?;
            if !mount.as_ref().is_some_and(Mount::is_kv) {
                continue;
            }
            let answer = async {
                let resolved = self.client.resolve(request, self.token).await?;
                self.turns.next().await;
                self.client.read(&resolved, self.token).await
            };
            let answer = answer.await.map_err(|failure| unread(&request.path, &failure))?;
            let fields = answer.kv2_fields().unwrap_or(&answer.data).as_map();
            let names = fields.into_iter().flat_map(|map| map.iter().map(|(key, _)| key.to_owned()));
            keys.insert(request.path.clone(), names.collect());
        }
        Ok(keys)
    }

    /// Returns everything that there is to ask about, as soon as it is known what it is mounted on.
    async fn asked<'w>(&self, plan: &Plan, wants: &'w Wants) -> Result<Vec<Asked<'w>>, Ending> {
        let mounted = stream::iter(&wants.known).map(|want| async move {
            let mount = self.client.mount_of(&want.path, self.token).await;
            mount.map(|mount| (want, mount)).map_err(|failure| unanswered(&want.path, &failure))
        });
        let mounted: Vec<(&Want, Option<Mount>)> = mounted.buffered(self.at_once).try_collect().await?;
        let leased = |(want, mount): &(&Want, Option<Mount>)| {
            want.verb != Verb::List && !mount.as_ref().is_some_and(Mount::is_kv)
        };
        let leases = !wants.unknown.is_empty() || mounted.iter().any(leased);
        let upkeep = rules::for_upkeep(plan, wants, leases).into_iter();
        let wanted = mounted.into_iter().map(|(want, mount)| {
            let rules = rules::for_want(want, mount.as_ref());
            Asked { want: Some((want, mount)), rules }
        });
        Ok(wanted.chain(upkeep.map(|rule| Asked { want: None, rules: vec![rule] })).collect())
    }

    async fn finding(
        &self,
        asked: Asked<'_>,
        granted: &BTreeMap<String, Vec<String>>,
    ) -> Result<Finding, Ending> {
        let Asked { want, rules } = asked;
        // If the server does not say what the mount is, the path is asked for as it is written.
        let has = granted.get(&rules[0].path).cloned().unwrap_or_default();
        let mut state = if rules[0].is_granted(&has) { State::Works } else { State::Denied };
        if let (Some((want, Some(mount))), State::Works) = (&want, &state) {
            state = self.presence(want, mount).await?;
        }
        let vital = want.is_some() || rules[0].path == "sys/wrapping/wrap";
        Ok(Finding { rules, has, state, vital })
    }

    /// Returns what the token may do, by path.
    async fn granted(&self, paths: &[&str]) -> Result<BTreeMap<String, Vec<String>>, Ending> {
        let mut granted = BTreeMap::new();
        // Its own permissions are those of the namespace that made it.
        let (own, others): (Vec<&str>, Vec<&str>) =
            paths.iter().partition(|path| path.starts_with("auth/token/"));
        for (paths, own) in [(own, true), (others, false)] {
            for batch in paths.chunks(BATCH) {
                self.turns.next().await;
                let answer = self.client.capabilities(batch, own, self.token).await;
                granted.extend(answer.map_err(|failure| match failure.kind {
                    FailureKind::Denied => {
                        let hint = "grant update on sys/capabilities-self, as the default policy does";
                        Ending::new(Cause::Denied, "the login may not ask what it may do", hint)
                    }
                    _ => unanswered("sys/capabilities-self", &failure),
                })?);
            }
        }
        Ok(granted)
    }

    /// Returns whether a readable secret exists and has the wanted keys. It reads only secrets of KV engines,
    /// because reading one of another engine would make it.
    async fn presence(&self, want: &Want, mount: &Mount) -> Result<State, Ending> {
        if want.verb != Verb::Read || !mount.is_kv() {
            return Ok(State::Works);
        }
        for (request, keys) in &want.requests {
            let resolved: Request = canonical(request, mount);
            self.turns.next().await;
            let response = match self.client.read(&resolved, self.token).await {
                Ok(response) => response,
                Err(failure) => match failure.kind {
                    FailureKind::Missing => return Ok(State::Missing(failure)),
                    FailureKind::Denied => return Ok(State::Denied),
                    _ => return Err(unanswered(&want.path, &failure)),
                },
            };
            let fields = response.kv2_fields().unwrap_or(&response.data);
            if let Some(key) = keys.iter().find(|key| fields.get(key).is_none()) {
                return Ok(State::Missing(no_key(key)));
            }
        }
        Ok(State::Works)
    }
}

fn unread(path: &str, failure: &Failure) -> Ending {
    let (cause, hint) = match failure.kind {
        FailureKind::Denied => (Cause::Denied, "grant the login access to it, or correct the path"),
        FailureKind::Missing => (Cause::Missing, failure.hint("create it, or correct the path")),
        _ => return unanswered(path, failure),
    };
    Ending::new(cause, format!("could not read {path}: {}", failure.why), hint)
}

fn unanswered(path: &str, failure: &Failure) -> Ending {
    let cause = if failure.kind.is_outage() || failure.kind == FailureKind::Redirected {
        Cause::Unavailable
    } else {
        Cause::Deadline
    };
    let hint = failure.hint("check the address, and the server's own log");
    Ending::new(cause, format!("could not ask about {path}: {}", failure.why), hint)
}

/// Returns the failure of a secret that is there without the wanted key.
pub(super) fn no_key(key: &str) -> Failure {
    Failure::new(FailureKind::Missing, format!("the secret has no key `{key}`"))
}
