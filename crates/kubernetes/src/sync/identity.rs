//! The login that secrets are read with. There is one engine for each.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use leasehold::config::plan::{AuthMethod, AuthPlan};
use leasehold_base::secret::Secret;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use super::desk::Message;
use crate::cluster::Cluster;

/// The mount of logins, and the audience of tokens, where none is named. A login is named without them.
pub(crate) const MOUNT: &str = "kubernetes";
pub(crate) const AUDIENCE: &str = "vault";
/// The life that a token is requested for. The API server may grant another.
const LIFE: Duration = Duration::from_secs(3600);
/// The pause after a refusal.
const AGAIN: Duration = Duration::from_secs(10);

/// The owner of a login.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Identity {
    /// The controller, with whose login SecretDefinitions are read.
    Controller,
    /// A service account, with a token that is requested for it.
    Account { namespace: String, account: String, role: String, mount: String, audience: String },
}

impl Identity {
    /// Returns the identity as a handoff notes it.
    pub(crate) fn kept(&self) -> Value {
        match self {
            Self::Controller => json!("controller"),
            Self::Account { namespace, account, role, mount, audience } => json!({
                "namespace": namespace, "account": account, "role": role, "mount": mount, "audience": audience,
            }),
        }
    }

    /// Returns whether definitions with this login can be in a namespace.
    pub(crate) fn is_used_in(&self, namespace: &str) -> bool {
        match self {
            Self::Controller => true,
            Self::Account { namespace: own, .. } => own == namespace,
        }
    }

    /// Returns a seed that spreads the engines of a replica apart, too: all of them start together.
    pub(crate) fn seed(&self, of_replica: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (of_replica, self).hash(&mut hasher);
        hasher.finish()
    }

    /// Reads what [`kept`](Self::kept) has written.
    pub(crate) fn of_kept(kept: &Value) -> Option<Self> {
        if kept == "controller" {
            return Some(Self::Controller);
        }
        let text = |field: &str| kept[field].as_str().map(str::to_owned);
        let (namespace, account) = (text("namespace")?, text("account")?);
        Some(Self::Account {
            namespace,
            account,
            role: text("role")?,
            mount: text("mount")?,
            audience: text("audience")?,
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Controller => f.write_str("the controller"),
            Self::Account { namespace, account, role, mount, audience } => {
                write!(f, "service account {namespace}/{account} with role {role}")?;
                if mount != MOUNT {
                    write!(f, " at auth/{mount}")?;
                }
                if audience != AUDIENCE {
                    write!(f, " for the audience {audience}")?;
                }
                Ok(())
            }
        }
    }
}

/// The token of an account, in memory under the name of a file, as a login reads it.
///
/// A login reads the file in another thread, at any moment. So a new token is written to another file, which then
/// takes over the descriptor, and with it the name, in one step. A login that opened the old file goes on reading the
/// old token.
pub(crate) struct Token {
    descriptor: RefCell<OwnedFd>,
    pub(crate) path: PathBuf,
}

impl Token {
    /// Makes a token that is still empty.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn new() -> std::io::Result<Self> {
        let descriptor = in_memory()?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
        Ok(Self { descriptor: RefCell::new(descriptor), path })
    }

    fn write(&self, token: &Secret) -> std::io::Result<()> {
        let mut aside = File::from(in_memory()?);
        aside.write_all(token.expose())?;
        Ok(nix::unistd::dup3(&aside, &mut self.descriptor.borrow_mut(), nix::fcntl::OFlag::O_CLOEXEC)?)
    }
}

fn in_memory() -> std::io::Result<OwnedFd> {
    Ok(nix::sys::memfd::memfd_create(c"token", nix::sys::memfd::MFdFlags::MFD_CLOEXEC)?)
}

/// Returns how an account logs in.
pub(crate) fn login(role: &str, mount: &str, token: &Token) -> AuthPlan {
    let method = AuthMethod::Kubernetes { role: role.to_owned(), jwt_file: token.path.clone() };
    AuthPlan { mount: mount.to_owned(), namespace: None, method, wrap_ttl: None }
}

