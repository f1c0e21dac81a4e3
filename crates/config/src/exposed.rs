//! Warns of credentials, keys and configurations that others on the machine may write or read. They are only warnings,
//! because a mode may be right if the machine has no other users.
//!
//! A configuration that others may only read draws none, unless a credential stands in it: packages install it with that
//! mode.

use std::path::{Path, PathBuf};

use leasehold_settings::stores::{Azure, Kind};

use super::plan::{AuthMethod, Credential, Plan};
use super::problem::{Problem, Severity};

/// The bits that let the group write, and all others write and read.
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_READ: u32 = 0o004;

/// The variable that is set in every container of a pod.
const IN_A_POD: &str = "KUBERNETES_SERVICE_HOST";

/// The folders where container runtimes put secrets that only the container sees, and all of its users can read.
const OF_CONTAINERS: [&str; 2] = ["/run/secrets", "/var/run/secrets"];

/// The fields of a login that are no credential.
const NAMES: [&str; 4] = ["role", "role_id", "username", "name"];

/// The file that a path leads to.
pub struct Seen {
    /// Where the links lead.
    pub real: PathBuf,
    /// Its permissions, without its kind.
    pub mode: u32,
    /// The owner, if that is neither root nor the user that we run as.
    pub stranger: Option<u32>,
    /// Its group is neither root's nor our own.
    pub others_group: bool,
}

/// Looks at the files of `plan`, which was read from `texts`.
pub fn warnings<'t>(
    plan: &Plan,
    texts: impl Iterator<Item = &'t Path>,
    env: &dyn Fn(&str) -> Option<String>,
    seen: &dyn Fn(&Path) -> Option<Seen>,
) -> Vec<Problem> {
    let in_a_pod = env(IN_A_POD).is_some();
    let mut found = Vec::new();
    let mut look = |path: &Path, private: bool, what: &str| {
        let Some(Seen { real, mode, stranger, others_group }) = seen(path) else { return };
        let shown = path.display();
        let alone = in_a_pod || is_of_a_container(path, &real);
        if mode & OTHERS_WRITE != 0 {
            let message = format!("every user of this machine may write {what} (mode {mode:04o})");
            found.push(warning(path, message, format!("take that away: chmod o-w {shown}")));
        } else if let Some(owner) = stranger.filter(|_| !alone) {
            let message = format!("{what} belongs to another user, uid {owner}, who may change it");
            found.push(warning(path, message, format!("take that away: chown root {shown}")));
        } else if others_group && mode & GROUP_WRITES != 0 && !alone {
            let message = format!("a group of other users may write {what} (mode {mode:04o})");
            found.push(warning(path, message, format!("take that away: chmod g-w {shown}")));
        } else if private && mode & OTHERS_READ != 0 && !alone {
            let message = format!("every user of this machine may read {what} (mode {mode:04o})");
            found.push(warning(path, message, format!("take that away: chmod o-r {shown}")));
        }
    };
    let inline = has_credential_inline(&plan.auth.method);
    let what = if inline { "the configuration, which has a credential in it" } else { "the configuration" };
    texts.for_each(|text| look(text, inline, what));
    for (path, private) in credentials(&plan.auth.method) {
        look(&path, private, "this credential of `auth`");
    }
    if let Some(own) = &plan.vault.client_cert
        && !matches!(plan.auth.method, AuthMethod::Cert { .. })
    {
        look(&own.key_file, true, "the key of the client certificate");
    }
    for store in &plan.stores {
        if let Kind::Azure(Azure { identity, .. }) = &store.kind
            && let Some(file) = &identity.client_secret_file
        {
            look(file, true, "the client secret of a backend");
        }
    }
    if let Some(tls) = &plan.listen_tls {
        look(&tls.key_file, true, "the key of `listen_tls`");
    }
    found
}

fn warning(path: &Path, message: String, hint: String) -> Problem {
    let problem = Problem::whole(path.to_string_lossy(), message, hint);
    Problem { severity: Severity::Warning, ..problem }
}

/// Returns whether a login's credential stands in the configuration itself.
fn has_credential_inline(method: &AuthMethod) -> bool {
    match method {
        AuthMethod::AppRole { secret_id: Some(Credential::Given(_)), .. } => true,
        AuthMethod::Path { fields, .. } => fields
            .iter()
            .any(|(name, field)| matches!(field, Credential::Given(_)) && !NAMES.contains(&name.as_str())),
        _ => false,
    }
}

/// Returns the files of a login, and whether reading one is enough to log in. In a pod, a service account's projected
/// token has the mode 0644: no other user is there.
fn credentials(method: &AuthMethod) -> Vec<(PathBuf, bool)> {
    let private: Vec<&Path> = match method {
        AuthMethod::AppRole { secret_id: Some(Credential::File(file)), .. } => vec![file],
        AuthMethod::Cert { own, .. } => vec![&own.key_file],
        AuthMethod::Password { password_file, .. } => vec![password_file],
        AuthMethod::TokenFile { token_file } => vec![token_file],
        AuthMethod::Kubernetes { jwt_file, .. } => vec![jwt_file],
        AuthMethod::Path { fields, .. } => {
            let files = fields.iter().filter_map(|(_, field)| match field {
                Credential::File(file) => Some(file.as_path()),
                _ => None,
            });
            files.collect()
        }
        _ => Vec::new(),
    };
    method.files().into_iter().map(|file| (file.clone(), private.contains(&file.as_path()))).collect()
}