/// Keeps the token of an account valid, as a kubelet does, until the engine is gone.
pub(crate) async fn keep(
    cluster: Arc<Cluster>,
    identity: Identity,
    token: Rc<Token>,
    engine: UnboundedSender<Message>,
) {
    let Identity::Account { namespace, account, audience, .. } = &identity else { return };
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
    let wanted = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": [audience], "expirationSeconds": LIFE.as_secs()},
    });
    let mut said = String::new();
    while !engine.is_closed() {
        let outcome = match cluster.send(Method::POST, &path, &wanted).await {
            Ok(answer) if answer.status == 201 => {
                granted(&answer.body).ok_or_else(|| "no token is in the answer".to_owned())
            }
            Ok(answer) => Err(answer.words()),
            Err(away) => Err(away.to_string()),
        };
        let wait = match outcome
            .and_then(|(secret, life)| token.write(&secret).map(|()| life).map_err(|error| error.to_string()))
        {
            Ok(life) => {
                said.clear();
                let _sent = engine.send(Message::Credentials(None));
                // As a kubelet does, with a fifth of the life left.
                life * 4 / 5
            }
            Err(why) => {
                if said != why {
                    tracing::warn!("no token for {identity}: {why}");
                    let _sent = engine
                        .send(Message::Credentials(Some(format!("no token for the {identity}: {why}"))));
                    said = why;
                }
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = engine.closed() => return,
        }
    }
}

/// Returns the token, and how long it is valid.
fn granted(answer: &Value) -> Option<(Secret, Duration)> {
    let token = answer["status"]["token"].as_str()?.into();
    let seconds = answer["spec"]["expirationSeconds"].as_u64().unwrap_or(LIFE.as_secs());
    Some((token, Duration::from_secs(seconds)))
}

#[cfg(test)]
impl Identity {
    /// Returns an account's login with the usual mount and audience.
    pub(crate) fn sample(namespace: &str, role: &str) -> Self {
        let text = str::to_owned;
        let (account, mount, audience) = (text("web"), text("kubernetes"), text("vault"));
        Self::Account { namespace: text(namespace), account, role: text(role), mount, audience }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn two_logins_have_two_names() {
        let usual = Identity::sample("shop", "web");
        assert_eq!(usual.to_string(), "service account shop/web with role web");
        let with = |mount: &str, audience: &str| {
            let mut other = usual.clone();
            if let Identity::Account { mount: at, audience: of, .. } = &mut other {
                (*at, *of) = (mount.to_owned(), audience.to_owned());
            }
            other.to_string()
        };
        assert_eq!(with("prod", AUDIENCE), format!("{usual} at auth/prod"));
        assert_eq!(with(MOUNT, "bao"), format!("{usual} for the audience bao"));
        assert_eq!(with("prod", "bao"), format!("{usual} at auth/prod for the audience bao"));
    }

    #[test]
    fn engines_of_one_replica_have_different_seeds_which_stay_the_same() {
        let all = [Identity::Controller, Identity::sample("shop", "web"), Identity::sample("other", "web")];
        let seeds = |replica: u64| all.iter().map(|one| one.seed(replica)).collect::<BTreeSet<_>>();
        assert_eq!((seeds(1).len(), seeds(1)), (3, seeds(1)));
        assert!(seeds(1).is_disjoint(&seeds(2)));
    }

    #[test]
    fn a_reader_finds_a_whole_token_at_every_moment() {
        let token = Token::new().expect("memory");
        let of = |letter: &str| Secret::from(letter.repeat(64 * 1024).as_str());
        token.write(&of("a")).expect("memory");
        let path = token.path.clone();
        // The process's descriptors are those of its threads.
        let path = PathBuf::from(path.to_string_lossy().replace("self", &std::process::id().to_string()));
        let reader = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while seen.len() < 2 {
                let bytes = std::fs::read(&path).expect("it is always there");
                assert_eq!(bytes.len(), 64 * 1024);
                assert!(bytes.iter().all(|byte| *byte == bytes[0]), "two tokens in one");
                seen.insert(bytes[0]);
            }
        });
        while !reader.is_finished() {
            token.write(&of("b")).expect("memory");
            token.write(&of("a")).expect("memory");
        }
        reader.join().expect("no torn token");
    }
}