/// Returns whether only a container sees the file: the kubelet's volumes are behind a folder `..DATE`, on a tmpfs
/// that other users of the node cannot enter.
fn is_of_a_container(path: &Path, real: &Path) -> bool {
    let hidden = |part: std::path::Component<'_>| {
        let name = part.as_os_str().as_encoded_bytes();
        name.starts_with(b"..") && name.len() > 2
    };
    real.components().any(hidden) || OF_CONTAINERS.iter().any(|folder| path.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::{Inputs, Text, read};

    fn told(real: &str, mode: u32, pod: bool) -> Vec<String> {
        let auth = "{method: approle, role_id_file: /e/role, secret_id_file: /e/id}";
        told_of(auth, real, (mode, None), pod)
    }

    fn told_of(auth: &str, real: &str, (mode, stranger): (u32, Option<u32>), pod: bool) -> Vec<String> {
        let yaml = "vault: {address: 'https://v:8200', client_cert_file: /e/c, client_key_file: /e/key}\n\
             auth: AUTH\n\
             backends: {az: {azure_key_vault: {vault: web, client_id: c, client_secret_file: /e/az}}}\n\
             files: [{path: /run/a, secret: kv/a}]\n"
            .replace("AUTH", auth);
        let texts = [Text { name: "c.yaml".into(), bytes: yaml.into() }];
        let inputs = Inputs {
            folder: Path::new("/"),
            texts: &texts,
            flags: &[],
            env: &|_| None,
            read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
            functions: leasehold_template::functions::all(),
            look: None,
            elsewhere: false,
        };
        let (plan, _) = read(&inputs).expect("a good configuration");
        let env = |name: &str| (pod && name == IN_A_POD).then(|| "10.0.0.1".to_owned());
        let look = |path: &Path| {
            let real = Path::new(real).join(path.file_name()?);
            Some(Seen { real, mode, stranger, others_group: true })
        };
        let texts = [Path::new("c.yaml")];
        warnings(&plan, texts.into_iter(), &env, &look).iter().map(Problem::one_line).collect()
    }

    #[test]
    fn what_others_may_write_is_warned_of_everywhere() {
        for (real, pod) in [("/e", false), ("/e/..2026_11_28", true)] {
            let told = told(real, 0o666, pod);
            assert_eq!(told.len(), 5, "{told:?}");
            let first = "c.yaml: warning: every user of this machine may write the configuration (mode 0666); \
                take that away: chmod o-w c.yaml";
            assert_eq!(told[0], first);
        }
    }

    #[test]
    fn another_owner_and_a_group_of_others_are_warned_of_but_not_in_a_pod() {
        let auth = "{method: approle, role_id_file: /e/role, secret_id_file: /e/id}";
        let owned = told_of(auth, "/e", (0o600, Some(1000)), false);
        assert_eq!(owned.len(), 5, "{owned:?}");
        assert_eq!(
            owned[0],
            "c.yaml: warning: the configuration belongs to another user, uid 1000, who may change it; \
             take that away: chown root c.yaml"
        );
        let of_a_group = told("/e", 0o660, false);
        assert_eq!(of_a_group.len(), 5, "{of_a_group:?}");
        assert!(of_a_group[0].contains("a group of other users may write the configuration (mode 0660)"));
        assert_eq!(told_of(auth, "/e", (0o660, Some(1000)), true), [""; 0], "a pod");
    }

    #[test]
    fn a_credential_in_the_text_and_a_token_outside_a_pod_are_private() {
        let inline = "{method: path, path: auth/okta/login, fields: {username: web, password: x}}";
        let told = told_of(inline, "/e", (0o644, None), false);
        assert!(told[0].contains("may read the configuration, which has a credential in it"), "{told:?}");
        let harmless = "{method: path, path: auth/okta/login, fields: {role: web}}";
        assert!(
            told_of(harmless, "/e", (0o644, None), false).iter().all(|line| !line.contains("configuration"))
        );
        let jwt = "{method: jwt, role: web, jwt_file: /e/jwt}";
        let told = told_of(jwt, "/e", (0o644, None), false);
        assert!(told[0].contains("/e/jwt") && told[0].contains("may read this credential"), "{told:?}");
        assert!(told_of(jwt, "/e", (0o644, None), true).is_empty(), "a pod");
    }

    #[test]
    fn what_others_may_read_is_warned_of_where_it_is_private_and_there_are_others() {
        let on_a_machine = told("/e", 0o644, false);
        assert_eq!(
            on_a_machine,
            [
                "/e/id: warning: every user of this machine may read this credential of `auth` (mode 0644); \
                 take that away: chmod o-r /e/id",
                "/e/key: warning: every user of this machine may read the key of the client certificate (mode 0644); \
                 take that away: chmod o-r /e/key",
                "/e/az: warning: every user of this machine may read the client secret of a backend (mode 0644); \
                 take that away: chmod o-r /e/az",
            ]
        );
        assert_eq!(told("/e/..2026_11_28_10.00", 0o644, false), [""; 0], "the kubelet's volume");
        assert_eq!(told("/e", 0o644, true), [""; 0], "a pod");
        assert_eq!(told("/e", 0o640, false), [""; 0]);
    }
}
